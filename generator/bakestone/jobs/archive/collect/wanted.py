"""What a selection needs from outside, each thing with the variants that need it.

No network, no disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bakestone.core.documents.words import few
from bakestone.core.library.catalog import Library
from bakestone.core.lock import demand
from bakestone.core.lock.demand import Demand, Users
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import PackageSet
from bakestone.core.matrix.variant import Variant
from bakestone.errors import BakestoneError, Finding
from bakestone.jobs.archive.catalog import FILE, KEY, WHEEL, ArchivedBlob


@dataclass(frozen=True)
class Packages:
    """A package set on one platform."""

    wanted: PackageSet
    platform: str
    variants: tuple[str, ...]

    @property
    def manager(self) -> str:
        """The package manager of its distro: apt or dnf."""
        return self.wanted.distro.package_manager


@dataclass(frozen=True)
class WantedParts:
    """Everything. `images` maps a base's reference to who needs it; `keyrings` is the one on which
    the keyrings of packages' vendors are made.

    `blobs` are files, wheels and keys of package repositories with what the lock says of them. A
    key whose file nobody could fetch for the lock has no digest yet.
    """

    images: dict[str, Users]
    blobs: tuple[ArchivedBlob, ...]
    packages: tuple[Packages, ...]
    keyrings: str


def of(variants: Iterable[Variant], library: Library, lock: Lock) -> WantedParts:
    """What the variants need, as the lock pins it.

    Raises `BakestoneError` for what an archive cannot hold.
    """
    needed = demand.of(sorted(variants, key=lambda v: v.name), library)
    _check(needed.bases, lock)
    _check_environments(needed, lock)
    blobs = []
    for url, (_, users) in sorted(needed.artifacts.items()):
        sha256, size = lock.artifacts[url].sha256, lock.artifacts[url].size
        blobs.append(ArchivedBlob(FILE, url, f"sha256:{sha256}", size, variants=users.names))
    keys: dict[tuple[str, str], set[str]] = {}
    for name, (repository, users) in needed.repositories.items():
        sha256 = lock.keyrings[name].sha256
        digest = f"sha256:{sha256}" if sha256 else ""
        keys.setdefault((repository.key, digest), set()).update(users.names)
    for (url, digest), names in sorted(keys.items()):
        blobs.append(ArchivedBlob(KEY, url, digest, 0, variants=tuple(sorted(names))))
    for key, (_, users) in sorted(needed.wheels.items()):
        files = lock.wheels[key].files
        for platform in sorted(set(users.platforms) & set(files)):
            name, sha256, size = files[platform]
            blobs.append(ArchivedBlob(WHEEL, name, f"sha256:{sha256}", size, variants=users.names))
    known = {blob.digest for blob in blobs}
    for key, (_, users) in sorted(needed.environments.items()):
        for platform in sorted(set(users.platforms) & set(lock.environments[key].files)):
            for name, sha256, size in lock.environments[key].files[platform]:
                if f"sha256:{sha256}" not in known:
                    known.add(f"sha256:{sha256}")
                    digest = f"sha256:{sha256}"
                    blobs.append(ArchivedBlob(WHEEL, name, digest, size, variants=users.names))
    packages = [
        Packages(_on(platform, wanted), platform, users.names)
        for wanted, users in sorted(needed.sets.items(), key=lambda pair: _order(pair[0]))
        if wanted.names
        for platform in sorted(users.platforms)
    ]
    images = dict(sorted(needed.bases.items()))
    return WantedParts(images, tuple(blobs), tuple(packages), needed.keyrings)


def _order(wanted: PackageSet) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return wanted.base, wanted.names, tuple(r.name for r in wanted.repositories)


def _on(platform: str, wanted: PackageSet) -> PackageSet:
    theirs = tuple(r for r in wanted.repositories if r.platform in ("", platform))
    return replace(wanted, repositories=theirs)


def _check_environments(needed: Demand, lock: Lock) -> None:
    findings = [
        Finding(
            f"an archive holds no source distributions: {few(lock.environments[key].sources, 3)}",
            "put wheels of them on an index of your own, or select other variants",
            name=", ".join(users.names[:5]),
        )
        for key, (_, users) in needed.environments.items()
        if lock.environments[key].sources
    ]
    if findings:
        raise BakestoneError(findings)


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
