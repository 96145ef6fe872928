"""What is newer than the pins: rows with what moves them, and the newer versions among them.

Pure: what registries and package managers say comes from pins/.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bakestone.core.library.version import Version
from bakestone.core.matrix.checks import lifecycle
from bakestone.core.matrix.expansion import Matrix
from bakestone.core.matrix.variant import Chosen, Variant, slot_rank
from bakestone.errors import Position
from bakestone.jobs.freshness import companions, newer
from bakestone.jobs.freshness.companions import Judge
from bakestone.jobs.freshness.occurrences import Place, side_by_side

TOGETHER = 6
"""How many versions, the newest first, are tried with other companions when none passes alone."""


@dataclass(frozen=True)
class Row:
    """One pin that something newer is there for.

    `kind` is base, version, package or snapshot; `move` the command that moves it, empty when there
    is none yet; `base` the image that a package is on; `patch` the newest of the same minor
    version; `ends` when support of what is pinned ends, where that is near; `note` what else to
    know.
    """

    kind: str
    what: str
    pinned: str
    newest: str
    move: str
    variants: tuple[str, ...]
    base: str = ""
    patch: str = ""
    security: bool = False
    ends: str = ""
    note: str = ""


@dataclass(frozen=True)
class Unasked:
    """What could not be asked, and why: it may be outdated all the same."""

    what: str
    why: str
    hint: str = ""


@dataclass
class Report:
    """All of it, in the order base images, snapshots, versions, packages.

    `selected` is how many variants it is about.
    """

    rows: list[Row] = field(default_factory=list)
    unasked: list[Unasked] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    selected: int = 0


def versions(
    matrix: Matrix,
    places: Sequence[Place],
    variants: Sequence[Variant],
    at: datetime.date,
    *,
    ignoring: bool = False,
) -> Iterator[Row]:
    """A row for each pinned version of which the library has a newer one that passes the rules in
    every one of its variants.

    `ignoring` are told too: families with `end_of_life: ignore`, records of what once was.
    """
    judge = Judge(matrix)
    uses: dict[tuple[int, str, str, str], list[Variant]] = {}
    for variant in variants:
        if ignoring or variant.family.end_of_life != "ignore":
            for slot, chosen in variant.slots.items():
                uses.setdefault((*slot_rank(slot), chosen.text, variant.family.name), []).append(
                    variant
                )
    rows: dict[tuple[str, ...], tuple[Row, _Asked]] = {}
    for (_, slot, _, _), own in sorted(uses.items(), key=lambda item: item[0][:3]):
        asked = _Asked(judge, slot, own, places)
        row = _row(asked, at)
        if row:  # families that get the same answer share a row
            key = (row.what, row.pinned, row.newest, row.patch, row.note)
            before = rows[key][1].variants if key in rows else []
            rows[key] = (row, replace(asked, variants=[*before, *own]))
    for row, asked in rows.values():
        move = row.move + "".join(f" --family {name}" for name in _families(asked))
        yield replace(row, move=move, variants=tuple(v.name for v in asked.variants))


@dataclass(frozen=True)
class _Asked:
    """A pinned version and the variants that have it."""

    judge: Judge
    slot: str
    variants: Sequence[Variant]
    places: Sequence[Place]

    @property
    def pinned(self) -> Chosen:
        return self.variants[0].slots[self.slot]

    def changed(self, version: str) -> dict[str, Chosen]:
        found = self.pinned.component.versions[version]
        return {self.slot: Chosen(self.slot, self.pinned.component, found, self.pinned.where)}

    def newer(self, at: datetime.date) -> list[Version]:
        """The newer versions, newest first."""
        families = {v.family.name for v in self.variants}
        present = side_by_side(
            [p for p in self.places if p.family in families],
            self.pinned.component,
            self.pinned.version.version,
        )
        return newer.than(self.pinned.component, self.pinned.version, at, present)

    def chosen(self, text: str) -> dict[str, Chosen]:
        """`component@version` of what stands beside it, in its slot."""
        name, _, version = text.partition("@")
        found = next(c for v in self.variants for c in v.slots.values() if c.component.name == name)
        return {
            found.slot: Chosen(
                found.slot, found.component, found.component.versions[version], found.where
            )
        }

    def beside(self, version: str) -> tuple[str, ...] | None:
        """What would have to change along with it, as `component@version`;

        None when nothing helps.
        """
        texts: dict[str, None] = {}
        by_path = {place.path: place for place in self.places}
        for where in dict.fromkeys(v.slots[self.slot].where for v in self.variants):
            place = next((p for p in self.places if not p.pattern and _same(p.where, where)), None)
            free = (
                [by_path[path].slot for path in place.companions if path in by_path]
                if place
                else []
            )
            own = [v for v in self.variants if v.slots[self.slot].where == where]
            picked = companions.find(
                self.judge, own, self.changed(version), [slot for slot in free if slot != "distro"]
            )
            if picked is None:
                return None
            texts |= dict.fromkeys(chosen.text for chosen in picked.values())
        return tuple(texts)


def _row(asked: _Asked, at: datetime.date) -> Row | None:
    pinned = asked.pinned
    known = asked.newer(at)
    passing = [v for v in known if asked.judge.passes(asked.variants, asked.changed(v.version))]
    patch = newer.patches(pinned.version, passing)
    newest = passing[0].version if passing else ""
    beside: tuple[str, ...] = ()
    for version in known[:TOGETHER] if not passing else ():
        found = asked.beside(version.version)
        if found is not None:
            newest, beside = version.version, found
            break
    if not newest:
        return None
    others = {slot: chosen for text in beside for slot, chosen in asked.chosen(text).items()}
    moved = asked.judge.moved(asked.variants, {**asked.changed(newest), **others})
    notes = [f"with {' and '.join(beside)}"] if beside else []
    notes += [f"{slot} by {after} instead of {before}" for slot, (before, after) in moved.items()]
    move = f"bakestone bump {pinned.component.name} {newest} --from {pinned.version.version}" + (
        " --together" if beside else ""
    )
    return Row(
        "version",
        pinned.component.name,
        pinned.version.version,
        newest,
        move,
        tuple(v.name for v in asked.variants),
        patch=patch[0].version if patch else "",
        ends=_ends(pinned, at),
        note="; ".join(notes),
    )


def _families(asked: _Asked) -> Collection[str]:
    """The families to name: none when all that have this version are asked about."""
    own = dict.fromkeys(v.family.name for v in asked.variants)
    pinned = asked.pinned
    having = {
        p.family
        for p in asked.places
        if p.component.name == pinned.component.name and p.version == pinned.version.version
    }
    return () if having <= set(own) else tuple(own)


def _ends(pinned: Chosen, at: datetime.date) -> str:
    """What has ended of the pinned version, or will soon; empty when that is far or not known."""
    near = [
        end
        for end in lifecycle.ends(pinned.component, pinned.version)
        if end.date < at + lifecycle.AHEAD
    ]
    return min(near, key=lambda end: end.date).text(at) if near else ""


def _same(one: Position, other: Position) -> bool:
    return (one.line, one.column) == (other.line, other.column)
