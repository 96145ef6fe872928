"""What each of many variants needs, worked out once for all that need the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from bakestone.core.documents.suggest import near
from bakestone.core.documents.yaml import Json
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import packages_for
from bakestone.core.library.version import Base
from bakestone.core.lock.lock import LockedBase
from bakestone.core.lock.needs import (
    Artifact,
    Distro,
    Environment,
    Keyrings,
    Needs,
    PackageSet,
    Stage,
    VendorPackages,
    Wheel,
)
from bakestone.core.matrix.checks import profiles
from bakestone.core.matrix.conditions import own_python, python
from bakestone.core.matrix.methods import FETCHED
from bakestone.core.matrix.variant import DEVEL, Chosen, Variant, slot_rank
from bakestone.errors import fail

WHEEL_TOOLS = ("ca-certificates", "python3-pip")
"""Distro packages of the stage in which wheels are unpacked."""
PYTHON = "python3"
"""The distros' package of their own Python, which an environment is made of where the image has no
other.
"""
SOURCE_TOOLS = ("python3-setuptools", "python3-wheel")
"""What source distributions are built with, besides."""
TOOLS_BUILDER = "debian@12"
"""The distro on which keyrings of vendors' repositories are made, and wheels of environments are
fetched: one gpg, and one pip, for all.
"""
KEYRING_TOOLS = ("gnupg",)


def keyring_origin(library: Library, bases: Mapping[str, LockedBase]) -> str:
    """The image on which keyrings are made, with its digest; empty when that is not known."""
    name, _, version = TOOLS_BUILDER.partition("@")
    component = library.get(name)
    ref = component.versions[version].base.ref if component else ""
    return bases[ref].origin(ref) if ref in bases and bases[ref].digest else ""


def collect(variants: Iterable[Variant], library: Library, survey: Survey | None = None) -> Needs:
    """The needs of all variants together. `survey` keeps what is alike over several calls.

    Raises `BakestoneError` when a builder image is unknown, or when one tag is wanted with two
    contents.
    """
    needs, survey = Needs(), survey or Survey(library)
    seen: set[int] = set()  # stages by identity: the survey keeps them, and gives equal ones once
    for variant in variants:
        for one in (variant,) if variant.role == DEVEL else (variant, variant.devel):
            _add_packages(needs, variant, variant.base, survey.base_packages(one))
        for vendor in survey.vendor_packages(variant):
            _add_packages(needs, variant, variant.base, vendor.packages)
            needs.asked_by.setdefault(_entry_of(vendor.packages), vendor.chosen)
        keyrings = survey.keyrings(variant)
        if keyrings:
            _add_packages(needs, variant, keyrings.builder, keyrings.packages)
            needs.repositories.update({r.name: r for r in keyrings.repositories})
        needs.frameworks.update(dict.fromkeys(variant.family.frameworks))
        if environment := environment_of(variant):
            known = needs.environments.setdefault(environment.key, (environment, set()))
            known[1].update(variant.platforms)
            wheels = survey.wheel_packages(variant)
            _add_packages(needs, variant, wheels.distro.version.base, wheels)
        for stage in survey.stages(variant):
            if id(stage) not in seen:
                seen.add(id(stage))
                _add_packages(needs, variant, stage.builder, stage.packages)
                needs.artifacts.update({a.url: a for a in stage.artifacts})
                needs.wheels.update({w.key: w for w in stage.wheels})
                for entry in _entries_of(stage):
                    needs.asked_by.setdefault(entry, stage.chosen)
    return needs


class Survey:
    """What each of many variants needs; what is equal is worked out once, and is one object."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._packages: dict[tuple[object, ...], PackageSet] = {}
        self._stages: dict[tuple[object, ...], Stage] = {}

    def base_packages(self, variant: Variant) -> PackageSet:
        """The distro packages of the finished image."""
        asking = tuple(
            (c.text if c.of_distro or c.version.packages or c.options else c.component.name)
            for c in variant.slots.values()
        )
        role = variant.role
        packages = (variant.family.packages, variant.family.content.python is not None)
        key = (packages, variant.base.ref, variant.distro.text, asking, role)
        if key not in self._packages:
            wanted = profiles.packages(variant.family, variant.slots, role)
            if variant.family.content.python and not own_python(variant.slots):
                wanted = {*wanted, PYTHON}
            names = tuple(sorted(wanted))
            self._packages[key] = PackageSet(variant.base.ref, _own_distro(variant), names)
        return self._packages[key]

    def wheel_packages(self, variant: Variant) -> PackageSet:
        """What the wheels of a variant's environment are fetched with, and on what: any pip knows
        the files that uv chose, but those of old distros do not know such names.
        """
        own = variant.family.content.python
        names = WHEEL_TOOLS if own is None or not own.sources else (*WHEEL_TOOLS, *SOURCE_TOOLS)
        distro = _distro_of(self.library, TOOLS_BUILDER, "the stage of an environment's wheels")
        return PackageSet(distro.version.base.ref, distro, tuple(sorted(names)))

    def stages(self, variant: Variant) -> list[Stage]:
        """One for each component with files of its own, in the order of the slots."""
        alike = (variant.distro.text, variant.platforms)
        found = []
        for chosen in (c for c in variant.filled if c.staged):
            uses, on_base = _uses(chosen, variant)
            base = on_base and variant.base.ref
            key = (chosen.text, chosen.method, chosen.seen, *alike, uses, base)
            if key not in self._stages:
                self._stages[key] = _stage(chosen, variant, self.library, uses, on_base)
            found.append(self._stages[key])
        return found

    def vendor_packages(self, variant: Variant) -> list[VendorPackages]:
        """The components that come as packages of their vendor, in the order of the slots."""
        return [VendorPackages(c, _vendor_set(c, variant)) for c in variant.filled if c.of_vendor]

    def keyrings(self, variant: Variant) -> Keyrings | None:
        """The stage of the vendors' keyrings; None when no package of a vendor is installed."""
        sets = [vendor.packages for vendor in self.vendor_packages(variant)]
        used = {r.name: r for packages in sets for r in packages.repositories}
        if not used:
            return None
        distro = _distro_of(self.library, TOOLS_BUILDER, "the stage of the keyrings")
        base = distro.version.base
        packages = PackageSet(base.ref, distro, KEYRING_TOOLS)
        return Keyrings(base, packages, tuple(used[name] for name in sorted(used)))


def environment_of(variant: Variant) -> Environment | None:
    """The Python packages that a variant's family asks for, on this variant's Python; None where it
    asks for none.
    """
    own, minor = variant.family.content.python, python(variant.slots)
    glibc = variant.distro.known("glibc")
    if own is None or minor is None or glibc is None:  # the matrix was checked
        return None
    return Environment(variant.family.name, own.requirements, minor, glibc, own.sources)


def _entries_of(stage: Stage) -> Iterator[tuple[str, ...]]:
    """The entries of a lock that a stage asks for, as `Needs.asked_by` has them."""
    yield _entry_of(stage.packages)
    yield from (("artifacts", artifact.url) for artifact in stage.artifacts)
    yield from (("wheels", wheel.key) for wheel in stage.wheels)


def _entry_of(packages: PackageSet) -> tuple[str, ...]:
    return ("packages", packages.base, *packages.names)


def _add_packages(needs: Needs, variant: Variant, base: Base, packages: PackageSet) -> None:
    known = needs.bases.setdefault(base.ref, base)
    if known.provides != base.provides:
        one, other = (
            " + ".join(f"{slot} {version}" for slot, version in b.provides.items())
            for b in (known, base)
        )
        raise fail(
            f"{base.ref} cannot be locked to two images: {variant.name} and another variant want it"
            f" with {one} and {other}",
            "a lock has one digest a tag: put one of them into a matrix of its own",
            where=variant.family.where,
        )
    needs.platforms.setdefault(base.ref, set()).update(variant.platforms)
    sets = needs.packages.setdefault(base.ref, {})
    before = sets.get(packages.names)
    if before:  # of a variant for other platforms, maybe
        repositories = dict.fromkeys((*before.repositories, *packages.repositories))
        packages = replace(packages, repositories=tuple(repositories))
    sets[packages.names] = packages
    key = (base.ref, packages.names)
    if not variant.left_out:
        needs.packages_for.pop(key, None)
    elif before is None or key in needs.packages_for:
        needs.packages_for.setdefault(key, set()).update(variant.platforms)


def _vendor_set(chosen: Chosen, variant: Variant) -> PackageSet:
    platforms = variant.platforms
    entries = [e for e in chosen.data["packages"] if e.get("platform", platforms[0]) in platforms]
    pins = {f"{name}={version}" for e in entries for name, version in e["install"].items()}
    wanted = sorted({name for entry in entries for name in entry["repositories"]})
    known = chosen.component.repositories
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise fail(
            f"{chosen.text} comes from the repository {unknown[0]}, which its component.yaml does"
            " not have",
            near(unknown[0], list(known), "add it under `repositories`"),
            name=chosen.component.origin,
        )
    asked = (known[name] for name in wanted)
    repositories = tuple(r for r in asked if r.platform in ("", *platforms))
    return PackageSet(variant.base.ref, _own_distro(variant), tuple(sorted(pins)), repositories)


def _uses(chosen: Chosen, variant: Variant) -> tuple[tuple[str, ...], bool]:
    """The slots whose stages' files a build needs; whether it needs the stage `base` for others."""
    wanted = chosen.used(variant.slots)
    staged = tuple(sorted((slot for slot in wanted if variant.slots[slot].staged), key=slot_rank))
    return staged, len(staged) < len(wanted)


def _stage(
    chosen: Chosen, variant: Variant, library: Library, uses: tuple[str, ...], on_base: bool
) -> Stage:
    recipe, by_wheel = chosen.recipe, chosen.method == "wheel"
    if on_base or recipe.builder in ("", "distro"):
        distro = _own_distro(variant)
    else:
        distro = _distro_of(library, recipe.builder, chosen.component.origin)
    base = variant.base if on_base else distro.version.base
    line, used = distro.component.line(distro.version.version), chosen.used(variant.slots)
    names = {
        *(packages_for(recipe.packages, line) or ()),
        *(name for option in chosen.options for name in packages_for(option.build, line) or ()),
        *(name for use in used.values() for name in packages_for(use.build, line) or ()),
        *(WHEEL_TOOLS if by_wheel else ()),
    }
    packages = PackageSet(base.ref, distro, tuple(sorted(names)))
    artifacts = [
        Artifact(
            data["url"],
            data["sha256"],
            data.get("filename") or data["url"].rsplit("/", 1)[-1],
            data.get("platform", ""),
            int(data.get("size") or 0),
            chosen.pin,
        )
        for data in (chosen.data["artifacts"] if chosen.method in FETCHED else ())
        if data.get("platform", "") in ("", *variant.platforms)
    ]
    wheels = tuple(map(_wheel, chosen.data.get("wheels", []))) if by_wheel else ()
    return Stage(chosen, base, packages, tuple(artifacts), wheels, uses, on_base)


def _own_distro(variant: Variant) -> Distro:
    return Distro(variant.distro.component, variant.distro.version, variant.distro.text)


def _distro_of(library: Library, text: str, asker: str) -> Distro:
    name, _, version = text.partition("@")
    component = library.get(name)
    found = component.versions.get(version) if component else None
    if component is None or found is None:
        hint = "correct `builder` in component.yaml"
        raise fail(f"{asker} is built on {text}, which the library does not have", hint, name=asker)
    return Distro(component, found, text)


def _wheel(data: Json) -> Wheel:
    files = tuple(
        (p, (f["filename"], f["sha256"], int(f.get("size") or 0)))
        for p, f in sorted(data["files"].items())
    )
    return Wheel(data["name"], str(data["version"]), files)
