"""What a framework's wheel pins of CUDA, cuDNN and NCCL, read from the package index, and what the
library has of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import Session
from bakestone.clients.index import frameworks
from bakestone.clients.index.pages import Pages
from bakestone.clients.site.site import Site
from bakestone.core.documents.patterns import version_key
from bakestone.core.library import projects
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from bakestone.core.library.version import Version as Known
from bakestone.core.matrix import methods
from bakestone.core.matrix.checks import rules
from bakestone.core.matrix.spec import Family, User
from bakestone.core.matrix.variant import Chosen
from bakestone.errors import USAGE, Position, fail

_HINT = "write it as for pip: torch==2.9.1, tensorflow[and-cuda]==2.19.1"
_NOWHERE = Position("", 1, 1)


@dataclass(frozen=True)
class Pin:
    """What is asked for of a slot, as the wheel writes it (`nvidia-cudnn-cu12==9.10.2.21`), and
    what of the library meets it (`9.10.2.21`, `cuda-runtime@12.9.2`; empty when nothing does).

    `nearest` is of the same major version, and empty where the library has none.
    """

    slot: str
    wanted: str
    version: str
    nearest: str


@dataclass(frozen=True)
class FrameworkPins:
    """A framework's wheel, and what it asks for; `pythons` are those that it has wheels for, and
    `distros` those of the library on which `axis` can be built.

    `withdrawn` is why its publisher took the wheel back, None for one that counts.
    """

    framework: str
    wheel: str
    requires_python: str
    pythons: tuple[str, ...]
    pins: tuple[Pin, ...]
    distros: tuple[str, ...]
    withdrawn: str | None = None

    @property
    def axis(self) -> str:
        """A value of an axis of images.yaml, with the nearest where the library lacks a version."""
        filled = {p.slot: p.version or p.nearest for p in self.pins if p.version or p.nearest}
        return "{" + ", ".join(f'{slot}: "{text}"' for slot, text in filled.items()) + "}"


def ask(text: str, library: Library, site: Site) -> FrameworkPins:
    """What the newest wheel that `text` (`torch==2.9.1`) means asks for.

    Raises `BakestoneError`: for what is no requirement or not on the index, for a wheel that asks
    for no CUDA, and when the index cannot be asked.
    """
    try:
        wanted = Requirement(text)
    except InvalidRequirement as problem:
        raise fail(f"--for cannot be {text[:80]!r}", _HINT, code=USAGE) from problem
    if wanted.url or wanted.marker:
        raise fail("--for takes a name and a version alone", _HINT, code=USAGE)
    found = frameworks.read(wanted, Pages(site, Asker(Session(site))))
    asked = {projects.slot_of(requirement): requirement for requirement in found.wanted}
    if majors := set(map(projects.cuda_major, found.wanted)) - {""}:
        # NCCL alone (XGBoost): nothing of the library goes without CUDA, of which any will do
        asked.setdefault("cuda", Requirement(f"cuda-toolkit=={max(majors, key=int)}.*"))
    pins = [_pin(slot, asked[slot], library) for slot in projects.SLOTS if slot in asked]
    chosen = [entry for _, entry in pins if entry]
    return FrameworkPins(
        found.name,
        found.filename,
        found.requires_python,
        found.pythons,
        tuple(pin for pin, _ in pins),
        tuple(_distros(chosen, library)),
        found.withdrawn,
    )


_Entry = tuple[Component, Known]


def _distros(chosen: Iterable[_Entry], library: Library) -> Iterable[str]:
    """The distros of the library on which some versions go together, and can be installed."""
    there = [Chosen(component.slot, component, v, _NOWHERE) for component, v in chosen]
    family = Family("", "", ("linux/amd64",), User(), (), (), (), {}, {}, (), (), _NOWHERE)
    for distro in library.of_slot("distro"):
        for version in distro.versions.values():
            slots = {c.slot: c for c in (Chosen("distro", distro, version, _NOWHERE), *there)}
            if next(rules.refusals(slots, family.host), None) is None:
                _, _, problems = methods.settle(family, slots)
                if not problems:
                    yield f"{distro.name}@{version.version}"


def _pin(slot: str, wanted: Requirement, library: Library) -> tuple[Pin, _Entry | None]:
    """A requirement, and the newest of the library that meets it, or else what is near."""
    shown = projects.shown(wanted)
    # the component that a bare version means first: `cuda`, then `cuda-runtime`
    components = {c.name: c for c in (*library.meant(slot), *library.of_slot(slot))}.values()
    known = [
        (component, version, number)
        for component in components
        for version in component.versions.values()
        if (number := projects.number(slot, wanted, version))
    ]
    for component, version, number in known:
        if wanted.specifier.contains(number, prereleases=True):
            entry = (component, version)
            return Pin(slot, shown, _named(slot, library, *entry), ""), entry
    least = re.search(r"[0-9]+(\.[0-9]+)*", str(wanted.specifier))
    found = _nearest(known, least[0]) if least else None
    return Pin(slot, shown, "", _named(slot, library, *found) if found else ""), found


def _nearest(known: list[tuple[Component, Known, str]], number: str) -> _Entry | None:
    """What has a version of the same minor, else of the same major; above it before below it."""
    here = version_key(number)
    for same in (2, 1):
        alike = [entry for entry in known if version_key(entry[2])[:same] == here[:same]]
        above = [entry for entry in alike if version_key(entry[2]) > here]
        if alike:
            choose = min if above else max
            component, version, _ = choose(above or alike, key=lambda e: version_key(e[2]))
            return component, version
    return None


def _named(slot: str, library: Library, component: Component, version: Known) -> str:
    alone = library.meant(slot) == [component]
    return version.version if alone else f"{component.name}@{version.version}"
