"""A component tried out without a registry: combinations in which its versions can be installed.

With them goes a made-up lock: what is rendered from it shows that templates can be filled and fit
together; its digests are nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice, product, zip_longest

from bakestone.core.documents.yaml import Json
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component, Option
from bakestone.core.library.version import ENTRIES, Patterns, Version, patterns
from bakestone.core.lock import survey
from bakestone.core.lock.lock import (
    LIBRARY,
    Lock,
    LockedArtifact,
    LockedBase,
    LockedKeyring,
    LockedPackages,
    LockedWheel,
)
from bakestone.core.lock.needs import PackageSet
from bakestone.core.matrix import methods
from bakestone.core.matrix.checks import rules
from bakestone.core.matrix.conditions import PYTHONS, all_hold, slots_of
from bakestone.core.matrix.methods import Obstacle
from bakestone.core.matrix.spec import PLATFORMS, Family, User
from bakestone.core.matrix.variant import INHERITED, Chosen, Variant
from bakestone.errors import Position

TRIED = 2000
"""Most combinations that are tried for one version and method."""
_EACH = 8
"""Most versions of another slot that are tried beside it: the newest that go with it."""
_NOWHERE = Position("", 1, 1)
_MADE_UP = "sha256:" + "0" * 64

_Combination = tuple[dict[str, Chosen], dict[str, str]]
"""Slots, and the methods that are asked for besides the component's own."""


def find(
    component: Component,
    version: Version,
    method: str,
    library: Library,
    distro: str = "",
    options: tuple[Option, ...] = (),
) -> Variant | Obstacle:
    """A variant with this version by this method; or why the last combination does not pass.

    `distro` (component@version) is the only one to try; all when empty. `options` are what it is
    built with besides.
    """
    obstacle = Obstacle("there is no distro for it")
    own = replace(_chosen(component, version), options=options)
    for slots, asked in islice(_combinations(own, method, library, distro), TRIED):
        wanted = asked | ({component.name: method} if method else {})
        for platform in PLATFORMS:
            family = Family(
                "rehearsal", "", (platform,), User(), (), (), (), wanted, {}, (), (), _NOWHERE
            )
            refused = list(rules.refusals(slots, family.host))
            settled, base, problems = methods.settle(family, slots)
            if not problems and not refused:
                return Variant(
                    f"{component.name}{version.label}", family, settled, base, family.platforms
                )
            obstacle = Obstacle([*problems, *refused][0].message)
    return obstacle


def lock(variants: Iterable[Variant], library: Library) -> Lock:
    """A lock that fits the variants, with digests and package versions that are made up."""
    wanted = survey.collect(variants, library)
    out = Lock(wanted.fingerprint())
    for url, file in wanted.artifacts.items():
        out.artifacts[url] = LockedArtifact(file.sha256, file.size, file.component)
    for key, wheel in wanted.wheels.items():
        out.wheels[key] = LockedWheel(dict(wheel.files))
    for name, repository in wanted.repositories.items():
        out.keyrings[name] = LockedKeyring(
            repository.key, repository.fingerprint, _MADE_UP.removeprefix("sha256:")
        )
    for ref, base in wanted.bases.items():
        platforms = sorted(wanted.platforms[ref])
        digests = dict.fromkeys(platforms, _MADE_UP)
        out.bases[ref] = LockedBase(base.digest or _MADE_UP, digests, LIBRARY, "", 0, "made up")
        distro = next(iter(wanted.packages[ref].values())).distro.text
        versions = {
            platform: {one.names: _closure(one) for one in wanted.sets_on(ref, platform)}
            for platform in platforms
        }
        out.packages[ref] = LockedPackages("versions", distro, "", versions=versions)
    return out


def _closure(packages: PackageSet) -> dict[str, str]:
    if packages.distro.package_manager == "dnf":
        named = (text.partition("=") for text in packages.names)
        return {
            f"{name}.noarch": (f"0:{version}" if ":" not in version else version)
            if version
            else "0:0-0"
            for name, _, version in named
        }
    pins = (text.partition("=") for text in packages.names)
    return {name: version or "0" for name, _, version in pins}


def _chosen(component: Component, version: Version) -> Chosen:
    return Chosen(component.slot, component, version, _NOWHERE)


def _combinations(
    own: Chosen, method: str, library: Library, wanted: str
) -> Iterator[_Combination]:
    """With the images that have the version, or alone on each distro; with what it asks for."""
    component, version = own.component, own.version
    if component.slot == "distro":
        yield {"distro": own}, {}
        return
    columns = [[_chosen(c, v) for v in c.versions.values()] for c in library.of_slot("distro")]
    newest_first = filter(None, chain.from_iterable(zip_longest(*columns)))
    distros = [distro for distro in newest_first if wanted in ("", distro.text)]
    if method == INHERITED:
        yield from _with_images(own, distros, library)
        return
    entries = version.methods.get(method, {}).get(ENTRIES.get(method, ""), []) or [{}]
    conditions = {str(e.get("when", {})): patterns(e.get("when", {})) for e in entries}
    for when in conditions.values():
        needed = _needed(own, method, when, library)
        for picked in product(*(_choices(slot, own, when, library) for slot in needed)):
            beside = {slot: chosen for slot, chosen in zip(needed, picked, strict=True) if chosen}
            for distro in distros:
                slots = {"distro": distro, component.slot: own, **beside}
                if all_hold(slots, when, {}):
                    yield slots, {}


def _with_images(own: Chosen, distros: list[Chosen], library: Library) -> Iterator[_Combination]:
    """The base images that have the version, with everything else that is in them."""
    for bringing, image in _images(own, library):
        provided = {slot: str(version) for slot, version in image.get("provides", {}).items()}
        provided[bringing.slot] = bringing.version.version
        others: dict[str, Chosen] = {}
        for slot, version in provided.items():
            for component in library.of_slot(slot) if slot != own.slot else ():
                if version in component.versions:
                    others.setdefault(slot, _chosen(component, component.versions[version]))
        names = [c.component.name for c in (*others.values(), bringing)]
        for distro in distros:
            if distro.text == image["distro"]:
                slots = {"distro": distro, own.slot: own, **others}
                yield slots, dict.fromkeys(names, INHERITED)


def _images(own: Chosen, library: Library) -> Iterator[tuple[Chosen, Json]]:
    """The images, each with the component that they are listed under."""
    listed = own.version.methods[INHERITED].get("images", [])
    yield from ((own, image) for image in listed)
    for other in () if listed else library.components():
        if INHERITED in other.methods and other.slot != own.slot:
            for bringing in other.versions.values():
                for image in bringing.methods.get(INHERITED, {}).get("images", []):
                    if str(image.get("provides", {}).get(own.slot)) == own.version.version:
                        yield _chosen(other, bringing), image


def _needed(own: Chosen, method: str, when: Patterns, library: Library) -> list[str]:
    """The slots that its rules, its method and `when` ask for, and what those need in turn."""
    recipe = own.component.methods.get(method)
    asked = [*when.items(), *(recipe.require.items() if recipe else ())]
    found = _missing(own)
    for key, wanted in asked:
        if not all_hold({own.slot: own}, {key: wanted}, {}):  # `none` is met by an empty slot
            found.update(slots_of(key))
    for slot in sorted(found - {"distro", own.slot}):
        for component in library.of_slot(slot):
            newest = next(iter(component.versions.values()), None)
            found |= _missing(_chosen(component, newest)) if newest else set()
    # the first is tried least: a Python besides the distro's after everything else
    return sorted(found - {"distro", own.slot}, key=lambda slot: (slot not in PYTHONS, slot))


def _missing(alone: Chosen) -> set[str]:
    """The slots without which a component's own rules refuse it."""
    return {slot for refusal in rules.refusals({alone.slot: alone}, {}) for slot in refusal.slots}


def _choices(slot: str, own: Chosen, when: Patterns, library: Library) -> list[Chosen | None]:
    """The newest versions of another slot that go with it and `when`; of a Python also none."""
    asked = {key: wanted for key, wanted in when.items() if key.partition(".")[0] == slot}
    found: list[Chosen | None] = [None] if slot in PYTHONS and not asked else []
    for component in library.of_slot(slot):
        offered = (_chosen(component, version) for version in component.versions.values())
        found += islice((c for c in offered if _go_together(own, c, asked)), _EACH)
    return found


def _go_together(own: Chosen, other: Chosen, asked: Patterns) -> bool:
    both = {own.slot: own, other.slot: other}
    return all_hold({other.slot: other}, asked, {}) and not any(
        both.keys() >= set(refusal.slots) for refusal in rules.refusals(both, {})
    )
