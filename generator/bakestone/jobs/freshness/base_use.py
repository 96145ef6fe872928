"""What each base image is used for: by which variants, on which platforms, with which packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bakestone.core.library.catalog import Library
from bakestone.core.lock.needs import PackageSet
from bakestone.core.lock.survey import Survey
from bakestone.core.matrix.variant import Variant


@dataclass
class BaseUse:
    """A base image's use: the variants built on it, all that it has a part in, and the package sets
    with theirs.
    """

    images: dict[str, Variant] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    platforms: set[str] = field(default_factory=set)
    sets: dict[tuple[str, ...], PackageSet] = field(default_factory=dict)
    users: dict[tuple[str, ...], dict[str, bool]] = field(default_factory=dict)
    """Package set -> variant -> whether it is installed in the image itself."""


def uses_of(variants: Sequence[Variant], library: Library) -> dict[str, BaseUse]:
    """Base image -> its use by these variants."""
    survey = Survey(library)
    uses: dict[str, BaseUse] = {}

    def add(variant: Variant, packages: PackageSet, *, image: bool) -> None:
        use = uses.setdefault(packages.base, BaseUse())
        use.variants[variant.name] = variant
        use.platforms.update(variant.platforms)
        use.sets[packages.names] = packages
        users = use.users.setdefault(packages.names, {})
        users[variant.name] = image or users.get(variant.name, False)

    for variant in variants:
        for packages in (
            survey.base_packages(variant),
            *(v.packages for v in survey.vendor_packages(variant)),
        ):
            add(variant, packages, image=True)
            uses[packages.base].images[variant.name] = variant
        keyrings = survey.keyrings(variant)
        for packages in (
            *(s.packages for s in survey.stages(variant)),
            *([keyrings.packages] if keyrings else []),
        ):
            add(variant, packages, image=False)
    return uses
