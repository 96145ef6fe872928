"""images.yaml with another version of a component, wherever it is written: worked out as a text,
and only when it is right.

Pure but for reading the file's own components: the command reads and writes.
"""

from __future__ import annotations

import datetime
import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bakestone.core.documents import edits
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import version_key
from bakestone.core.documents.suggest import near
from bakestone.core.documents.words import count
from bakestone.core.documents.yaml import Path_
from bakestone.core.library.catalog import Library, not_to_be_had
from bakestone.core.library.component import Component
from bakestone.core.matrix import expansion, spec
from bakestone.core.matrix.checks import lifecycle
from bakestone.core.matrix.expansion import Matrix
from bakestone.core.matrix.variant import Chosen, Variant
from bakestone.errors import USAGE, BakestoneError, Finding, Position, fail
from bakestone.jobs.freshness import companions, newer, occurrences
from bakestone.jobs.freshness.occurrences import Place

Replacements = dict[Path_, str]
"""Where a version is written -> the one that takes its place."""


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

    def known(self, name: str) -> Component:
        found = self.library.get(name)
        if found is None:
            component, mark, version = name.partition("@")
            hint = self.library.suggest(name)
            if mark and self.library.get(component):
                hint = f"write them apart: bakestone bump {component} {version}"
            if name in self.library.slots:
                raise fail(
                    f"{name} is a slot, and no component", self.filling(name), name="COMPONENT"
                )
            raise fail(f"unknown component {name[:60]!r}", hint, name="COMPONENT")
        return found

    def filling(self, slot: str) -> str:
        """What to write instead of a slot: what fills it in the matrix, best what has the version
        that is wished for.
        """
        variants = self.matrix.variants
        there = {
            v.slots[slot].component.name: v.slots[slot].component
            for v in variants
            if slot in v.slots
        }
        having = [name for name, one in there.items() if self.wish.version in one.versions]
        named = having or list(there)
        if not named:
            named = [component.name for component in self.library.of_slot(slot)]
            return f"no variant has one; it can be {', '.join(named)}"
        return "name what fills it: " + " or ".join(
            f"bakestone bump {name} {self.wish.version}".rstrip() for name in named
        )

    def which(self) -> str:
        """The version that is to be replaced. Raises unless it is clear."""
        own = [p for p in self.places if p.component.name == self.component.name and not p.pattern]
        there = Counter(sorted((p.version for p in own), key=version_key, reverse=True))
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
            why = f"{scope} has several versions of {name}: {_list(there)}"
            raise fail(why, hint, name="--from", code=USAGE)
        return next(iter(others), self.wish.version)

    def plan(self) -> BumpPlan:
        if self.wish.version:
            self.check_version(self.component, self.wish.version)
            return self.to(self.wish.version)
        present = occurrences.side_by_side(self.places, self.component, self.old)
        newest = newer.than(self.component, self.component.versions[self.old], self.at, present)
        affected = self.affected(self.touched)
        for version in (v.version for v in newest):
            if self.wish.together or self.judge.passes(affected, self.picked(version)):
                with suppress(BakestoneError):
                    return self.to(version)
        # what stands in the way of the newest is what a person would want to know
        return self.to(newest[0].version if newest else self.old)

    def check_version(self, component: Component, version: str) -> None:
        if lacking := not_to_be_had(component, version):
            raise fail(*lacking, name="VERSION")

    def to(self, version: str) -> BumpPlan:
        """The plan for a version.

        Raises what the new text has against it, and offers what would help.
        """
        if version == self.old and not self.wish.beside:
            return BumpPlan(self.component.name, self.old, version, (), (), self.text, (), ())
        changes = {place.path: version for place in self.touched}
        for place in self.touched:
            changes |= self.given(place)
        self.check_twice(changes)
        try:
            plan = self.result(version, changes)
            if not self.wish.together or not self.doubts(version):
                return plan
            offered = self.offered(version)
            if offered is None:
                return plan
        except BakestoneError as problem:
            offered = self.offered(version)
            if offered is None or not self.wish.together:
                raise self.refused(problem, version, offered) from problem
        try:
            self.check_twice(changes | offered)
            return self.result(version, changes | offered)
        except BakestoneError as problem:
            raise self.refused(problem, version, None) from problem

    def doubts(self, version: str) -> list[str]:
        """What nobody packaged so, if nothing else changes."""
        return self.judge.doubts(self.affected(self.touched), self.picked(version))

    def given(self, place: Place) -> Replacements:
        """The companions that were asked for by name."""
        found: Replacements = {}
        for name, version in self.wish.beside:
            self.check_version(self.known(name), version)
            beside = [p.path for p in place.companions if p.component.name == name]
            if not beside and not place.pattern:
                there = ", ".join(sorted({other.component.name for other in place.companions}))
                why = f"{name} does not come along with this {self.component.name}"
                raise fail(why, f"beside it is {there or 'nothing'}", where=place.where)
            found |= dict.fromkeys(beside, version)
        return found

    def affected(self, touched: Sequence[Place]) -> list[Variant]:
        """The variants that have what stands in these places."""
        places = {p.where for p in touched if not p.pattern}
        families, slot = {p.family for p in touched}, self.component.slot
        having = [v for v in self.matrix.variants if slot in v.slots and v.family.name in families]
        return [v for v in having if v.slots[slot].where in places]

    def picked(self, version: str, beside: Replacements | None = None) -> dict[str, Chosen]:
        """Slot -> what it is after the changes."""
        place = next(p for p in self.touched if not p.pattern)
        others = [self.by_path[path].chosen(changed) for path, changed in (beside or {}).items()]
        return {chosen.slot: chosen for chosen in (place.chosen(version), *others)}

    def offered(self, version: str) -> Replacements | None:
        """New versions of what stands beside the component, with which the rules hold;

        None when there are none.
        """
        found: Replacements = {}
        for place in (p for p in self.touched if not p.pattern):
            given = self.given(place)
            free = {other.slot: other.path for other in place.companions if other.path not in given}
            fixed = self.picked(version, given)
            picked = companions.find(self.judge, self.affected([place]), fixed, list(free))
            for slot, chosen in (picked or {}).items():
                nearest = chosen.version.version
                if found.setdefault(free[slot], nearest) != nearest:
                    return None  # one value that two places would have otherwise
        return found or None

    def refused(
        self, problem: BakestoneError, version: str, offered: Replacements | None
    ) -> BakestoneError:
        """The findings of the new text, and that the file stays as it is; with what is offered in
        the place of their own hints.
        """
        hint, findings = "correct what is named above, or choose another version", problem.findings
        if offered:
            hint = f"nearest that passes: with {' and '.join(self.texts(offered))}; add --together"
            findings = tuple(replace(finding, hint="") for finding in findings)
        why = f"nothing is changed: {self.component.name}@{version} does not pass here"
        summary = Finding(why, hint, name=str(self.path))
        return BakestoneError([*findings, summary], problem.code)

    def texts(self, changes: Replacements) -> tuple[str, ...]:
        """Companions as `component@version`, each once."""
        named = (f"{self.by_path[p].component.name}@{version}" for p, version in changes.items())
        return tuple(dict.fromkeys(named))

    def result(self, version: str, changes: Replacements) -> BumpPlan:
        """The plan for these changes. Raises when the file would not be right with them."""
        after = {path: self.by_path[path].with_version(v) for path, v in changes.items()}
        text = edits.replaced(self.text, str(self.path), after)
        matrix = self.expanded(yamldoc.parse(text, str(self.path)))
        places = [self.by_path[path] for path in changes]
        places.sort(key=lambda p: (p.where.line, p.where.column))
        affected, own = self.affected(self.touched), {place.path for place in self.touched}
        beside = {path: changed for path, changed in changes.items() if path not in own}
        return BumpPlan(
            self.component.name,
            self.old,
            version,
            self.texts(beside),
            tuple(Change(p.where, p.family, p.value, after[p.path]) for p in places),
            text,
            tuple(v.name for v in affected),
            tuple(self.notes(self.picked(version, beside), affected, len(matrix.variants))),
        )

    def notes(
        self, picked: Mapping[str, Chosen], affected: Sequence[Variant], after: int
    ) -> Iterator[str]:
        """What a person would not expect."""
        for slot, (old, new) in self.judge.moved(affected, picked).items():
            yield f"{slot} is installed by `{new}` instead of `{old}`"
        yield from self.judge.doubts(affected, picked)
        before = len(self.matrix.variants)
        if after != before:
            variants = f"{count(after, 'variant')} instead of {before}"
            yield f"{variants}: the excludes match other combinations now"

    def check_twice(self, changes: Replacements) -> None:
        """Raise when an axis would have one value twice."""
        for place in (self.by_path[path] for path in changes if path[2] == "axes"):
            _, family, _, axis, index, *_ = place.path
            at = place.path[:4]
            inner = self.document.data["families"][family]["axes"][axis]
            parts = (occurrences.parts((*at, n), value) for n, value in enumerate(inner))
            values = [
                {part.slot: self.becomes(path, part, changes) for path, part in own.items()}
                for own in parts
            ]
            own = values[int(index)]
            same = next((n for n, value in enumerate(values) if value == own and n != index), None)
            if same is not None:
                named = sorted(own.items())
                text = ", ".join(f"{slot} {p}" if len(named) > 1 else p for slot, p in named)
                line = self.document.position((*at, same)).line
                why = f"the axis {axis} would have {text} twice (also on line {line})"
                raise fail(why, "take one of the two out first", where=place.where)

    def becomes(self, path: Path_, part: occurrences.Filling, changes: Replacements) -> str:
        """`component@version`, and its options, after the changes, however it is written."""
        place = self.by_path.get(path)
        if place is None:
            return part.text
        options = f" ({', '.join(sorted(part.options))})" if part.options else ""
        return f"{place.component.name}@{changes.get(path, place.version)}{options}"

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


def _list(there: Mapping[str, int]) -> str:
    return ", ".join(f"{version} ({count(places, 'place')})" for version, places in there.items())
