"""What each base image is used for: by which variants, on which platforms, with which packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bakestone.core.library.catalog import Library
from bakestone.core.lock.needs import PackageSet
from bakestone.core.lock.survey import Survey
from bakestone.core.matrix.variant import Variant

InImage = dict[str, bool]
"""Variant -> whether it has something in the image itself, not in build stages alone."""


@dataclass
class BaseUse:
    """The users of a base image, and those of each set of packages on it."""

    variants: InImage = field(default_factory=dict)
    platforms: set[str] = field(default_factory=set)
    sets: dict[PackageSet, InImage] = field(default_factory=dict)


def uses_of(variants: Sequence[Variant], library: Library) -> dict[str, BaseUse]:
    """Base image -> its use by these variants."""
    survey = Survey(library)
    uses: dict[str, BaseUse] = {}
    for variant in variants:
        vendors, keyrings = survey.vendor_packages(variant), survey.keyrings(variant)
        inside = [survey.base_packages(variant), *(vendor.packages for vendor in vendors)]
        stages = [stage.packages for stage in survey.stages(variant)]
        for packages in (*inside, *stages, *([keyrings.packages] if keyrings else [])):
            use = uses.setdefault(packages.base, BaseUse())
            use.platforms.update(variant.platforms)
            for users in (use.variants, use.sets.setdefault(packages, {})):
                users[variant.name] = packages in inside or users.get(variant.name, False)
    return uses
