"""Stages of Dockerfiles. A stage is known by what it is made of; how it is called is decided where
a file is written, so that a name never changes a fingerprint.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

VERSION = "version"
"""The kind of mark that is a stage's own version: it comes right after the title."""
PLATFORM = "platform"
"""The kind of mark that is the platform a stage is for: it comes last, since `by_platform` puts
another one in its place.
"""
MARKER = "\0"
"""Begins and ends what stands for the name of a stage: a character that no file of a component and
no value may have, so that none is taken for a name.
"""
SELF = f"{MARKER}stage{MARKER}"
"""Stands in a stage's text for its own name."""
_REFERENCE = re.compile(rf"{MARKER}stage(?::([0-9a-f]{{64}})(:platform)?)?{MARKER}")


@dataclass(frozen=True)
class Mark:
    """What may tell a stage from another of the same title: a component, and its version.

    `kind` is what is compared, such as a slot.
    """

    kind: str
    word: str
    version: str = ""


@dataclass(frozen=True)
class ContentsRow:
    """A row of the table of contents: what is pinned, how it is installed, where it is from."""

    what: str
    method: str
    source: str


@dataclass(frozen=True, eq=False)
class RenderedStage:
    """A stage of a Dockerfile; those with one `identity` are the same work, whoever has them.

    `text` names other stages by their `reference`. A stage that is one variant's own has its name
    in `title`; others are told apart by the first of their marks that do.
    """

    title: str
    text: str = field(repr=False)
    marks: tuple[Mark, ...] = ()
    contents: tuple[ContentsRow, ...] = ()
    own: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RenderedStage) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    @cached_property
    def identity(self) -> str:
        """64 hex digits over its text, and so over those of all stages that it needs."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def marked(self, marks: tuple[Mark, ...]) -> RenderedStage:
        """The same stage with other marks, which are no part of what it is."""
        made = replace(self, marks=marks)
        made.__dict__["identity"] = self.identity  # a hash over kilobytes, for each variant
        return made

    @cached_property
    def reference(self) -> str:
        """How other stages' texts name it."""
        return f"{MARKER}stage:{self.identity}{MARKER}"

    @property
    def by_platform(self) -> str:
        """How others name it and its likes for other platforms, each named `...-ARCHITECTURE`: the
        one of the platform that is built.
        """
        return f"{MARKER}stage:{self.identity}:platform{MARKER}"

    def alike(self, other: RenderedStage) -> RenderedStage:
        """The same stage with the marks that it has in another variant as well: what the two differ
        in does not make it what it is.
        """
        versions = {(mark.kind, mark.word): mark.version for mark in other.marks}
        marks = tuple(
            mark if mark.version in ("", versions[kind]) else replace(mark, version="")
            for mark in self.marks
            if (kind := (mark.kind, mark.word)) in versions
        )
        return self if marks == self.marks else self.marked(marks)

    def written(self, names: Mapping[str, str]) -> str:
        """Its text in a file where stages have these names, by identity."""

        def name(found: re.Match[str]) -> str:
            written = names[found[1] or self.identity]
            return f"{written.rpartition('-')[0]}-${{TARGETARCH}}" if found[2] else written

        return _REFERENCE.sub(name, self.text)


def names(stages: Iterable[RenderedStage]) -> dict[str, str]:
    """Identity -> name, as short as tells each stage of a file from the others."""
    titles: dict[str, dict[str, RenderedStage]] = {}
    for stage in stages:
        titles.setdefault(stage.title, {}).setdefault(stage.identity, stage)
    found = {i: title for title, group in titles.items() for i, s in group.items() if s.own}
    own = set(found.values())
    taken = set(own)
    for title, group in titles.items():
        shared = {identity: s for identity, s in group.items() if not s.own}
        if not shared:
            continue
        labels = _labels(list(shared.values()))
        for (identity, stage), label in zip(shared.items(), labels, strict=True):
            end = _platform(stage) if label.endswith(_platform(stage)) else ""
            begin = (title + label).removesuffix(end)
            # a variant of a distro alone is called as its base would be
            name = _free(f"{begin}.base" if begin in own else begin, end, taken)
            taken.add(name)
            found[identity] = name
    return found


def _labels(group: Sequence[RenderedStage]) -> list[str]:
    """What comes after the title, for each stage of a group: of the fewest kinds of marks that tell
    all apart, or of all.
    """
    # in the order of the one that has most: a kind that the others lack keeps its place
    longest = sorted(group, key=lambda stage: -len(stage.marks))
    kinds = list(dict.fromkeys(mark.kind for stage in longest for mark in stage.marks))
    labels = [""] * len(group)
    for number in range(len(kinds) + 1):
        for chosen in combinations(kinds, number):
            labels = [""] * len(group)
            for kind in sorted(chosen, key=lambda kind: (kind != VERSION, kind == PLATFORM)):
                marks = [next((m for m in s.marks if m.kind == kind), None) for s in group]
                parts = [_label(mark, marks) for mark in marks]
                labels = [a + b for a, b in zip(labels, parts, strict=True)]
            if len(set(labels)) == len(group):
                return labels
    return labels


def _label(mark: Mark | None, marks: Iterable[Mark | None]) -> str:
    """A mark as far as it differs from the others of its kind: `-cuda12`, not `-cuda12.8.1`."""
    if mark is None:
        return ""
    others = {m.version for m in marks if m and m.word == mark.word} - {mark.version}
    if not others:
        alone = {m.word for m in marks if m} == {mark.word} and None not in marks
        return f"-{mark.word}" if mark.word and not alone else ""
    common = max(_common(mark.version, other) for other in others)
    end = re.compile(r"[._-]|$").search(mark.version, common + 1)
    short = mark.version[: end.start() if end else None]
    return f"-{mark.word}{short}" if mark.word or short[:1].isalpha() else short


def _common(one: str, other: str) -> int:
    """How many characters they begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _platform(stage: RenderedStage) -> str:
    """How the name of a stage for one platform ends; empty for others."""
    return next((f"-{mark.word}" for mark in stage.marks if mark.kind == PLATFORM), "")


def _free(name: str, end: str, taken: Iterable[str]) -> str:
    name = re.sub(r"[^a-z0-9._-]", "-", name.lower())
    number, free = 1, f"{name}{end}"
    while free in taken:
        number += 1
        free = f"{name}-{number}{end}"
    return free
