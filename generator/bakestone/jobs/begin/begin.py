"""`bakestone init`: an images.yaml that validates and builds, and what git has to know of the files
beside it. Nothing that is there is changed; .gitignore and .gitattributes get what they lack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.schema import check_value
from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Terms
from bakestone.core.matrix import expansion, spec
from bakestone.core.matrix.checks import terms
from bakestone.errors import USAGE, fail, read_text
from bakestone.files import write_text

STARTERS = ("cpu", "cuda", "azureml", "python")
"""The families that there are to begin with, each a file below starters/."""
MATRIX = "images.yaml"
_STARTERS = Path(__file__).parent / "starters"
_HEAD = """\
# What to build: `bakestone validate` checks it, `bakestone schema images` has every key.
version: 1
registry: {registry}
"""
_LISTS = {
    ".gitignore": (
        "# what a run of Bakestone that was stopped leaves for the next one",
        ".*.lock.yaml.*",
    ),
    ".gitattributes": (
        "# written by Bakestone: folded away in a diff, and no line end is ever changed",
        "dockerfiles/** linguist-generated eol=lf",
        "images.lock.yaml linguist-generated eol=lf",
    ),
}
_LARGEST = 1_000_000
"""Most bytes of a .gitignore."""


@dataclass(frozen=True)
class Begun:
    """What was written, by name, and what had all that is needed already."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def asked(starter: str) -> list[Terms]:
    """The terms that the components of a starter come under."""
    library = Library.beside(_STARTERS)
    text = _text(starter, "localhost:5000/base", list(terms.known(library)))
    matrix = expansion.expand(spec.read(yamldoc.parse(text, MATRIX), Path(MATRIX)), library)
    chosen = (one for variant in matrix.variants for one in variant.slots.values())
    found = {one.component.terms.id: one.component.terms for one in chosen if one.component.terms}
    return [found[name] for name in sorted(found)]


def begin(folder: Path, starter: str, registry: str, accepted: Collection[str]) -> Begun:
    """Write the first files of a team into a folder, which may be there.

    Raises `BakestoneError` when there is an images.yaml, for a registry that is none, for terms
    that nobody accepted, and (exit 3) when the folder cannot be written.
    """
    matrix = folder / MATRIX
    if matrix.exists() or matrix.is_symlink():
        hint = "it is left as it is: `bakestone validate` says whether it is right"
        raise fail(f"there is an {MATRIX} already", hint, name=str(matrix), code=USAGE)
    check_value(registry, "images", "registry", "--registry")
    ids = terms.known(Library.beside(_STARTERS))
    for name in accepted:
        if name not in ids:
            hint = near(name, ids, f"what can be accepted: {', '.join(ids)}")
            raise fail(f"no component asks to accept {name!r}", hint, name="--accept", code=USAGE)
    wanted = asked(starter)
    for one in wanted:
        if one.id not in accepted:
            why = f"{starter} is used under {one.title}: {one.because}"
            hint = f"read {one.url}; then say `--accept {one.id}`"
            raise fail(why, hint, name="--accept", code=USAGE)
    lists = {name: _completed(folder / name, lines) for name, lines in _LISTS.items()}
    write_text(matrix, _text(starter, registry, [one.id for one in wanted]))
    written = [MATRIX]
    for name, text in lists.items():
        if text:
            write_text(folder / name, text)
            written.append(name)
    return Begun(tuple(written), tuple(name for name, text in lists.items() if not text))


def _text(starter: str, registry: str, accepted: list[str]) -> str:
    accept = f"accept: [{', '.join(accepted)}]\n" if accepted else ""
    family = (_STARTERS / f"{starter}.yaml").read_text("utf-8")
    return f"{_HEAD.format(registry=registry)}{accept}\n{family}"


def _completed(path: Path, lines: tuple[str, ...]) -> str:
    """The text of a list with the lines that it lacks; empty where it has all of them."""
    text = read_text(path, path.name, limit=_LARGEST) if path.exists() else ""
    lacking = list(_lacking(text, lines))
    if not lacking:
        return ""
    before = text if not text or text.endswith("\n") else f"{text}\n"
    gap = "\n" if before else ""
    return f"{before}{gap}" + "\n".join([lines[0], *lacking]) + "\n"


def _lacking(text: str, lines: tuple[str, ...]) -> Iterator[str]:
    there = {line.strip() for line in text.splitlines()}
    return (line for line in lines[1:] if line not in there)
