"""What variants need from outside: base images, distro packages, files, wheels.

The lock resolves exactly these; the renderer writes exactly these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from generator.component import Component, Version
from generator.errors import fail
from generator.library import Library
from generator.methods import FETCHED
from generator.variant import INHERITED, Base, Chosen, Variant

WHEEL_TOOLS = ("ca-certificates", "python3-pip")
"""Distro packages of the stage in which wheels are unpacked."""


@dataclass(frozen=True)
class Distro:
    """A distro version whose package manager is used."""

    component: Component = field(hash=False, compare=False)
    version: Version = field(hash=False, compare=False)
    text: str


@dataclass(frozen=True)
class PackageSet:
    """Packages installed together on one base image."""

    base: str
    distro: Distro
    names: tuple[str, ...]


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


@dataclass(frozen=True)
class Stage:
    """The build stage of one component."""

    chosen: Chosen
    builder: Base
    packages: PackageSet
    artifacts: tuple[Artifact, ...]
    wheels: tuple[Wheel, ...]


@dataclass
class Needs:
    """Everything that a set of variants needs, each thing once."""

    bases: dict[str, Base] = field(default_factory=dict)
    platforms: dict[str, set[str]] = field(default_factory=dict)
    packages: dict[str, dict[tuple[str, ...], PackageSet]] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    wheels: dict[str, Wheel] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """`sha256:...` over all names and checksums: what makes a lock stale."""
        plain: dict[str, Any] = {
            "bases": {ref: [sorted(self.platforms[ref]), sorted(base.provides.items())] for ref, base in sorted(self.bases.items())},
            "packages": {ref: sorted(map(list, sets)) for ref, sets in sorted(self.packages.items())},
            "artifacts": {url: a.sha256 for url, a in sorted(self.artifacts.items())},
            "wheels": {text: sorted(w.files) for text, w in sorted(self.wheels.items())},
        }
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def collect(variants: Iterable[Variant], library: Library) -> Needs:
    """The needs of all variants together.

    Raises `BakestoneError` when a builder image is unknown, or when one tag is wanted with two contents.
    """
    needs, survey = Needs(), Survey(library)
    seen: set[int] = set()  # stages by identity: the survey keeps them, and gives equal ones once
    for variant in variants:
        _add_packages(needs, variant, variant.base, survey.base_packages(variant))
        for stage in survey.stages(variant):
            if id(stage) in seen:
                continue
            seen.add(id(stage))
            _add_packages(needs, variant, stage.builder, stage.packages)
            for artifact in stage.artifacts:
                needs.artifacts[artifact.url] = artifact
            for wheel in stage.wheels:
                needs.wheels[wheel.text] = wheel
    return needs


class Survey:
    """What each of many variants needs; equal stages and package sets are worked out once, and are one object."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._packages: dict[tuple[Any, ...], PackageSet] = {}
        self._stages: dict[tuple[Any, ...], Stage] = {}

    def base_packages(self, variant: Variant) -> PackageSet:
        """The distro packages of the finished image."""
        asking = tuple((c.text if c.method == "apt" or c.version.packages else c.component.name) for c in variant.slots.values())
        key = (variant.family.packages, variant.base.ref, variant.distro.text, asking)
        if key not in self._packages:
            self._packages[key] = _base_packages(variant)
        return self._packages[key]

    def stages(self, variant: Variant) -> list[Stage]:
        """The build stages of a variant, one for each component that is not part of the base."""
        distro, platforms = variant.distro.text, variant.platforms
        found = []
        for chosen in _built(variant):
            key = (chosen.text, chosen.method, distro, platforms)
            if key not in self._stages:
                self._stages[key] = _stage(chosen, variant, self.library)
            found.append(self._stages[key])
        return found


def _add_packages(needs: Needs, variant: Variant, base: Base, packages: PackageSet) -> None:
    known = needs.bases.setdefault(base.ref, base)
    if known.provides != base.provides:
        both = " and ".join(" + ".join(f"{slot} {version}" for slot, version in b.provides.items()) for b in (known, base))
        raise fail(
            f"{base.ref} cannot be locked to two images: {variant.name} and another variant want it with {both}",
            "a lock has one digest a tag: put one of them into a matrix of its own",
            where=variant.family.where,
        )
    needs.platforms.setdefault(base.ref, set()).update(variant.platforms)
    needs.packages.setdefault(base.ref, {})[packages.names] = packages


def _base_packages(variant: Variant) -> PackageSet:
    distro = variant.distro
    names = set(variant.family.packages)
    for chosen in variant.slots.values():
        names.update(chosen.component.packages(None, distro.component.name, distro.version.version))
        names.update(chosen.component.packages(chosen.version.packages, distro.component.name, distro.version.version))
        if chosen.method == "apt":
            names.add(chosen.data["package"])
    return PackageSet(variant.base.ref, _distro(distro.component, distro.version), tuple(sorted(names)))


def _built(variant: Variant) -> list[Chosen]:
    return [c for c in variant.slots.values() if c.method not in ("apt", INHERITED)]


def _stage(chosen: Chosen, variant: Variant, library: Library) -> Stage:
    component, version = _builder(chosen, variant, library)
    base = version.base
    names = set(chosen.component.packages(chosen.recipe.packages, component.name, version.version))
    if chosen.method == "wheel":
        names.update(WHEEL_TOOLS)
    packages = PackageSet(base.ref, _distro(component, version), tuple(sorted(names)))
    artifacts = tuple(_artifacts(chosen, variant.platforms)) if chosen.method in FETCHED else ()
    wheels = tuple(_wheel(w) for w in chosen.data.get("wheels", [])) if chosen.method == "wheel" else ()
    return Stage(chosen, base, packages, artifacts, wheels)


def _builder(chosen: Chosen, variant: Variant, library: Library) -> tuple[Component, Version]:
    wanted = chosen.recipe.builder
    if wanted in ("", "distro"):
        return variant.distro.component, variant.distro.version
    name, _, version = wanted.partition("@")
    component = library.get(name)
    found = component.versions.get(version) if component else None
    if component is None or found is None:
        raise fail(
            f"{chosen.component.name} is built on {wanted}, which the library does not have",
            "correct `builder` in component.yaml",
            name=chosen.component.origin,
        )
    return component, found


def _distro(component: Component, version: Version) -> Distro:
    return Distro(component, version, f"{component.name}@{version.version}")


def _artifacts(chosen: Chosen, platforms: tuple[str, ...]) -> Iterable[Artifact]:
    for data in chosen.data["artifacts"]:
        platform = data.get("platform", "")
        if not platform or platform in platforms:
            filename = data.get("filename") or data["url"].rsplit("/", 1)[-1]
            yield Artifact(data["url"], data["sha256"], filename, platform, int(data.get("size") or 0), chosen.text)


def _wheel(data: dict[str, Any]) -> Wheel:
    files = tuple((p, (f["filename"], f["sha256"], int(f.get("size") or 0))) for p, f in sorted(data["files"].items()))
    return Wheel(data["name"], str(data["version"]), files)
