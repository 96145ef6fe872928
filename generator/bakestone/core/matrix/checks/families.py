"""What is told of families: once of each, and once of all that have it from one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from bakestone.core.documents.words import count, few
from bakestone.core.matrix.variant import Variant
from bakestone.errors import Position

_What = TypeVar("_What")


def together(
    found: Mapping[tuple[str, ...], tuple[_What, list[Variant]]], where: Callable[[_What], Position]
) -> list[tuple[_What, list[Variant]]]:
    """What was found, by a family's name and what is the same in others, with its variants: those
    of several families together where they stand in one line, which the others inherit.
    """
    merged: dict[tuple[object, ...], tuple[_What, list[Variant]]] = {}
    for (_, *same), (what, variants) in found.items():
        merged.setdefault((where(what), *same), (what, []))[1].extend(variants)
    return list(merged.values())


def counted(variants: Sequence[Variant]) -> str:
    """`3 variants of ubuntu`, or `of` several families."""
    families = list(dict.fromkeys(variant.family.name for variant in variants))
    return f"{count(len(variants), 'variant')} of {few(families, 3)}"
