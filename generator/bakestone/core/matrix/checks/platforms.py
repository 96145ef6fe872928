"""Platforms that variants leave out, since a component of theirs is not there for them."""

from __future__ import annotations

from collections.abc import Iterable

from bakestone.core.matrix.checks.families import counted, together
from bakestone.core.matrix.variant import LeftOut, Variant
from bakestone.errors import Finding


def notes(variants: Iterable[Variant]) -> list[Finding]:
    """What is left out, and for want of which component: one note for a family and a reason."""
    found: dict[tuple[str, ...], tuple[LeftOut, list[Variant]]] = {}
    for variant in variants:
        for left in variant.left_out:
            key = (variant.family.name, left.platform, left.because)
            found.setdefault(key, (left, []))[1].append(variant)
    return [
        Finding(
            f"{counted(those)}"
            f" {'leave' if len(those) > 1 else 'leaves'} {left.platform} out: {left.because}",
            "`every_platform: true` in the family refuses what leaves a platform out",
            left.where,
            severity="note",
        )
        for left, those in together(found, lambda left: left.where)
    ]
