"""Spec + library -> variants: the product of the axes, less the excludes, plus the includes.

Pure: no network, no clock, no disk beyond the library's own data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bakestone.core.library.catalog import Library
from bakestone.core.matrix.checks import profiles, terms
from bakestone.core.matrix.expansion import Expansion
from bakestone.core.matrix.spec import Spec
from bakestone.core.matrix.variant import Chosen, Excluded, Variant, slot_rank
from bakestone.errors import BakestoneError, Finding


@dataclass
class Matrix:
    """All variants of a file, in the order of the file, and the combinations it leaves out."""

    spec: Spec
    library: Library
    variants: list[Variant] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)


def expand(spec: Spec, library: Library) -> Matrix:
    """Every variant of the file. Raises `BakestoneError` with all findings of all families."""
    matrix = Matrix(spec, library)
    known, findings = profiles.load(spec.families, spec.folder, library)
    findings += terms.unknown(spec.families, library)
    for family in spec.families:
        work = Expansion(family, library, known)
        try:
            work.run()
        except BakestoneError as problem:
            findings += [*work.findings, *problem.findings]
            continue
        findings += work.findings
        matrix.variants += work.variants
        matrix.excluded += work.excluded
    findings += _duplicates(matrix.variants)
    if findings:
        raise BakestoneError(findings)
    return matrix


def _duplicates(variants: list[Variant]) -> Iterator[Finding]:
    first: dict[str, Variant] = {}
    for variant in variants:
        for key in {variant.name, variant.target}:
            other = first.setdefault(key, variant)
            if other is variant:
                continue
            differing = [
                f"{slot} is {_text(other.slots, slot)} and {_text(variant.slots, slot)}"
                for slot in sorted({*other.slots, *variant.slots}, key=slot_rank)
                if _text(other.slots, slot) != _text(variant.slots, slot)
            ]
            what = (
                "; ".join(differing)
                or f"they are in the families {other.family.name} and {variant.family.name}"
            )
            where = next(
                (
                    variant.slots[s].where
                    for s in variant.slots
                    if _text(other.slots, s) != _text(variant.slots, s)
                ),
                variant.family.where,
            )
            yield Finding(
                f"two variants are named {variant.name}: {what}",
                "name the slot that differs in `name_slots`, or leave one out with `exclude`",
                where,
            )
            break


def _text(slots: dict[str, Chosen], slot: str) -> str:
    return slots[slot].text if slot in slots else "none"
