"""Selectors: which variants a command is about.

`openmpi5*` a glob on names; `mpi=openmpi` or `cuda=12.*` a pattern on a slot, `mpi=openmpi,mpich`
several, `mpi!=intelmpi` all others; `family=debian` a family, `role=runtime` a role. Selectors on
different slots must all hold; several of one kind are alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from bakestone.core.documents.suggest import near
from bakestone.core.matrix.variant import Variant, filling, fits
from bakestone.errors import fail

_SELECTOR = re.compile(r"([A-Za-z_]\w*)(!?=|[<>]=?)(.*)", re.DOTALL)
_BESIDES = ("family", "role")
"""What is asked for like a slot and is none: its pattern is a glob."""


def select(variants: Iterable[Variant], selectors: Sequence[str]) -> list[Variant]:
    """The variants that the selectors name; all of them without a selector.

    Raises `BakestoneError` for a selector that is not understood or matches nothing.
    """
    variants = list(variants)
    groups: dict[tuple[str, bool], list[str]] = {}
    for text in selectors:
        slot, mark, pattern = _parts(text)
        groups.setdefault((slot, mark == "!="), []).extend(_alternatives(pattern))
    chosen = variants
    for (slot, but), patterns in groups.items():
        _check(slot, "!=" if but else "=", patterns, variants)
        chosen = [v for v in chosen if any(_holds(v, slot, p) for p in patterns) is not but]
    if not chosen and selectors:
        hint = "each selector matches something, but not all of them together"
        raise fail(f"no variant matches {' '.join(selectors)}", hint)
    return chosen


def _parts(text: str) -> tuple[str, str, str]:
    """Slot, mark and pattern of a selector; a glob on names has no slot."""
    found = _SELECTOR.fullmatch(text)
    if found is None:
        return "", "", text
    slot, mark, pattern = found.groups()
    if mark not in ("=", "!="):
        hint = f"write it in quotes, as '{slot}={mark}{pattern}'"
        raise fail(f"{text} is no selector: a range comes after =", hint, name=text)
    return slot, mark, pattern


def _alternatives(pattern: str) -> list[str]:
    """`a,b` as two patterns; the parts of a range belong together."""
    parts = pattern.split(",")
    return [pattern] if any(re.match(r"\s*([^,@]*@)?[<>!]", p) for p in parts) else parts


def _check(slot: str, mark: str, patterns: list[str], variants: list[Variant]) -> None:
    slots = sorted({s for v in variants for s in v.slots} | {*_BESIDES})
    if slot and slot not in slots:
        hint = near(slot, slots, f"one of: {', '.join(slots)}")
        raise fail(f"there is no slot {slot!r} in this matrix", hint, name=f"{slot}=")
    lacking = [p for p in patterns if not any(_holds(v, slot, p) for v in variants)]
    for pattern in lacking:
        if slot:
            there = {_besides(v, slot) or filling(v.slots, slot) for v in variants}
            hint = f"there is {', '.join(sorted(there))}"
            if rest := [p for p in patterns if p not in lacking]:
                hint = f"leave it out: {slot}{mark}{','.join(rest)}; {hint}"
            asked = f"{slot}{mark}{','.join(patterns)}"
            why = " and ".join(f"{slot}={one}" for one in lacking)
            raise fail(f"no variant has {why}", hint, name=asked)
        hint = near(pattern, [v.name for v in variants], "see `bakestone list`", cutoff=0.4)
        raise fail(f"no variant is named {pattern}", hint, name=pattern)


def _holds(variant: Variant, slot: str, pattern: str) -> bool:
    if not slot or slot in _BESIDES:
        return fnmatchcase(_besides(variant, slot) or variant.name, pattern)
    return fits(pattern, variant.slots.get(slot))


def _besides(variant: Variant, what: str) -> str:
    """A variant's family or role; empty for anything else."""
    return {"family": variant.family.name, "role": variant.role}.get(what, "")
