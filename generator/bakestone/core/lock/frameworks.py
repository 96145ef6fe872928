"""The rule `python.environment`: where an image's libraries are others than a framework's wheel
asks for, which is a warning.

A family names the frameworks that its images are for; the lock has what their wheels ask for. Such
an environment works all the same as long as its wheels bring libraries of their own; what differs
is loaded twice, or found first on the library path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bakestone.core.lock.lock import Lock, LockedFramework
from bakestone.core.matrix.checks.families import counted, together
from bakestone.core.matrix.conditions import python
from bakestone.core.matrix.variant import Variant
from bakestone.errors import Finding, Position

RULE = "python.environment"


@dataclass(frozen=True)
class UnmetPin:
    """What a framework asks for and a variant has otherwise, with the wheel that says so."""

    framework: str
    message: str
    source: str
    where: Position


def differences(variant: Variant, lock: Lock) -> Iterator[UnmetPin]:
    """Each pin of the family's frameworks that the variant's libraries, or its Python, do not meet.

    A slot that is empty meets all: the environment brings the library itself. So does a framework
    that the lock does not have yet.
    """
    for name, where in variant.family.frameworks.items():
        locked = lock.frameworks.get(name)
        if locked:
            source = f"METADATA of {locked.wheel}, sha256:{locked.sha256}"
            for otherwise in _otherwise(variant, locked):
                yield UnmetPin(name, f"{name} {otherwise}", source, where)


def _otherwise(variant: Variant, locked: LockedFramework) -> Iterator[str]:
    # parsing requirements takes 20 ms, which few commands need
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    from bakestone.core.library import projects

    for text in locked.requires:
        wanted = Requirement(text)
        slot = projects.slot_of(wanted)
        chosen = variant.slots.get(slot)
        if chosen:
            number = projects.number(slot, wanted, chosen.version)
            if not number or not wanted.specifier.contains(number, prereleases=True):
                yield f"asks for {text}, and the image has {chosen.text}"
    minor = python(variant.slots)
    if minor and locked.pythons and minor not in locked.pythons:
        ends = dict.fromkeys((locked.pythons[0], locked.pythons[-1]))
        yield f"has wheels for Python {' to '.join(ends)}, and the image has {minor}"
    elif minor and not SpecifierSet(locked.python).contains(minor):
        yield f"asks for Python {locked.python}, and the image has {minor}"


def warnings(variants: Iterable[Variant], lock: Lock) -> list[Finding]:
    """The differences of some variants: one for a family and what does not meet."""
    found: dict[tuple[str, ...], tuple[UnmetPin, list[Variant]]] = {}
    for variant in variants:
        for difference in differences(variant, lock):
            key = (variant.family.name, difference.message)
            found.setdefault(key, (difference, []))[1].append(variant)
    return [
        Finding(
            f"{different.message} (rule {RULE}; source: {different.source}); {counted(those)}",
            f"`bakestone versions --for '{different.framework}'` gives what goes with it",
            different.where,
            severity="warning",
        )
        for different, those in together(found, lambda different: different.where)
    ]


def unknown(variants: Iterable[Variant], lock: Lock) -> list[Finding]:
    """The frameworks of which the lock does not say yet what they ask for."""
    wanted = {name: at for v in variants for name, at in v.family.frameworks.items()}
    return [
        Finding(
            f"the lock does not have what {name} asks for",
            "run `bakestone lock`, which asks the package index",
            where,
            severity="warning",
        )
        for name, where in wanted.items()
        if name not in lock.frameworks
    ]
