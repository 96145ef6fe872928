"""What is newer than the pins: rows with what moves them, and the newer versions among them.

Pure: what registries and package managers say is asked elsewhere.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from bakestone.core.library.version import Version
from bakestone.core.matrix.checks import lifecycle
from bakestone.core.matrix.expansion import Matrix
from bakestone.core.matrix.variant import Chosen, Variant, slot_rank
from bakestone.jobs.freshness import companions, newer
from bakestone.jobs.freshness.companions import Judge, Picked
from bakestone.jobs.freshness.occurrences import Place, side_by_side

TOGETHER = 6
"""How many versions, the newest first, are tried with other companions when none passes alone."""


@dataclass(frozen=True)
class OutdatedRow:
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


@dataclass(frozen=True)
class OutdatedReport:
    """All of it, in the order base images, snapshots, versions, packages.

    `selected` is how many variants it is about.
    """

    rows: tuple[OutdatedRow, ...]
    unasked: tuple[Unasked, ...]
    notes: tuple[str, ...]
    selected: int


def versions(
    matrix: Matrix, places: Sequence[Place], variants: Sequence[Variant], at: datetime.date
) -> Iterator[OutdatedRow]:
    """A row for each pinned version of which the library has a newer one that passes the rules in
    every one of its variants.
    """
    judge = Judge(matrix)
    uses: dict[tuple[int, str, str, str], list[Variant]] = {}
    for variant in variants:
        for slot, chosen in variant.slots.items():
            key = (*slot_rank(slot), chosen.text, variant.family.name)
            uses.setdefault(key, []).append(variant)
    rows: dict[OutdatedRow, list[Variant]] = {}  # families that get the same answer share a row
    for (_, slot, _, _), own in sorted(uses.items(), key=lambda item: item[0][:3]):
        row = _row(judge, slot, own, places, at)
        if row:
            rows.setdefault(row, []).extend(own)
    for row, having in rows.items():
        own_families = dict.fromkeys(v.family.name for v in having)
        of = {p.family for p in places if (p.component.name, p.version) == (row.what, row.pinned)}
        named = [] if of <= own_families.keys() else own_families  # none where these are all
        move = row.move + "".join(f" --family {name}" for name in named)
        yield replace(row, move=move, variants=tuple(v.name for v in having))


def _row(
    judge: Judge, slot: str, variants: Sequence[Variant], places: Sequence[Place], at: datetime.date
) -> OutdatedRow | None:
    """What is newer than the version that these variants have in a slot, for all of them."""
    pinned = variants[0].slots[slot]
    component, here = pinned.component, pinned.version.version
    families = {v.family.name for v in variants}
    beside_it = side_by_side((p for p in places if p.family in families), component, here)
    known = newer.than(component, pinned.version, at, beside_it)
    # with none of the same Python, the others are what a person should know of
    known = known or newer.than(component, pinned.version, at, beside_it, another_python=True)

    def to(version: Version) -> dict[str, Chosen]:
        return {slot: replace(pinned, version=version)}

    passing = [version for version in known if judge.passes(variants, to(version))]
    newest = passing[0] if passing else None
    along: list[Chosen] = []
    for version in known[:TOGETHER] if not passing else ():
        helping = _along(judge, variants, to(version), places)
        if helping is not None:
            newest, along = version, helping
            break
    if newest is None:
        return None
    changed = to(newest) | {chosen.slot: chosen for chosen in along}
    texts = dict.fromkeys(chosen.text for chosen in along)
    notes = [f"with {' and '.join(texts)}"] if texts else []
    before, after = (v.known("python_minor") for v in (pinned.version, newest))
    if before != after:
        notes.append(f"with Python {after or 'unknown'} instead of {before or 'unknown'}")
    for other, (former, latter) in judge.moved(variants, changed).items():
        notes.append(f"{other} by {latter} instead of {former}")
    move = f"bakestone bump {component.name} {newest.version} --from {here}"
    patches = newer.patches(pinned.version, passing)
    return OutdatedRow(
        "version",
        component.name,
        here,
        newest.version,
        move + (" --together" if texts else ""),
        (),
        patch=patches[0].version if patches else "",
        ends=_ends(pinned, at),
        note="; ".join(notes),
    )


def _along(
    judge: Judge, variants: Sequence[Variant], change: Picked, places: Sequence[Place]
) -> list[Chosen] | None:
    """What would have to change along with a version that does not pass alone;

    None when nothing helps.
    """
    (slot,) = change
    found: list[Chosen] = []
    for where in dict.fromkeys(v.slots[slot].where for v in variants):
        own = [v for v in variants if v.slots[slot].where == where]
        here = (p for p in places if not p.pattern and p.where == where)
        free = [other.slot for place in islice(here, 1) for other in place.companions]
        picked = companions.find(judge, own, change, free)
        if picked is None:
            return None
        found += picked.values()
    return found


def _ends(pinned: Chosen, at: datetime.date) -> str:
    """What has ended of the pinned version, or will soon; empty when that is far or not known."""
    ends = lifecycle.ends(pinned.component, pinned.version)
    first = min(ends, key=lambda end: end.date, default=None)
    return first.text(at) if first and first.date < at + lifecycle.AHEAD else ""
