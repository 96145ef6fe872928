"""Selectors: which variants a command is about.

`openmpi5*` a glob on names; `mpi=openmpi` or `cuda=12.*` a pattern on a slot;
`family=debian` a family. Selectors on different slots must all hold; several
of one kind are alternatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from bakestone.core.documents.suggest import near
from bakestone.core.matrix.variant import Variant, filling, fits
from bakestone.errors import fail


def select(variants: Iterable[Variant], selectors: Sequence[str]) -> list[Variant]:
    """The variants that the selectors name; all of them without a selector.

    Raises `BakestoneError` for a selector that is not understood or matches nothing.
    """
    variants = list(variants)
    groups: dict[str, list[str]] = {}
    for text in selectors:
        slot, mark, pattern = text.partition("=")
        plain = not mark or not slot.isidentifier()
        groups.setdefault("" if plain else slot, []).append(text if plain else pattern)
    chosen = variants
    for slot, patterns in groups.items():
        _check(slot, patterns, variants)
        chosen = [v for v in chosen if any(_holds(v, slot, p) for p in patterns)]
    if not chosen and selectors:
        hint = "each selector matches something, but not all of them together"
        raise fail(f"no variant matches {' '.join(selectors)}", hint)
    return chosen


def _check(slot: str, patterns: list[str], variants: list[Variant]) -> None:
    slots = sorted({s for v in variants for s in v.slots} | {"family"})
    if slot and slot not in slots:
        hint = near(slot, slots, f"one of: {', '.join(slots)}")
        raise fail(f"there is no slot {slot!r} in this matrix", hint, name=f"{slot}=")
    for pattern in patterns:
        if any(_holds(v, slot, pattern) for v in variants):
            continue
        if slot:
            family = slot == "family"
            there = {v.family.name if family else filling(v.slots, slot) for v in variants}
            hint = f"there is {', '.join(sorted(there))}"
            raise fail(f"no variant has {slot}={pattern}", hint, name=f"{slot}={pattern}")
        hint = near(pattern, [v.name for v in variants], "see `bakestone list`", cutoff=0.4)
        raise fail(f"no variant is named {pattern}", hint, name=pattern)


def _holds(variant: Variant, slot: str, pattern: str) -> bool:
    if slot in ("", "family"):
        return fnmatchcase(variant.family.name if slot else variant.name, pattern)
    try:
        return fits(pattern, variant.slots.get(slot))
    except ValueError as problem:
        hint = "write a range as >=12.0,<13"
        raise fail(str(problem), hint, name=f"{slot}={pattern}") from problem
