"""The lock: what every name in images.yaml resolved to, and whether it still fits the matrix."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bakestone.core.lock.needs import Needs
from bakestone.errors import BakestoneError, Finding

LIBRARY, REGISTRY, IMAGE, SNAPSHOT, CLOCK = "library", "registry", "image", "snapshot", "clock"
"""Where an entry is from: the component library, a registry, the package manager inside the base
image, a snapshot
service that was asked, and the clock where no snapshot service answered."""


@dataclass(frozen=True)
class LockedBase:
    """A base image. `digest` goes behind FROM; empty when nobody knows it (`note` says why).

    `provides` is what it was wanted with: slot -> version, of an image that brings more than a
    distro.
    """

    digest: str
    platforms: dict[str, str]
    resolved_from: str
    resolved: str
    epoch: int = 0
    note: str = ""
    provides: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LockedPackages:
    """How the packages on one base are pinned.

    `snapshot`: the archive as it was at a time. `versions`: platform -> direct names -> {package:
    version}, all that one installation brings, resolved inside the base. `frozen`: an archive that
    no longer changes, with the direct versions that are known. `install` are the direct names of
    each installation that was asked for; with `versions` they are in there.
    """

    pins: str
    distro: str
    resolved: str
    snapshot: str = ""
    versions: dict[str, dict[tuple[str, ...], dict[str, str]]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    resolved_from: str = ""
    note: str = ""
    install: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class LockedWheel:
    """A wheel: platform -> (filename, sha256, size)."""

    files: dict[str, tuple[str, str, int]]
    resolved_from: str = ""
    resolved: str = ""


@dataclass(frozen=True)
class LockedArtifact:
    """A file: its checksum, its size in bytes (0 when unknown), and which component asks for it."""

    sha256: str
    size: int
    component: str
    resolved_from: str = ""
    resolved: str = ""


@dataclass(frozen=True)
class LockedKeyring:
    """The key of a vendor's package repository: where it is, and the fingerprint that it must have."""

    url: str
    fingerprint: str
    resolved_from: str = ""
    resolved: str = ""


@dataclass
class Lock:
    """The whole file. `selection` is what it was made for; empty means every variant."""

    inputs: str = ""
    selection: tuple[str, ...] = ()
    bases: dict[str, LockedBase] = field(default_factory=dict)
    packages: dict[str, LockedPackages] = field(default_factory=dict)
    artifacts: dict[str, LockedArtifact] = field(default_factory=dict)
    wheels: dict[str, LockedWheel] = field(default_factory=dict)
    keyrings: dict[str, LockedKeyring] = field(default_factory=dict)


def check_fresh(lock: Lock, needs: Needs, path: Path) -> None:
    """Raise `BakestoneError` when the lock was not made for these needs; says what changed."""
    findings = stale(lock, needs, path)
    if findings:
        raise BakestoneError(findings)


def stale(lock: Lock, needs: Needs, path: Path) -> list[Finding]:
    """A finding for each thing that the lock lacks, has too much, or has otherwise than it is
    wanted.

    The entries are looked at even when the input hash fits: one that was taken out or altered by
    hand is told too.
    """
    changes = [
        *_bases(lock, needs),
        *_packages(lock, needs),
        *_files(lock, needs),
        *_keyrings(lock, needs),
    ]
    if not changes and lock.inputs != needs.fingerprint():
        changes = [
            "images.yaml or the component library asks for something else than it was made for"
        ]
    return [
        Finding(
            f"the lock is stale: {change}",
            "run `bakestone lock`, then `bakestone generate`",
            name=str(path),
        )
        for change in changes
    ]


def _bases(lock: Lock, needs: Needs) -> list[str]:
    changes = []
    for ref, base in needs.bases.items():
        locked = lock.bases.get(ref)
        if locked is None:
            changes.append(f"{ref} is not in it")
            continue
        missing = sorted(needs.platforms[ref] - set(locked.platforms)) if locked.platforms else []
        if missing:
            changes.append(
                f"{ref} is in it for {', '.join(sorted(locked.platforms))}, and not for"
                f" {', '.join(missing)}"
            )
        if locked.provides and locked.provides != base.provides:
            changes.append(
                f"{ref} is in it with {_contents(locked.provides)}, and is wanted with"
                f" {_contents(base.provides)}"
            )
    return changes + [f"{ref} is no longer used" for ref in lock.bases if ref not in needs.bases]


def _contents(provides: dict[str, str]) -> str:
    return (
        " + ".join(f"{slot} {version}" for slot, version in sorted(provides.items()))
        or "nothing but its distro"
    )


def _packages(lock: Lock, needs: Needs) -> list[str]:
    changes = []
    for ref, sets in needs.packages.items():
        locked = lock.packages.get(ref)
        if locked is None:
            if ref in lock.bases:
                changes.append(f"the packages on {ref} are not in it")
        elif locked.pins == "versions":
            for platform in sorted(needs.platforms[ref]):
                have = locked.versions.get(platform, {})
                changes += [
                    f"the packages {_names(names)} on {ref} for {platform} are not in it"
                    for names in sets
                    if names not in have
                ]
                changes += [
                    f"the packages {_names(names)} on {ref} for {platform} are no longer used"
                    for names in have
                    if names not in sets
                ]
        elif locked.install:
            changes += [
                f"the packages {_names(names)} on {ref} are not in it"
                for names in sets
                if names not in locked.install
            ]
            changes += [
                f"the packages {_names(names)} on {ref} are no longer used"
                for names in locked.install
                if names not in sets
            ]
    return changes


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + ("..." if len(names) > 4 else "")


def _files(lock: Lock, needs: Needs) -> list[str]:
    changes = []
    for url, artifact in needs.artifacts.items():
        if url not in lock.artifacts:
            changes.append(f"{artifact.component}: {artifact.filename} is not in it")
        elif lock.artifacts[url].sha256 != artifact.sha256:
            changes.append(
                f"{artifact.component}: {artifact.filename} has another checksum in the library"
            )
    changes += [
        f"{a.component}: {url.rsplit('/', 1)[-1]} is no longer used"
        for url, a in lock.artifacts.items()
        if url not in needs.artifacts
    ]
    for text, wheel in needs.wheels.items():
        if text not in lock.wheels:
            changes.append(f"the wheel {text} is not in it")
        elif {p: f[:2] for p, f in lock.wheels[text].files.items()} != {
            p: f[:2] for p, f in wheel.files
        }:
            changes.append(f"the wheel {text} has other files in the library")
    return changes + [
        f"the wheel {text} is no longer used" for text in lock.wheels if text not in needs.wheels
    ]


def _keyrings(lock: Lock, needs: Needs) -> list[str]:
    changes = []
    for name, repository in needs.repositories.items():
        locked = lock.keyrings.get(name)
        if locked is None:
            changes.append(f"the keyring {name} is not in it")
        elif locked.fingerprint != repository.fingerprint:
            changes.append(
                f"the keyring {name} has the key {repository.fingerprint} in the library, and"
                f" {locked.fingerprint} in it"
            )
        elif locked.url != repository.key:
            changes.append(
                f"the keyring {name} is at {repository.key} in the library, and at {locked.url}"
                " in it"
            )
    return changes + [
        f"the keyring {name} is no longer used"
        for name in lock.keyrings
        if name not in needs.repositories
    ]
