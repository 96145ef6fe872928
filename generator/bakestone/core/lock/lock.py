"""The lock: what every name in images.yaml resolved to."""

from __future__ import annotations

from dataclasses import dataclass, field

from bakestone.errors import Position

LIBRARY, REGISTRY, IMAGE, SNAPSHOT, CLOCK = "library", "registry", "image", "snapshot", "clock"
INDEX = "index"
"""Where an entry is from: the component library, a registry, the package manager inside the base
image, a snapshot service that was asked, the clock where no snapshot service answered, and a
package index.
"""


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

    def origin(self, ref: str) -> str:
        """What stands behind FROM: its reference, with the digest where one is known."""
        return f"{ref.partition('@')[0]}@{self.digest}" if self.digest else ref


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
class LockedEnvironment:
    """The wheels of an environment: platform -> (filename, sha256, size) of each, sorted; what was
    asked for, the Python, and what may be a source distribution.
    """

    requirements: tuple[str, ...]
    python: str
    files: dict[str, tuple[tuple[str, str, int], ...]]
    resolved_from: str = ""
    resolved: str = ""
    sources: tuple[str, ...] = ()


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
    """The key of a vendor's package repository: where it is, the fingerprint it must have, and the
    checksum of the file; that is empty where the file could not be fetched.
    """

    url: str
    fingerprint: str
    sha256: str = ""
    resolved_from: str = ""
    resolved: str = ""


@dataclass(frozen=True)
class LockedFramework:
    """What a framework's wheel asks for: its file, the SHA-256 of its METADATA, the Pythons that it
    says (`>=3.10`) and has wheels for, and its requirements for slots, as pip writes them.
    """

    wheel: str
    sha256: str
    python: str = ""
    pythons: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    resolved_from: str = ""
    resolved: str = ""


@dataclass
class Lock:
    """The whole file. `selection` is what it was made for; empty means every variant.

    `places` says where each entry of a section stands in the file that it was read from.
    """

    inputs: str = ""
    selection: tuple[str, ...] = ()
    bases: dict[str, LockedBase] = field(default_factory=dict)
    packages: dict[str, LockedPackages] = field(default_factory=dict)
    artifacts: dict[str, LockedArtifact] = field(default_factory=dict)
    wheels: dict[str, LockedWheel] = field(default_factory=dict)
    keyrings: dict[str, LockedKeyring] = field(default_factory=dict)
    frameworks: dict[str, LockedFramework] = field(default_factory=dict)
    environments: dict[str, LockedEnvironment] = field(default_factory=dict)
    places: dict[tuple[str, str], Position] = field(default_factory=dict, compare=False, repr=False)
