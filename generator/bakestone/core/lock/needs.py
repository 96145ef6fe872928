"""What variants need from outside: base images, distro packages, files, wheels.

The lock resolves exactly these; the renderer writes exactly these.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property

from bakestone.core.documents import template
from bakestone.core.documents.yaml import Json
from bakestone.core.library.component import Component, Repository
from bakestone.core.library.version import Base, Version
from bakestone.core.matrix.variant import Chosen


@dataclass(frozen=True)
class Distro:
    """A distro version whose package manager is used."""

    component: Component = field(hash=False, compare=False)
    version: Version = field(hash=False, compare=False)
    text: str

    @property
    def package_manager(self) -> str:
        """apt or dnf."""
        return str(self.component.data.get("package_manager", "apt"))

    def snapshot_sources(self, time: str) -> list[str]:
        """The source list of its archive as of a time; empty without a snapshot service."""
        about = self.component.data.get("snapshot") or {"sources": []}
        return self._filled(about["sources"], time)

    def archive_sources(self, platform: str) -> list[str]:
        """The source list of its archive as it is; empty where the library does not know it."""
        about = self.component.data.get("archive") or {"sources": {}}
        return self._filled(about["sources"].get(platform, []), "")

    def _filled(self, lines: list[str], time: str) -> list[str]:
        context = {"time": time, "codename": self.version.data.get("codename", "")}
        origin = f"{self.component.origin}/component.yaml"
        return [template.render(line, context, origin=origin) for line in lines]


@dataclass(frozen=True)
class PackageSet:
    """Packages installed together on one base image: names, or `name=version` where the library
    says which version.

    `repositories` are the vendors' that they come from, besides the distro's own archive.
    """

    base: str
    distro: Distro
    names: tuple[str, ...]
    repositories: tuple[Repository, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """A file fetched by URL; `platform` is empty when it fits all."""

    url: str
    sha256: str
    filename: str
    platform: str
    size: int
    component: str


@dataclass(frozen=True)
class Wheel:
    """A wheel: `files` maps a platform to (filename, sha256, size)."""

    name: str
    version: str
    files: tuple[tuple[str, tuple[str, str, int]], ...]

    @property
    def text(self) -> str:
        """As pip writes it."""
        return f"{self.name}=={self.version}"

    @cached_property
    def tag(self) -> str:
        """The Python it was made for, such as cp311; empty when it fits every Python."""
        from packaging.utils import parse_wheel_filename  # 20 ms, which few commands need

        tags = parse_wheel_filename(self.files[0][1][0])[3]
        return ".".join(sorted({t.interpreter for t in tags if t.interpreter.startswith("cp")}))

    @property
    def key(self) -> str:
        """Its name in the lock: one version has a file for each Python that it was compiled for."""
        return f"{self.text} {self.tag}".rstrip()


@dataclass(frozen=True)
class Stage:
    """The build stage of one component.

    `uses` are the slots whose stages' files it has at their places; `on_base` when it starts from
    the variant's stage `base`, since what it uses is in there.
    """

    chosen: Chosen
    builder: Base
    packages: PackageSet
    artifacts: tuple[Artifact, ...]
    wheels: tuple[Wheel, ...]
    uses: tuple[str, ...] = ()
    on_base: bool = False


@dataclass(frozen=True)
class Environment:
    """Python packages that a family asks for, on the Pythons (`3.13`) and the glibc (`2.41`) that
    wheels are chosen by; `sources` may be built of their source distributions.
    """

    family: str
    requirements: tuple[str, ...]
    python: str
    glibc: str
    sources: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name in the lock."""
        return f"{self.family} python{self.python} glibc{self.glibc}"


@dataclass(frozen=True)
class VendorPackages:
    """What a component's vendor has as packages, installed in the stage `base`."""

    chosen: Chosen
    packages: PackageSet


@dataclass(frozen=True)
class Keyrings:
    """The stage that makes keyrings of vendors' repositories, each with the library's one key."""

    builder: Base
    packages: PackageSet
    repositories: tuple[Repository, ...]


@dataclass
class Needs:
    """Everything that a set of variants needs, each thing once."""

    bases: dict[str, Base] = field(default_factory=dict)
    platforms: dict[str, set[str]] = field(default_factory=dict)
    packages: dict[str, dict[tuple[str, ...], PackageSet]] = field(default_factory=dict)
    packages_for: dict[tuple[str, tuple[str, ...]], set[str]] = field(default_factory=dict)
    """Base and names of a package set -> its platforms, where they are fewer than the base's: a set
    of variants that leave some out.
    """
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    wheels: dict[str, Wheel] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    frameworks: dict[str, None] = field(default_factory=dict)
    environments: dict[str, tuple[Environment, set[str]]] = field(default_factory=dict)
    """Name -> an environment, and its platforms."""
    asked_by: dict[tuple[str, ...], Chosen] = field(default_factory=dict)
    """Section and name of an entry (`artifacts`, URL; `packages`, base, names...) -> the first
    component that asks for it; packages of an image itself have none.
    """

    def sets_on(self, ref: str, platform: str) -> tuple[PackageSet, ...]:
        """The package sets that are installed on a base for a platform, by their names."""
        sets = sorted(self.packages.get(ref, {}).items())
        return tuple(
            one for names, one in sets if platform in self.packages_for.get((ref, names), platform)
        )

    def fingerprint(self) -> str:
        """`sha256:...` over all names and checksums: what makes a lock stale."""
        plain: Json = {
            "bases": {
                ref: [sorted(self.platforms[ref]), sorted(base.provides.items())]
                for ref, base in sorted(self.bases.items())
            },
            "packages": {
                ref: sorted(map(list, sets)) for ref, sets in sorted(self.packages.items())
            },
            "artifacts": {url: a.sha256 for url, a in sorted(self.artifacts.items())},
            "wheels": {text: sorted(w.files) for text, w in sorted(self.wheels.items())},
        }
        if self.packages_for:
            plain["packages for"] = [
                [*key, sorted(platforms)] for key, platforms in sorted(self.packages_for.items())
            ]
        if self.repositories:
            plain["repositories"] = {
                name: [r.line, r.key, r.fingerprint, r.platform]
                for name, r in sorted(self.repositories.items())
            }
        if self.frameworks:
            plain["frameworks"] = sorted(self.frameworks)
        if self.environments:
            plain["environments"] = {
                name: [one.requirements, sorted(platforms), *one.sources]
                for name, (one, platforms) in sorted(self.environments.items())
            }
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
