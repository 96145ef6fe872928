"""A driver of the machines that is older than the one that a CUDA was made for, and new enough for
minor-version compatibility: what works there and what does not is NVIDIA's word, not a fault.
"""

from __future__ import annotations

from collections.abc import Iterable

from bakestone.core.documents.patterns import matches
from bakestone.core.matrix.checks.families import counted, together
from bakestone.core.matrix.variant import Chosen, Variant
from bakestone.errors import Finding

SOURCE = "docs.nvidia.com/deploy/cuda-compatibility"


def warnings(variants: Iterable[Variant]) -> list[Finding]:
    """One for each family and CUDA whose own driver is newer than the one that the family states.

    A driver older than `driver_minimum` is refused by rules, and not told here.
    """
    found: dict[tuple[str, ...], tuple[Chosen, list[Variant]]] = {}
    for variant in variants:
        stated, needed = variant.family.host.get("driver"), variant.driver
        if not stated or not needed or matches(needed["toolkit"], "", stated):
            continue
        cuda = variant.slots["cuda"]
        found.setdefault((variant.family.name, cuda.pin, stated), (cuda, []))[1].append(variant)
    return [
        Finding(
            f"driver {those[0].family.host['driver']} of the machines is older than the"
            f" {those[0].driver['toolkit'].removeprefix('>=')} that {cuda.pin} is made for: by"
            " minor-version compatibility it runs, but for code that the driver has to compile"
            f" (PTX) and for functions that came later; {counted(those)}",
            f"all of it runs with a driver {those[0].driver['toolkit']} (source: {SOURCE})",
            cuda.where,
            severity="warning",
        )
        for cuda, those in together(found, lambda cuda: cuda.where)
    ]
