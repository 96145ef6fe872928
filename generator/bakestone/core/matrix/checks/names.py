"""Whether the names in a family are names of something: slots, components, and a distro for every
variant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.matrix.spec import Axis, Family
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
                    yield _no_slot_on(axis, slot, library)
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


def _no_slot_on(axis: Axis, slot: str, library: Library) -> Finding:
    """As `_no_slot`; of a component in the place of a slot, how to write what is meant."""
    value = next(v for v in axis.values if slot in v.picks)
    pick = value.picks[slot]
    component = library.get(slot) or (library.get(pick.component) if pick.options else None)
    if component is None and slot == "like" and slot != axis.name:
        hint = "a base image of your own is {image: HOST/REPOSITORY:TAG, like: debian@12}"
        return Finding("like stands without image", hint, value.where)
    found = _no_slot(slot, library.slots, axis.where)
    if component is None:
        return found
    name, said = component.name, f"{component.name}@{pick.version}"
    if pick.options:
        said = f'{{{name}: "{pick.version}", with: [{", ".join(pick.options)}]}}'
    hint = f"{name} fills the slot {component.slot}: write `{component.slot}: {said}`"
    if slot == axis.name:
        hint = f"{name} fills the slot {component.slot}: call the axis so"
    return replace(found, hint=hint, where=axis.where if slot == axis.name else value.where)


def _no_slot(slot: str, known: list[str], where: Position, use: str = "") -> Finding:
    hint = near(slot, known, f"one of: {', '.join(known)}")
    return Finding(f"there is no slot {slot!r}{use}", hint, where)
