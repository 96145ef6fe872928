"""images.yaml with another version of a component, wherever it is written: worked out as a text,
and only when it is right.

Pure but for reading the file's own components: the command reads and writes.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bakestone.core.documents import edits
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import matches, version_key
from bakestone.core.documents.suggest import near
from bakestone.core.documents.words import count
from bakestone.core.documents.yaml import Path_
from bakestone.core.library.catalog import Library, nearest_version
from bakestone.core.library.component import Component
from bakestone.core.matrix import expansion, spec
from bakestone.core.matrix.checks import lifecycle
from bakestone.core.matrix.expansion import Matrix
from bakestone.core.matrix.variant import Chosen, Variant
from bakestone.errors import USAGE, BakestoneError, Finding, Position, fail
from bakestone.jobs.freshness import companions, newer, occurrences
from bakestone.jobs.freshness.occurrences import Place


@dataclass(frozen=True)
class BumpWish:
    """What is asked for. An empty `version` is the newest that passes, an empty `old` the only one
    that is there.

    `beside` is component -> version of what changes along with it; `together` leaves these to
    Bakestone.
    """

    component: str
    version: str = ""
    old: str = ""
    families: tuple[str, ...] = ()
    together: bool = False
    beside: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Change:
    """One value of the file, before and after."""

    where: Position
    family: str
    before: str
    after: str


@dataclass(frozen=True)
class BumpPlan:
    """The new text, and what is other in it.

    `variants` are those that become others, by their names today.
    """

    component: str
    old: str
    new: str
    companions: tuple[str, ...]
    changes: tuple[Change, ...]
    text: str
    variants: tuple[str, ...]
    notes: tuple[str, ...]

    def diff(self, before: str, name: str) -> str:
        """A small unified diff: the lines that change, and one line around them."""
        lines = difflib.unified_diff(
            before.splitlines(), self.text.splitlines(), name, name, n=1, lineterm=""
        )
        return "\n".join(line.rstrip() for line in lines)


def plan(text: str, path: Path, library: Library, wish: BumpWish, at: datetime.date) -> BumpPlan:
    """The text of images.yaml as `wish` has it; the same text when it is so already.

    Raises `BakestoneError` when the file is not right as it is, when the component or version is
    not known or not clear, and with the findings of the new text when the rules refuse it.
    """
    return _Bump(text, path, library, wish, at).plan()


class _Bump:
    def __init__(
        self, text: str, path: Path, library: Library, wish: BumpWish, at: datetime.date
    ) -> None:
        self.text, self.path, self.library, self.wish, self.at = text, path, library, wish, at
        self.document = yamldoc.parse(text, str(path), "the matrix")
        self.matrix = expansion.expand(spec.read(self.document, path), library)
        self.forbidden = {f.message for f in self.ended(self.matrix)}
        self.component = self.known(wish.component)
        self.places = occurrences.find(self.document, library, wish.families)
        self.old = self.which()

    def known(self, name: str) -> Component:
        found = self.library.get(name)
        if found is None:
            component, mark, version = name.partition("@")
            hint = (
                f"write them apart: bakestone bump {component} {version}"
                if mark and self.library.get(component)
                else self.library.suggest(name)
            )
            raise fail(f"unknown component {name[:60]!r}", hint, name="COMPONENT")
        return found

    def which(self) -> str:
        """The version that is to be replaced. Raises unless it is clear."""
        there = self.versions(self.component)
        families = ", ".join(self.wish.families)
        scope = f"{self.path} ({families})" if families else str(self.path)
        name = self.component.name
        if not there:
            listed = sorted({p.component.name for p in self.places if not p.pattern})
            hint = near(name, listed, f"it has {', '.join(listed)}")
            raise fail(f"{scope} has no {name}", hint, name="COMPONENT")
        if self.wish.old:
            if self.wish.old not in there:
                hint = f"it has {_list(there)}"
                raise fail(f"{scope} has no {name}@{self.wish.old[:60]}", hint, name="--from")
            return self.wish.old
        others = [version for version in there if version != self.wish.version]
        if len(others) > 1:
            hint = f"say which one with --from: {', '.join(others)}"
            raise fail(
                f"{scope} has several versions of {name}: {_list(there)}",
                hint,
                name="--from",
                code=USAGE,
            )
        return next(iter(others), self.wish.version)

    def versions(self, component: Component) -> dict[str, int]:
        """Version -> in how many places it is written, the newest first."""
        found: dict[str, int] = {}
        for place in sorted(self.places, key=lambda p: version_key(p.version), reverse=True):
            if place.component.name == component.name and not place.pattern:
                found[place.version] = found.get(place.version, 0) + 1
        return found

    def plan(self) -> BumpPlan:
        if self.wish.version:
            self.check_version(self.component, self.wish.version)
            return self.to(self.wish.version)
        present = occurrences.side_by_side(self.places, self.component, self.old)
        newest = newer.than(self.component, self.component.versions[self.old], self.at, present)
        for version in newest:
            if (
                self.wish.together
                or self.wish.beside
                or self.judge.passes(self.affected(self.touched), self.picked(version.version))
            ):
                try:
                    return self.to(version.version)
                except BakestoneError:
                    continue
        if not newest:
            return self.to(self.old)
        # what stands in the way of the newest is what a person would want to know
        return self.to(newest[0].version)

    def check_version(self, component: Component, version: str) -> None:
        gone = next(
            (r for r in component.retired if matches(r.versions, component.name, version)), None
        )
        if gone:
            hint = f"use {gone.instead}" if gone.instead else ""
            raise fail(
                f"{component.name}@{version[:60]} is retired: {gone.because} (source:"
                f" {gone.source})",
                hint,
                name="VERSION",
            )
        if component.versions.get(version) is None:
            hint = nearest_version(component, version)
            raise fail(f"{component.name} has no version {version[:60]}", hint, name="VERSION")

    def to(self, version: str) -> BumpPlan:
        """The plan for a version.

        Raises what the new text has against it, and offers what would help.
        """
        if version == self.old and not self.wish.beside:
            return BumpPlan(self.component.name, self.old, version, (), (), self.text, (), ())
        changes = {p.path: p.with_version(version) for p in self.touched}
        given = {path: value for place in self.touched for path, value in self.given(place)}
        self.check_twice({**changes, **given})
        try:
            return self.result(version, {**changes, **given})
        except BakestoneError as problem:
            offered = self.offered(version)
            if offered is None or not self.wish.together:
                raise self.refused(problem, version, offered) from problem
        try:
            return self.result(version, {**changes, **given, **offered})
        except BakestoneError as problem:
            raise self.refused(problem, version, None) from problem

    @cached_property
    def touched(self) -> list[Place]:
        of = [p for p in self.places if p.component.name == self.component.name]
        return [place for place in of if place.version == self.old]

    @cached_property
    def by_path(self) -> dict[Path_, Place]:
        return {place.path: place for place in self.places}

    @cached_property
    def judge(self) -> companions.Judge:
        return companions.Judge(self.matrix)

    def beside(self, place: Place) -> list[Place]:
        """The places that can change along with one: what is not a distro."""
        return [
            self.by_path[path]
            for path in place.companions
            if path in self.by_path and self.by_path[path].slot != "distro"
        ]

    def given(self, place: Place) -> Iterator[tuple[Path_, str]]:
        """The companions that were asked for by name."""
        for name, version in self.wish.beside:
            self.check_version(self.known(name), version)
            found = [other for other in self.beside(place) if other.component.name == name]
            if not found and not place.pattern:
                there = ", ".join(sorted({other.component.name for other in self.beside(place)}))
                why = f"{name} does not come along with this {self.component.name}"
                raise fail(why, f"beside it is {there or 'nothing'}", where=place.where)
            yield from ((other.path, other.with_version(version)) for other in found)

    def affected(self, touched: Sequence[Place]) -> list[Variant]:
        """The variants that have what stands in these places."""
        marks = {(p.where.line, p.where.column) for p in touched if not p.pattern}
        names = {p.family for p in touched}
        slot = self.component.slot
        return [
            v
            for v in self.matrix.variants
            if slot in v.slots
            and (v.slots[slot].where.line, v.slots[slot].where.column) in marks
            and v.family.name in names
        ]

    def picked(self, version: str) -> dict[str, Chosen]:
        place = next(p for p in self.touched if not p.pattern)
        return {self.component.slot: _chosen(place, version)}

    def becomes(self, changes: Mapping[Path_, str]) -> dict[str, Chosen]:
        """Slot -> what it is after the changes."""
        values = [(self.by_path[path], value) for path, value in changes.items()]
        return {place.slot: _chosen(place, value.rpartition("@")[2]) for place, value in values}

    def offered(self, version: str) -> dict[Path_, str] | None:
        """New values for what stands beside the component, with which the rules hold;

        None when there are none.
        """
        found: dict[Path_, str] = {}
        for place in (p for p in self.touched if not p.pattern):
            given = dict(self.given(place))
            fixed = self.picked(version) | self.becomes(given)
            free = {other.slot: other for other in self.beside(place) if other.path not in given}
            picked = companions.find(self.judge, self.affected([place]), fixed, list(free))
            for slot, chosen in (picked or {}).items():
                value = free[slot].with_version(chosen.version.version)
                if found.setdefault(free[slot].path, value) != value:
                    return None  # one value that two places would have otherwise
        return found or None

    def refused(
        self, problem: BakestoneError, version: str, offered: Mapping[Path_, str] | None
    ) -> BakestoneError:
        """The findings of the new text, and that the file stays as it is; with what is offered in
        the place of their own hints.
        """
        hint, findings = "correct what is named above, or choose another version", problem.findings
        if offered:
            hint = f"nearest that passes: with {' and '.join(self.texts(offered))}; add --together"
            findings = tuple(replace(finding, hint="") for finding in findings)
        summary = Finding(
            f"nothing is changed: {self.component.name}@{version} does not pass here",
            hint,
            name=str(self.path),
        )
        return BakestoneError([*findings, summary], problem.code)

    def texts(self, changes: Mapping[Path_, str]) -> tuple[str, ...]:
        """Companions as `component@version`, each once."""
        return tuple(
            dict.fromkeys(
                f"{self.by_path[p].component.name}@{value.rpartition('@')[2]}"
                for p, value in changes.items()
            )
        )

    def result(self, version: str, changes: Mapping[Path_, str]) -> BumpPlan:
        """The plan for these changes. Raises when the file would not be right with them."""
        self.check_twice(changes)
        text = edits.replaced(self.text, str(self.path), changes)
        after = self.expanded(yamldoc.parse(text, str(self.path)))
        affected = self.affected(self.touched)
        beside = {
            path: value
            for path, value in changes.items()
            if self.by_path[path].component.name != self.component.name
        }
        listed = [
            Change(self.by_path[p].where, self.by_path[p].family, self.by_path[p].value, value)
            for p, value in changes.items()
        ]
        listed.sort(key=lambda change: (change.where.line, change.where.column))
        notes = tuple(self.notes(version, beside, affected, len(after.variants)))
        names = tuple(v.name for v in affected)
        name, along = self.component.name, self.texts(beside)
        return BumpPlan(name, self.old, version, along, tuple(listed), text, names, notes)

    def notes(
        self, version: str, beside: Mapping[Path_, str], affected: Sequence[Variant], after: int
    ) -> Iterator[str]:
        """What a person would not expect."""
        picked = self.picked(version) | self.becomes(beside)
        for slot, (old, new) in self.judge.moved(affected, picked).items():
            yield f"{slot} is installed by `{new}` instead of `{old}`"
        before = len(self.matrix.variants)
        if after != before:
            yield (
                f"{count(after, 'variant')} instead of {before}: the excludes match other"
                " combinations now"
            )

    def check_twice(self, changes: Mapping[Path_, str]) -> None:
        """Raise when an axis would have one value twice."""
        for place in (self.by_path[path] for path in changes if path[2] == "axes"):
            axis = place.path[:4]
            index = place.path[4]
            inner = self.document.data["families"][place.path[1]]["axes"][place.path[3]]
            values = [self.canonical((*axis, n), value, changes) for n, value in enumerate(inner)]
            same = next(
                (n for n, value in enumerate(values) if value == values[int(index)] and n != index),
                None,
            )
            if same is not None:
                other = self.document.position((*axis, same))
                text = ", ".join(
                    f"{slot} {picked}" if len(values[same]) > 1 else picked
                    for slot, picked in sorted(values[same].items())
                )
                why = f"the axis {axis[3]} would have {text} twice (also on line {other.line})"
                raise fail(why, "take one of the two out first", where=place.where)

    def canonical(self, at: Path_, value: object, changes: Mapping[Path_, str]) -> dict[str, str]:
        """One value of an axis with the changes: slot -> `component@version`, however it is
        written.
        """
        paths: dict[Path_, str] = (
            {(*at, slot): str(text) for slot, text in value.items()}
            if isinstance(value, dict)
            else {at: str(value)}
        )
        found = {}
        for path, text in paths.items():
            new = changes.get(path, text)
            place = self.by_path.get(path)
            slot = place.slot if place else str(path[-1] if isinstance(value, dict) else at[3])
            found[slot] = f"{place.component.name}@{new.rpartition('@')[2]}" if place else new
        return found

    def expanded(self, document: yamldoc.Document) -> Matrix:
        """The matrix of a new text; raises when it is not right, or when a family forbids what has
        ended and was not there before.
        """
        out = expansion.expand(spec.read(document, self.path), self.library)
        forbidden = [f for f in self.ended(out) if f.message not in self.forbidden]
        if forbidden:
            raise BakestoneError(forbidden)
        return out

    def ended(self, found: Matrix) -> list[Finding]:
        return [f for f in lifecycle.findings(found.variants, self.at) if f.severity == "error"]


def _chosen(place: Place, version: str) -> Chosen:
    return Chosen(place.slot, place.component, place.component.versions[version], place.where)


def _list(there: Mapping[str, int]) -> str:
    return ", ".join(f"{version} ({count(places, 'place')})" for version, places in there.items())
