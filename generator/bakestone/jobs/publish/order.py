"""In which order variants are built, and how many in one call of bake."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bakestone.core.matrix.variant import Variant

MAX_TARGETS = 100
"""Most targets in one call: from about 170 on the docker driver fails with "no such job"
(buildx#3810).
"""

_STAGE = re.compile(r"^FROM \S+ AS (\S+)$", re.MULTILINE)
_OWN = ("image", "inventory", "base")


def stage_texts(dockerfile: str) -> dict[str, str]:
    """Stage name -> its text, for the named stages of a Dockerfile."""
    marks = list(_STAGE.finditer(dockerfile))
    ends = [m.start() for m in marks[1:]] + [len(dockerfile)]
    return {
        m[1]: dockerfile[m.start() : end].split("\nFROM ", 1)[0].rstrip()
        for m, end in zip(marks, ends, strict=True)
    }


def order(variants: Sequence[Variant], dockerfiles: dict[str, str]) -> list[Variant]:
    """Variants that share stages next to each other, so that a chunk builds each stage once."""

    def key(variant: Variant) -> tuple[object, ...]:
        stages = stage_texts(dockerfiles[variant.name])
        shared = sorted(text for name, text in stages.items() if name not in _OWN)
        return (variant.base.ref, shared, variant.name)

    return sorted(variants, key=key)


def chunks(variants: Sequence[Variant], size: int) -> Iterator[list[Variant]]:
    """The variants in calls of at most `size` targets."""
    size = min(size, MAX_TARGETS)
    for start in range(0, len(variants), size):
        yield list(variants[start : start + size])


def hit_by(
    stage: str, name: str, remaining: Sequence[Variant], dockerfiles: dict[str, str]
) -> list[Variant]:
    """The variants that fail as well when `stage` of the variant `name` failed: those with the same
    stage text.
    """
    text = stage_texts(dockerfiles[name]).get(stage)
    if text is None or stage in ("image", "inventory"):
        return [v for v in remaining if v.name == name]
    return [
        v
        for v in remaining
        if v.name == name or stage_texts(dockerfiles[v.name]).get(stage) == text
    ]
