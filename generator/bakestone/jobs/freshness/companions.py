"""What has to change along with a version so that the rules hold: cuDNN and NCCL with CUDA."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from bakestone.core.matrix import methods, nearest
from bakestone.core.matrix.checks import profiles, rules
from bakestone.core.matrix.conditions import slots_of
from bakestone.core.matrix.expansion import Expansion, Matrix
from bakestone.core.matrix.nearest import Changes
from bakestone.core.matrix.variant import Chosen, Variant

LIMITS = (40, 40, 12)
"""How many neighbouring versions of each slot are tried, when one, two or three slots change along:
some 2,000 combinations at most.
"""

Picked = Mapping[str, Chosen]
"""Slot -> what it becomes."""


class Judge:
    """Whether variants of a matrix would pass with other versions in some of their slots."""

    def __init__(self, matrix: Matrix) -> None:
        known, _ = profiles.load(matrix.spec.families, matrix.spec.folder, matrix.library)
        self._work = {
            family.name: Expansion(family, matrix.library, known) for family in matrix.spec.families
        }
        self._decisions: defaultdict[str, methods.Decisions] = defaultdict(dict)

    def passes(self, variants: Sequence[Variant], changes: Changes) -> bool:
        """Whether every one of them breaks no rule, can be installed, fits its profiles, and is
        packaged together as it was before: what is offered is no guess.
        """
        return all(
            self._work[v.family.name].passes(nearest.applied(v.slots, changes)) for v in variants
        ) and not self.doubts(variants, changes)

    def doubts(self, variants: Sequence[Variant], changes: Changes) -> list[str]:
        """What nobody packaged so, each once, and that is not so already."""
        found: dict[str, str] = {}
        for variant in variants:
            host, slots = variant.family.host, nearest.applied(variant.slots, changes)
            before = {doubt.rule.id for doubt in rules.doubts(variant.slots, host)}
            for doubt in rules.doubts(slots, host):
                if doubt.rule.id not in before:
                    found.setdefault(doubt.rule.id, doubt.message)
        return list(found.values())

    def moved(self, variants: Sequence[Variant], changes: Changes) -> dict[str, tuple[str, str]]:
        """The slots that would be installed in another way: slot -> method before and after, of the
        first variant where it is so.
        """
        found: dict[str, tuple[str, str]] = {}
        for variant in variants:
            family, slots = variant.family, nearest.applied(variant.slots, changes)
            settled, _, _ = methods.settle(family, slots, self._decisions[family.name])
            for slot, chosen in settled.items():
                before = variant.slots.get(slot, chosen)
                if before.method != chosen.method:
                    found.setdefault(slot, (before.method, chosen.method))
        return found


def find(
    judge: Judge, variants: Sequence[Variant], fixed: Picked, free: Sequence[str]
) -> Picked | None:
    """The nearest versions of the slots in `free` with which all variants pass;

    None when there are none.

    `fixed` has the slots that are given. The variants have one version in each of these slots. Of
    those that pass, the ones are taken with which everything is still installed as before, and of
    these the nearest to what is there now.
    """
    passing: list[tuple[int, Picked]] = []
    for changes in _combinations(variants, fixed, free):
        if judge.passes(variants, {**fixed, **changes}):
            moved = len(judge.moved(variants, {**fixed, **changes}))
            passing.append((moved, changes))
            if not moved:
                break
    return min(passing, key=lambda found: found[0], default=(0, None))[1]


def _combinations(
    variants: Sequence[Variant], fixed: Picked, free: Sequence[str]
) -> Iterator[Picked]:
    """Versions for the free slots that have to do with the fixed ones, the nearest first; a slot
    that stays is not among them.
    """
    if not variants:
        return
    slots = [
        slot
        for slot in free
        if all(slot in v.slots and _related(v.slots[slot], fixed) for v in variants)
    ][: len(LIMITS)]
    limit = LIMITS[len(slots) - 1] if slots else 0
    options = [[(0, None), *_beside(variants[0].slots[slot], fixed, limit)] for slot in slots]
    for combination in sorted(
        product(*options), key=lambda parts: sum(distance for distance, _ in parts)
    ):
        yield {
            slot: chosen
            for slot, (_, chosen) in zip(slots, combination, strict=True)
            if chosen is not None
        }


def _beside(chosen: Chosen, fixed: Picked, limit: int) -> Iterator[tuple[int, Chosen]]:
    """The nearest other versions that no rule between them and the fixed slots alone refuses: of
    a component with many versions the nearest by themselves may all be of another line.
    """
    others = nearest.neighbours(chosen, len(chosen.component.versions))
    return islice(((far, other) for far, other in others if _goes(other, fixed)), limit)


def _goes(chosen: Chosen, fixed: Picked) -> bool:
    slots = {**fixed, chosen.slot: chosen}
    return all(
        {slot for key in (*broken.rule.when, *broken.rule.require) for slot in slots_of(key)}
        - slots.keys()
        for broken in rules.refusals(slots, {})
    )


def _related(chosen: Chosen, fixed: Picked) -> bool:
    """Whether a rule, a method or an image of one looks at the other; git does not at CUDA."""
    return any(
        other.slot in _sees(chosen) or chosen.slot in _sees(other) for other in fixed.values()
    )


def _sees(chosen: Chosen) -> set[str]:
    """The slots that what is known of a component and its version looks at."""
    keys = (*chosen.component.rule_keys, *chosen.component.method_keys, *chosen.version.conditions)
    return {slot for key in keys for slot in slots_of(key)} | set(chosen.version.companions)
