"""What was measured in an image, and whether it is what a variant's name says. Pure.

An inventory may come from anybody's image: nothing in it is believed before it has the right shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bakestone.core.matrix.conditions import python
from bakestone.core.matrix.variant import Variant, slot_rank
from bakestone.core.render.inventory import ENVIRONMENT

Json = dict[str, object]
"""A JSON object, as it was read."""

MAX_PARTS = 200
"""Most slots of an inventory, and most values of a slot; real ones have ten of each."""
_WORD = re.compile(r"[A-Za-z0-9._+:~-]{1,200}")
_KEY = re.compile(r"[a-z_][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Expected:
    """What an inventory must say of a slot; `measure` as the gate compares it, key by key."""

    slot: str
    component: str
    version: str
    measure: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MeasuredPart:
    """What an inventory says of a slot."""

    component: str
    pinned: str
    values: Mapping[str, str]


class DoubleKeyError(ValueError):
    """An object says something twice."""


def expectations(variant: Variant) -> tuple[Expected, ...]:
    """What the gate of a variant's Dockerfile asks, slot by slot."""
    return tuple(
        Expected(chosen.slot, chosen.component.name, chosen.version.version, variant.asked(chosen))
        for chosen in sorted(variant.slots.values(), key=lambda c: slot_rank(c.slot))
    ) + _environment(variant)


def _environment(variant: Variant) -> tuple[Expected, ...]:
    """The same of the family's Python packages, where it asks for some."""
    own, minor = variant.family.content.python, python(variant.slots)
    if own is None or minor is None:
        return ()
    measure = (("version", minor),)
    return (Expected(ENVIRONMENT, ENVIRONMENT, own.identity, measure),)


def parse(content: bytes | str) -> Json:
    """An inventory.json of good shape. Raises `ValueError` with a reason for people."""
    try:
        found = json.loads(content, object_pairs_hook=_once)
    except DoubleKeyError:
        raise
    except (ValueError, RecursionError) as problem:
        raise ValueError("it is not JSON") from problem
    parts(found)
    return dict(found)


def parts(inventory: object) -> dict[str, MeasuredPart]:
    """Slot -> what was measured. Raises `ValueError` when it has no such shape."""
    components = inventory.get("components") if isinstance(inventory, dict) else None
    if not isinstance(components, dict) or not 0 < len(components) <= MAX_PARTS:
        raise ValueError("it names no components")
    found = {}
    for slot, entry in components.items():
        if not _KEY.fullmatch(slot) or not isinstance(entry, dict):
            raise ValueError("it has a slot that is none")
        values = entry.get("measured")
        if not isinstance(values, dict) or len(values) > MAX_PARTS:
            raise ValueError(f"nothing was measured in the slot {slot}")
        words = [entry.get("component"), entry.get("pinned"), *values.values()]
        if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words):
            raise ValueError(f"the slot {slot} has a value that is no measurement")
        if not all(_KEY.fullmatch(key) for key in values):
            raise ValueError(f"the slot {slot} has a value without a name")
        found[slot] = MeasuredPart(str(entry["component"]), str(entry["pinned"]), dict(values))
    return found


def disagreements(name: str, expected: Sequence[Expected], inventory: Json) -> list[str]:
    """Where an inventory says something else than the variant `name`; empty when it agrees.

    Whatever the gate of the Dockerfile accepts is accepted. Raises `ValueError` for an inventory
    that has no such shape.
    """
    found, wrong = parts(inventory), []
    variant = inventory.get("variant")
    if variant != name:
        shown = variant if isinstance(variant, str) and _WORD.fullmatch(variant) else "nothing"
        wrong.append(f"variant: expected {name}, measured {shown}")
    for one in expected:
        part = found.pop(one.slot, None)
        wanted = f"{one.component} {one.version}"
        if part is None:
            wrong.append(f"{one.slot}: expected {wanted}, measured nothing")
            continue
        if (part.component, part.pinned) != (one.component, one.version):
            wrong.append(f"{one.slot}: expected {wanted}, measured {part.component} {part.pinned}")
            continue
        for key, value in one.measure:
            said = part.values.get(key, "")
            if said != value:
                what = f"{one.slot}: {one.component} {key}"
                wrong.append(f"{what}: expected {value}, measured {said or 'nothing'}")
    wrong += [f"{s}: expected nothing, measured {p.component} {p.pinned}" for s, p in found.items()]
    return wrong


def sentence(inventory: Json) -> str:
    """The measured versions in one line: `debian 12, cuda 13.0 (nvcc 13.0.88), ...`."""
    said, found = [], parts(inventory)
    for slot in sorted(found, key=slot_rank):
        part = found[slot]
        more = ", ".join(f"{k} {part.values[k]}" for k in ("nvcc", "python") if k in part.values)
        version = part.values.get("version", part.pinned)
        said.append(f"{part.component} {version}" + (f" ({more})" if more else ""))
    return ", ".join(said)


def _once(pairs: list[tuple[str, object]]) -> Json:
    """A JSON object, each key of which comes once: readers differ in which of two they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DoubleKeyError("it has a key twice")
    return found
