"""Whether the names in a family are names of something: slots, components, and a distro for every
variant.
"""

from __future__ import annotations

from collections.abc import Iterator

from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.matrix.spec import Family
from bakestone.errors import Finding, Position


def check(family: Family, library: Library) -> Iterator[Finding]:
    """A finding for each axis, pattern, method and name slot that names nothing or is set twice."""
    known = library.slots
    set_slots: dict[str, str] = {}
    for axis in family.axes:
        for slot in sorted(axis.slots):
            if slot not in known:
                # `gpu: [none]` fills nothing, whatever the axis is called
                if any(v.picks[slot].version for v in axis.values if slot in v.picks):
                    yield _no_slot(slot, known, axis.where)
            elif slot in set_slots:
                why = f"the slot {slot} is set by two axes, {set_slots[slot]} and {axis.name}"
                yield Finding(why, "set it in one of them", axis.where)
            set_slots[slot] = axis.name
        for value in axis.values if "distro" in axis.slots else ():
            if "distro" not in value.picks or value.picks["distro"].version is None:
                hint = "every image has a distro: name one"
                yield Finding("this value leaves the distro empty", hint, value.where)
    if "distro" not in set_slots:
        why = f"the family {family.name} has no distro"
        yield Finding(why, "add the axis `distro: [ubuntu@24.04]`", family.where)
    for extra in family.include:
        for slot in extra.picks:
            if slot not in known:
                yield _no_slot(slot, known, extra.where)
    for entry in family.exclude:
        for slot in entry.patterns:
            if slot not in set_slots:
                hint = near(slot, set_slots, f"one of: {', '.join(set_slots)}")
                yield Finding(f"no axis of this family sets the slot {slot!r}", hint, entry.where)
    for name in family.methods:
        if library.get(name) is None:
            where = family.method_positions[name]
            yield Finding(f"unknown component {name!r}", library.suggest(name), where)
    for slot in family.name_slots:
        if slot not in known:
            yield _no_slot(slot, known, family.where, " for `name_slots`")


def _no_slot(slot: str, known: list[str], where: Position, use: str = "") -> Finding:
    hint = near(slot, known, f"one of: {', '.join(known)}")
    return Finding(f"there is no slot {slot!r}{use}", hint, where)
