"""Words looked up in the library: names, titles, versions, and the packages, wheels, files and
images behind them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bakestone.core.documents.patterns import version_key
from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from bakestone.core.library.version import Version

_EXACT, _PART, _START, _INSIDE, _FILE = 100, 90, 70, 50, 30
"""How much a word counts: a whole name or version, its part up to a dot, its beginning, somewhere
inside, in the name of a file.
"""
_CHECKSUM = 8
"""Fewest digits of a checksum by which a file is found."""


@dataclass(frozen=True)
class Hit:
    """A component (`version` empty) or one version of it;

    `found` says where the words are, `score` how well they fit.
    """

    component: str
    slot: str
    title: str
    version: str
    methods: tuple[str, ...]
    found: tuple[str, ...]
    score: int


@dataclass(frozen=True)
class _Match:
    score: int
    where: str


def search(library: Library, words: Iterable[str]) -> list[Hit]:
    """Every component and version in which each of the words is found, best first."""
    wanted = [word for text in words for word in text.lower().replace("@", " ").split()]
    hits = (
        [
            hit
            for component in map(library.get, library.names)
            if component is not None
            for hit in _component(component, wanted)
        ]
        if wanted
        else []
    )
    by_version = sorted(hits, key=lambda hit: version_key(hit.version), reverse=True)
    return sorted(by_version, key=lambda hit: (-hit.score, hit.component))


def hint(library: Library, words: Iterable[str]) -> str:
    """What to try when nothing is found."""
    known = {*library.names, *library.slots}
    guess = next((h for h in (near(word.lower(), known, cutoff=0.6) for word in words) if h), "")
    return guess or "`bakestone versions` lists every component; fewer or shorter words find more"


def _component(component: Component, words: Sequence[str]) -> Iterator[Hit]:
    about = {word: _about(component, word) for word in words}
    title = str(component.data.get("title", component.name))
    missing = [word for word, match in about.items() if match is None]
    if not missing:
        matches = [match for match in about.values() if match]
        yield _hit(component, title, "", tuple(component.methods), matches)
        return
    text = _text(component)
    if not all(word in text for word in missing):
        return
    for version in component.versions.values():
        own = {word: about[word] or _version(version, word) for word in words}
        matches = [match for match in own.values() if match]
        if len(matches) == len(own):
            yield _hit(
                component,
                title,
                version.version,
                tuple(m for m in component.methods if m in version.methods),
                matches,
            )


def _hit(
    component: Component, title: str, version: str, methods: tuple[str, ...], matches: list[_Match]
) -> Hit:
    found = tuple(dict.fromkeys(match.where for match in matches if match.where))
    return Hit(
        component.name,
        component.slot,
        title,
        version,
        methods,
        found,
        sum(match.score for match in matches),
    )


def _about(component: Component, word: str) -> _Match | None:
    """The word in what the component is called."""
    for name in (component.name, component.slot):
        if name == word:
            return _Match(_EXACT, "")
    if component.name.startswith(word):
        return _Match(_START, "")
    title = str(component.data.get("title", "")).lower()
    return _Match(_INSIDE, "") if word in component.name or word in title else None


def _text(component: Component) -> str:
    """Everything that its versions are searched for, unread: most components do not have the words
    at all.
    """
    files = [component.folder / "versions.yaml", *component.overlays]
    return "\n".join(path.read_text("utf-8", "replace").lower() for path in files if path.is_file())


def _version(version: Version, word: str) -> _Match | None:
    """The word in a version's number, or in what it is made of: the best place of all."""
    found = [_Match(_number(version.version, word), ""), _Match(_number(version.label, word), "")]
    for kind, name, more in _parts(version):
        score = _text_score(name.lower(), word)
        if kind in ("file", "image"):
            score = min(score, _FILE)
        elif kind == "sha256" and (len(word) < _CHECKSUM or score < _START):
            score = 0
        found.append(
            _Match(score or min(_FILE, _text_score(more.lower(), word)), f"{kind} {name}{more}")
        )
    best = max(found, key=lambda match: match.score)
    return best if best.score else None


def _text_score(text: str, word: str) -> int:
    """How well a word fits a name.

    A number is not found inside another one: 9.8 is not in 12.9.86.
    """
    if text == word:
        return _EXACT
    inside = (
        re.search(rf"(?<![0-9.]){re.escape(word)}(?![0-9])", text)
        if re.fullmatch("[0-9.]+", word)
        else word in text
    )
    return 0 if not inside else _START if text.startswith(word) else _INSIDE


def _number(version: str, word: str) -> int:
    lower = version.lower()
    if lower == word:
        return _EXACT
    return _PART if lower.startswith(f"{word}.") else _START if lower.startswith(word) else 0


def _parts(version: Version) -> Iterator[tuple[str, str, str]]:
    """(kind, name, what stands after it) of everything that the version is installed from."""
    for data in version.methods.values():
        for artifact in data.get("artifacts", []):
            name = artifact.get("filename") or artifact["url"].rpartition("/")[2]
            yield "file", name, ""
            yield from _sum(artifact, name)
        for wheel in data.get("wheels", []):
            yield "wheel", wheel["name"], f" {wheel['version']}"
            for file in wheel["files"].values():
                yield "file", file["filename"], ""
                yield from _sum(file, file["filename"])
        for image in data.get("images", []):
            yield "image", image["ref"], ""
        if "package" in data:
            yield (
                "package",
                data["package"],
                f" {', '.join(dict.fromkeys(data['versions'].values()))}",
            )
        for entry in data.get("packages", []):
            yield from (
                ("package", name, f" {number}") for name, number in entry["install"].items()
            )
    if "image" in version.data:
        yield "image", version.data["image"], ""


def _sum(file: dict[str, Any], name: str) -> Iterator[tuple[str, str, str]]:
    yield "sha256", file["sha256"], f" of {name}"
