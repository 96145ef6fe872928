"""What the selected variants need from outside, and which of them need each thing. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Repository
from bakestone.core.lock import survey
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import Artifact, Environment, PackageSet, Wheel
from bakestone.core.matrix.variant import Variant


@dataclass
class Users:
    """Variants by name, and the platforms that they need a thing for."""

    variants: dict[str, None] = field(default_factory=dict)
    platforms: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, variant: Variant) -> None:
        """One more variant that needs it."""
        self.variants[variant.name] = None
        for platform in variant.platforms:
            self.platforms.setdefault(platform, {})[variant.name] = None

    @property
    def names(self) -> tuple[str, ...]:
        """The variants."""
        return tuple(self.variants)

    def on(self, platform: str) -> tuple[str, ...]:
        """The variants that need it for a platform."""
        return tuple(self.platforms.get(platform, ()))


@dataclass
class Demand:
    """Each thing once, with its users."""

    variants: list[Variant]
    bases: dict[str, Users] = field(default_factory=dict)
    sets: dict[PackageSet, Users] = field(default_factory=dict)
    artifacts: dict[str, tuple[Artifact, Users]] = field(default_factory=dict)
    wheels: dict[str, tuple[Wheel, Users]] = field(default_factory=dict)
    repositories: dict[str, tuple[Repository, Users]] = field(default_factory=dict)
    environments: dict[str, tuple[Environment, Users]] = field(default_factory=dict)
    images: dict[str, Users] = field(default_factory=dict)
    """Family -> its variants: where their images go."""
    keyrings: str = ""
    """The base on which the vendors' keyrings are made; empty where no vendor is asked."""

    @property
    def names(self) -> tuple[str, ...]:
        """All variants, in the order of the matrix."""
        return tuple(v.name for v in self.variants)

    @property
    def platforms(self) -> Users:
        """Which variants are built for which platform."""
        users = Users()
        for variant in self.variants:
            users.add(variant)
        return users

    def base_users(self, refs: Iterable[str]) -> tuple[str, ...]:
        """The variants that need any of these base images."""
        return tuple(dict.fromkeys(name for ref in refs for name in self.bases[ref].names))


def of(variants: list[Variant], library: Library) -> Demand:
    """What these variants need. Raises `BakestoneError` when a builder image is unknown."""
    demand, shared, builder = Demand(variants), survey.Survey(library), ""
    for variant in variants:
        needs = survey.collect([variant], library, shared)
        sets = [packages for of_base in needs.packages.values() for packages in of_base.values()]
        demand.images.setdefault(variant.family.name, Users()).add(variant)
        for ref in needs.bases:
            demand.bases.setdefault(ref, Users()).add(variant)
        for packages in sets:
            demand.sets.setdefault(packages, Users()).add(variant)
        for url, artifact in needs.artifacts.items():
            demand.artifacts.setdefault(url, (artifact, Users()))[1].add(variant)
        for key, wheel in needs.wheels.items():
            demand.wheels.setdefault(key, (wheel, Users()))[1].add(variant)
        for key, (environment, _) in needs.environments.items():
            demand.environments.setdefault(key, (environment, Users()))[1].add(variant)
        for name, repository in needs.repositories.items():
            demand.repositories.setdefault(name, (repository, Users()))[1].add(variant)
        keyrings = shared.keyrings(variant)
        builder = keyrings.builder.ref if keyrings else builder
    return replace(demand, keyrings=builder)


def in_lock(demand: Demand, lock: Lock) -> Demand:
    """The same less what a stale lock does not have: that is a finding of its own."""
    return replace(
        demand,
        bases={ref: users for ref, users in demand.bases.items() if ref in lock.bases},
        sets={
            packages: users
            for packages, users in demand.sets.items()
            if packages.base in lock.packages and packages.base in lock.bases
        },
        artifacts={url: pair for url, pair in demand.artifacts.items() if url in lock.artifacts},
        wheels={key: pair for key, pair in demand.wheels.items() if key in lock.wheels},
        environments={k: pair for k, pair in demand.environments.items() if k in lock.environments},
    )
