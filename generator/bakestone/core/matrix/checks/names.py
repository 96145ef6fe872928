"""Whether the names in a family are names of something: slots, components, and a distro for every
variant.
"""

from __future__ import annotations

from collections.abc import Iterator

from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.matrix.spec import Family
from bakestone.errors import Finding


def check(family: Family, library: Library) -> Iterator[Finding]:
    """A finding for each axis, pattern, method and name slot that names nothing or is set twice."""
    known = library.slots
    one_of = f"one of: {', '.join(known)}"
    set_slots: dict[str, str] = {}
    for axis in family.axes:
        for slot in sorted({s for value in axis.values for s in value.picks}):
            if slot not in known:
                yield Finding(f"there is no slot {slot!r}", near(slot, known, one_of), axis.where)
            elif slot in set_slots:
                yield Finding(
                    f"the slot {slot} is set by two axes, {set_slots[slot]} and {axis.name}",
                    "set it in one of them",
                    axis.where,
                )
            set_slots[slot] = axis.name
    if "distro" not in set_slots:
        yield Finding(
            f"the family {family.name} has no distro",
            "add the axis `distro: [ubuntu@24.04]`",
            family.where,
        )
    for extra in family.include:
        for slot in extra.picks:
            if slot not in known:
                yield Finding(f"there is no slot {slot!r}", near(slot, known, one_of), extra.where)
    for value in (
        v
        for axis in family.axes
        if any("distro" in v.picks for v in axis.values)
        for v in axis.values
    ):
        if "distro" not in value.picks or value.picks["distro"].version is None:
            yield Finding(
                "this value leaves the distro empty",
                "every image has a distro: name one",
                value.where,
            )
    for entry in family.exclude:
        for slot in entry.patterns:
            if slot not in set_slots:
                hint = near(slot, set_slots, f"one of: {', '.join(set_slots)}")
                yield Finding(f"no axis of this family sets the slot {slot!r}", hint, entry.where)
    for name in family.methods:
        if library.get(name) is None:
            yield Finding(
                f"unknown component {name!r}", library.suggest(name), family.method_positions[name]
            )
    for slot in family.name_slots:
        if slot not in known:
            yield Finding(
                f"there is no slot {slot!r} for `name_slots`",
                near(slot, known, one_of),
                family.where,
            )
