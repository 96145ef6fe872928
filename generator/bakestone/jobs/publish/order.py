"""In which order variants are built, and how many in one call of bake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakestone.core.render.dockerfile import OWN
from bakestone.core.render.plan import PlannedVariant

MAX_TARGETS = 100
"""Most targets in one call: from about 170 on the docker driver fails with "no such job"
(buildx#3810).
"""


def order(variants: Sequence[PlannedVariant]) -> list[PlannedVariant]:
    """Variants that share stages next to each other, so that a chunk builds each stage once."""
    return sorted(variants, key=lambda v: (v.variant.base.ref, v.stages["base"], v.shared, v.name))


def chunks(variants: Sequence[PlannedVariant], size: int) -> Iterator[list[PlannedVariant]]:
    """The variants in calls of at most `size` targets."""
    size = min(size, MAX_TARGETS)
    for start in range(0, len(variants), size):
        yield list(variants[start : start + size])


def hit_by(
    stage: str, first: PlannedVariant, remaining: Sequence[PlannedVariant]
) -> list[PlannedVariant]:
    """The variants that fail as well when `stage` of the variant `first` failed: those that have
    the same stage.
    """
    identity = None if stage in OWN else first.stages.get(stage)
    return [v for v in remaining if v == first or (identity and v.stages.get(stage) == identity)]
