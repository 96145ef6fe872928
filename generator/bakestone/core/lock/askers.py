"""Who asks for a distro package: families and components, for messages about one that is not there.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from bakestone.core.documents.words import few
from bakestone.core.library.catalog import Library
from bakestone.core.lock.survey import Survey
from bakestone.core.matrix.checks import profiles
from bakestone.core.matrix.variant import DEVEL, Variant


def askers(
    variants: Iterable[Variant], library: Library, base: str, names: Iterable[str]
) -> list[str]:
    """The families and components that ask for any of the packages on a base image, each once."""
    wanted, survey, found = set(names), Survey(library), dict[str, None]()
    for variant in variants:
        if variant.base.ref == base:
            for role in {variant.role, DEVEL}:
                for who, packages in profiles.askers(variant.family, variant.slots, role):
                    if not wanted.isdisjoint(packages):
                        found[who] = None
        for stage in survey.stages(variant):
            if stage.builder.ref == base and not wanted.isdisjoint(stage.packages.names):
                found[f"{stage.chosen.text} by {stage.chosen.method}"] = None
    return list(found)


def sentence(found: list[str], distro: str) -> str:
    """`family new and git@2.39.5 ask for it on debian@13`; empty when nobody is known to."""
    if not found:
        return ""
    verb = "asks" if len(found) == 1 else "ask"
    return f"; {few(found)} {verb} for it on {distro}"
