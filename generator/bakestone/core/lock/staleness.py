"""Whether a lock still fits the matrix, and what changed when it does not."""

from __future__ import annotations

from pathlib import Path

from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import Needs
from bakestone.errors import BakestoneError, Finding


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
