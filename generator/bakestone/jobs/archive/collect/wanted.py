"""What a selection needs from outside, each thing with the variants that need it.

No network, no disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Repository
from bakestone.core.lock import survey
from bakestone.core.lock.model import Lock
from bakestone.core.lock.needs import PackageSet
from bakestone.core.matrix.variant import Variant
from bakestone.errors import BakestoneError, Finding


@dataclass
class Users:
    """The variants that need something, and the platforms that they need it for."""

    variants: set[str] = field(default_factory=set)
    platforms: set[str] = field(default_factory=set)

    def add(self, variant: Variant) -> None:
        """One more."""
        self.variants.add(variant.name)
        self.platforms.update(variant.platforms)

    @property
    def names(self) -> tuple[str, ...]:
        """The variants in a fixed order."""
        return tuple(sorted(self.variants))


@dataclass(frozen=True)
class Packages:
    """A package set on one platform.

    `keyrings` is the reference of the image on which its vendors' keyrings are made.
    """

    wanted: PackageSet
    platform: str
    variants: tuple[str, ...]
    keyrings: str = ""

    @property
    def manager(self) -> str:
        """The package manager of its distro: apt or dnf."""
        return str(self.wanted.distro.component.data.get("package_manager", "apt"))


@dataclass(frozen=True)
class WantedFile:
    """A file by URL; `sha256` is empty for the key of a package repository, which the library knows
    by its fingerprint.
    """

    url: str
    sha256: str
    size: int
    variants: tuple[str, ...]


@dataclass(frozen=True)
class WheelFile:
    """A wheel's file of one platform; `text` is NAME==VERSION."""

    text: str
    filename: str
    sha256: str
    size: int
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """Everything. `images` maps a base's reference to who needs it, `repositories` are the vendors'
    that packages come from.
    """

    images: dict[str, Users]
    files: tuple[WantedFile, ...]
    wheels: tuple[WheelFile, ...]
    packages: tuple[Packages, ...]
    repositories: tuple[Repository, ...]


def of(variants: Iterable[Variant], library: Library, lock: Lock) -> Wanted:
    """What the variants need, as the lock pins it.

    Raises `BakestoneError` for what an archive cannot hold.
    """
    images: dict[str, Users] = {}
    files: dict[str, Users] = {}
    wheels: dict[str, Users] = {}
    keys: dict[str, Users] = {}
    sets: dict[tuple[str, tuple[str, ...], tuple[str, ...]], tuple[PackageSet, str, Users]] = {}
    repositories: dict[str, Repository] = {}
    asked = survey.Survey(library)
    for variant in variants:
        needs = survey.collect([variant], library)
        keyrings = asked.keyrings(variant)
        for ref in needs.bases:
            images.setdefault(ref, Users()).add(variant)
        for url in needs.artifacts:
            files.setdefault(url, Users()).add(variant)
        for key in needs.wheels:
            wheels.setdefault(key, Users()).add(variant)
        for repository in needs.repositories.values():
            keys.setdefault(repository.key, Users()).add(variant)
            repositories[repository.name] = repository
        for ref, named in needs.packages.items():
            for names, wanted in named.items():
                key3 = (ref, names, tuple(r.name for r in wanted.repositories))
                builder = keyrings.builder.ref if keyrings and wanted.repositories else ""
                sets.setdefault(key3, (wanted, builder, Users()))[2].add(variant)
    _check(images, lock)
    return Wanted(
        dict(sorted(images.items())),
        tuple(
            WantedFile(url, lock.artifacts[url].sha256, lock.artifacts[url].size, users.names)
            for url, users in sorted(files.items())
        )
        + tuple(WantedFile(url, "", 0, users.names) for url, users in sorted(keys.items())),
        tuple(
            WheelFile(key.partition(" ")[0], *lock.wheels[key].files[platform], users.names)
            for key, users in sorted(wheels.items())
            for platform in sorted(users.platforms & set(lock.wheels[key].files))
        ),
        tuple(
            Packages(_for(wanted, platform), platform, users.names, builder)
            for _, (wanted, builder, users) in sorted(sets.items())
            if wanted.names
            for platform in sorted(users.platforms)
        ),
        tuple(repositories[name] for name in sorted(repositories)),
    )


def _for(wanted: PackageSet, platform: str) -> PackageSet:
    return replace(
        wanted, repositories=tuple(r for r in wanted.repositories if r.platform in ("", platform))
    )


def _check(images: dict[str, Users], lock: Lock) -> None:
    findings = [
        Finding(
            f"{ref} has no digest in the lock: nobody could tell whether what comes out of an"
            " archive is what went in",
            "lock it where its registry or a mirror answers, or select other variants",
            name=", ".join(users.names[:5]),
        )
        for ref, users in images.items()
        if not lock.bases[ref].digest
    ]
    if findings:
        raise BakestoneError(findings)
