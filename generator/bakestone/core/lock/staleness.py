"""Whether a lock still fits the matrix, and what changed when it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    """A finding for each thing that the lock lacks, has too much, or has otherwise than wanted.

    The entries are looked at even when the input hash fits: one that was taken out or altered by
    hand is told too.
    """
    sections = (_bases, _packages, _artifacts, _wheels, _keyrings)
    changes = [change for section in sections for change in section(lock, needs)]
    if not changes and lock.inputs != needs.fingerprint():
        changes = [
            "images.yaml or the component library asks for something else than it was made for"
        ]
    hint = "run `bakestone lock`, then `bakestone generate`"
    return [Finding(f"the lock is stale: {change}", hint, name=str(path)) for change in changes]


def _bases(lock: Lock, needs: Needs) -> Iterator[str]:
    for ref, base in needs.bases.items():
        locked = lock.bases.get(ref)
        if locked is None:
            yield f"{ref} is not in it"
            continue
        missing = sorted(needs.platforms[ref] - set(locked.platforms)) if locked.platforms else []
        if missing:
            there = ", ".join(sorted(locked.platforms))
            yield f"{ref} is in it for {there}, and not for {', '.join(missing)}"
        if locked.provides and locked.provides != base.provides:
            has, wanted = _contents(locked.provides), _contents(base.provides)
            yield f"{ref} is in it with {has}, and is wanted with {wanted}"
    yield from (f"{ref} is no longer used" for ref in lock.bases if ref not in needs.bases)


def _contents(provides: dict[str, str]) -> str:
    parts = (f"{slot} {version}" for slot, version in sorted(provides.items()))
    return " + ".join(parts) or "nothing but its distro"


def _packages(lock: Lock, needs: Needs) -> Iterator[str]:
    for ref, sets in needs.packages.items():
        locked = lock.packages.get(ref)
        if locked is None:
            if ref in lock.bases:
                yield f"the packages on {ref} are not in it"
        elif locked.pins == "versions":
            for platform in sorted(needs.platforms[ref]):
                yield from _sets(sets, locked.versions.get(platform, {}), f"{ref} for {platform}")
        elif locked.install:
            yield from _sets(sets, locked.install, ref)


def _sets(
    wanted: Iterable[tuple[str, ...]], have: Iterable[tuple[str, ...]], where: str
) -> Iterator[str]:
    """What is otherwise in the sets of packages that are installed in one place."""
    for names in wanted:
        if names not in have:
            yield f"the packages {_names(names)} on {where} are not in it"
    for names in have:
        if names not in wanted:
            yield f"the packages {_names(names)} on {where} are no longer used"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + ("..." if len(names) > 4 else "")


def _artifacts(lock: Lock, needs: Needs) -> Iterator[str]:
    for url, artifact in needs.artifacts.items():
        file = f"{artifact.component}: {artifact.filename}"
        if url not in lock.artifacts:
            yield f"{file} is not in it"
        elif lock.artifacts[url].sha256 != artifact.sha256:
            yield f"{file} has another checksum in the library"
    for url, locked in lock.artifacts.items():
        if url not in needs.artifacts:
            yield f"{locked.component}: {url.rsplit('/', 1)[-1]} is no longer used"


def _wheels(lock: Lock, needs: Needs) -> Iterator[str]:
    for text, wheel in needs.wheels.items():
        if text not in lock.wheels:
            yield f"the wheel {text} is not in it"
        elif _checksums(lock.wheels[text].files) != _checksums(dict(wheel.files)):
            yield f"the wheel {text} has other files in the library"
    for text in lock.wheels:
        if text not in needs.wheels:
            yield f"the wheel {text} is no longer used"


def _checksums(files: dict[str, tuple[str, str, int]]) -> dict[str, tuple[str, str]]:
    return {platform: (name, checksum) for platform, (name, checksum, _) in files.items()}


def _keyrings(lock: Lock, needs: Needs) -> Iterator[str]:
    for name, wanted in needs.repositories.items():
        locked = lock.keyrings.get(name)
        if locked is None:
            yield f"the keyring {name} is not in it"
        elif locked.fingerprint != wanted.fingerprint:
            keys = f"{wanted.fingerprint} in the library, and {locked.fingerprint} in it"
            yield f"the keyring {name} has the key {keys}"
        elif locked.url != wanted.key:
            yield f"the keyring {name} is at {wanted.key} in the library, and at {locked.url} in it"
    for name in lock.keyrings:
        if name not in needs.repositories:
            yield f"the keyring {name} is no longer used"
