"""The lock: what every name in images.yaml resolved to, and whether it still fits the matrix."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from generator.errors import BakestoneError, Finding
from generator.needs import Needs


@dataclass(frozen=True)
class LockedBase:
    """A base image. `digest` goes behind FROM; empty when nobody knows it (`note` says why)."""

    digest: str
    platforms: dict[str, str]
    resolved_from: str
    resolved: str
    epoch: int = 0
    note: str = ""


@dataclass(frozen=True)
class LockedPackages:
    """How the packages on one base are pinned.

    `snapshot`: the archive as it was at a time. `versions`: platform -> direct
    names -> {package: version}, all that one installation brings, resolved inside the base.
    `frozen`: an archive that no longer changes, with the direct versions that are known.
    """

    pins: str
    distro: str
    resolved: str
    snapshot: str = ""
    versions: dict[str, dict[tuple[str, ...], dict[str, str]]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LockedWheel:
    """A wheel: platform -> (filename, sha256, size)."""

    files: dict[str, tuple[str, str, int]]


@dataclass(frozen=True)
class LockedArtifact:
    """A file: its checksum, its size in bytes (0 when unknown), and which component asks for it."""

    sha256: str
    size: int
    component: str


@dataclass
class Lock:
    """The whole file. `selection` is what it was made for; empty means every variant."""

    inputs: str = ""
    selection: tuple[str, ...] = ()
    bases: dict[str, LockedBase] = field(default_factory=dict)
    packages: dict[str, LockedPackages] = field(default_factory=dict)
    artifacts: dict[str, LockedArtifact] = field(default_factory=dict)
    wheels: dict[str, LockedWheel] = field(default_factory=dict)


def check_fresh(lock: Lock, needs: Needs, path: Path) -> None:
    """Raise `BakestoneError` when the lock was not made for these needs; says what changed."""
    if lock.inputs == needs.fingerprint():
        return
    changes = list(_changes(lock, needs)) or ["images.yaml or the component library changed"]
    raise BakestoneError(
        [Finding(f"the lock is stale: {change}", "run `bakestone lock`, then `bakestone generate`", name=str(path)) for change in changes]
    )


def _changes(lock: Lock, needs: Needs) -> list[str]:
    changes = [f"{ref} is not in it" for ref in needs.bases if ref not in lock.bases]
    changes += [f"{ref} is no longer used" for ref in lock.bases if ref not in needs.bases]
    for ref, sets in needs.packages.items():
        locked = lock.packages.get(ref)
        if locked and locked.pins == "versions":
            for platform in sorted(needs.platforms[ref]):
                have = locked.versions.get(platform, {})
                changes += [f"the packages {', '.join(names[:4])}... on {ref} for {platform} are not in it" for names in sets if names not in have]
    for url, artifact in needs.artifacts.items():
        if url not in lock.artifacts:
            changes.append(f"{artifact.component}: {artifact.filename} is not in it")
        elif lock.artifacts[url].sha256 != artifact.sha256:
            changes.append(f"{artifact.component}: {artifact.filename} has another checksum in the library")
    changes += [f"{a.component}: {url.rsplit('/', 1)[-1]} is no longer used" for url, a in lock.artifacts.items() if url not in needs.artifacts]
    changes += [f"the wheel {text} is not in it" for text in needs.wheels if text not in lock.wheels]
    changes += [f"the wheel {text} is no longer used" for text in lock.wheels if text not in needs.wheels]
    return changes
