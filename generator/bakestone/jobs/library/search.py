"""Words looked up in the library: in names, titles, versions, and in what these are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
    """A component (`version` empty) or one version: where the words are, and how well they fit."""

    component: str
    slot: str
    title: str
    version: str
    methods: tuple[str, ...]
    found: tuple[str, ...]
    score: int


Match = tuple[int, str]
"""How well a word fits, 0 not at all; and what it is in, empty for a name or a number."""


def search(library: Library, words: Iterable[str]) -> list[Hit]:
    """Every component and version in which each of the words is found, best first."""
    text = " ".join(words).lower().replace("@", " ")
    wanted = list(dict.fromkeys(text.split()))
    components = library.components() if wanted else ()
    hits = [hit for component in components for hit in _component(component, wanted)]
    hits.sort(key=lambda hit: version_key(hit.version), reverse=True)
    return sorted(hits, key=lambda hit: (-hit.score, hit.component))


def hint(library: Library, words: Iterable[str]) -> str:
    """What to try when nothing is found."""
    known = {*library.names, *library.slots}
    guess = next((h for h in (near(word.lower(), known, cutoff=0.6) for word in words) if h), "")
    return guess or "`bakestone versions` lists every component; fewer or shorter words find more"


def _component(component: Component, words: Sequence[str]) -> Iterator[Hit]:
    about = {word: _about(component, word) for word in words}
    missing = [word for word in words if not about[word]]
    if not missing:
        matches = [(about[word], "") for word in words]
        yield _hit(component, "", component.methods, matches)
        return
    text = _text(component)
    if not all(word in text for word in missing):
        return
    for version in component.versions.values():
        matches = [(about[word], "") if about[word] else _version(version, word) for word in words]
        if all(score for score, _ in matches):
            methods = [m for m in component.methods if m in version.methods]
            yield _hit(component, version.version, methods, matches)


def _hit(component: Component, version: str, methods: Iterable[str], found: list[Match]) -> Hit:
    return Hit(
        component.name,
        component.slot,
        str(component.data.get("title", component.name)),
        version,
        tuple(methods),
        tuple(dict.fromkeys(where for _, where in found if where)),
        sum(score for score, _ in found),
    )


def _about(component: Component, word: str) -> int:
    """How well a word fits what the component is called."""
    if word in (component.name, component.slot):
        return _EXACT
    if component.name.startswith(word):
        return _START
    title = str(component.data.get("title", "")).lower()
    return _INSIDE if word in component.name or word in title else 0


def _text(component: Component) -> str:
    """Everything that its versions are made of, unread: most do not have the words at all."""
    files = [component.folder / "versions.yaml", *component.overlays]
    return "\n".join(path.read_text("utf-8", "replace").lower() for path in files if path.is_file())


def _version(version: Version, word: str) -> Match:
    """The word in a version's number, or in what it is made of: the best place of all."""
    found = [(_number(version.version, word), ""), (_number(version.label, word), "")]
    for kind, name, more in _parts(version):
        score = _text_score(name.lower(), word)
        if kind in ("file", "image"):
            score = min(score, _FILE)
        elif kind == "sha256" and (len(word) < _CHECKSUM or score < _START):
            score = 0
        score = score or min(_FILE, _text_score(more.lower(), word))
        found.append((score, f"{kind} {name}{more}"))
    return max(found, key=lambda match: match[0])


def _text_score(text: str, word: str) -> int:
    """How well a word fits a name.

    A number is not found inside another one: 9.8 is not in 12.9.86.
    """
    if text == word:
        return _EXACT
    number = re.fullmatch("[0-9.]+", word)
    alone = rf"(?<![0-9.]){re.escape(word)}(?![0-9])"
    inside = re.search(alone, text) if number else word in text
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
            yield "sha256", artifact["sha256"], f" of {name}"
        for wheel in data.get("wheels", []):
            yield "wheel", wheel["name"], f" {wheel['version']}"
            for file in wheel["files"].values():
                yield "file", file["filename"], ""
                yield "sha256", file["sha256"], f" of {file['filename']}"
        for image in data.get("images", []):
            yield "image", image["ref"], ""
        if "package" in data:
            numbers = dict.fromkeys(data["versions"].values())
            yield "package", data["package"], f" {', '.join(numbers)}"
        for entry in data.get("packages", []):
            for name, number in entry["install"].items():
                yield "package", name, f" {number}"
    if "image" in version.data:
        yield "image", version.data["image"], ""
