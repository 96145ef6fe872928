"""What the library has, as plain records: every component, and every version of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import matches
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from bakestone.core.library.version import ENTRIES, Version
from bakestone.core.lock import samples
from bakestone.core.matrix.checks import lifecycle
from bakestone.core.matrix.checks.lifecycle import End
from bakestone.core.matrix.variant import Variant, slot_rank

BUILT_IN, TEAM, ADDED = "built-in", "team", "added by the team"
NEWEST = 5
"""How many versions of each component are shown of a slot."""
_TRUST = ("high", "medium-high", "medium", "low")


@dataclass(frozen=True)
class ComponentRow:
    """`added` counts a team's versions over Bakestone's own; `retired` says why it was given up."""

    slot: str
    component: str
    title: str
    versions: int
    newest: str
    methods: tuple[str, ...]
    licence: str
    terms: str
    origin: str
    added: int
    retired: str


@dataclass(frozen=True)
class VersionRow:
    """`confidence` is that of each method's checksums, empty where the library does not say."""

    version: str
    methods: tuple[str, ...]
    platforms: tuple[str, ...]
    ends: tuple[End, ...]
    confidence: dict[str, str]
    origin: str
    retired: str


def entries(library: Library) -> list[ComponentRow]:
    """Every component, in the order of the slots."""
    found = map(entry, library.components())
    return sorted(found, key=lambda e: (slot_rank(e.slot), e.component))


def of_slot(slot: str, library: Library) -> list[tuple[ComponentRow, tuple[str, ...]]]:
    """The components that can fill a slot, each with the newest of its versions, the newest first;
    those that were given up are left out.
    """
    found = [(entry(component), newest(component)) for component in library.of_slot(slot)]
    return [(row, versions) for row, versions in found if not row.retired]


def newest(component: Component) -> tuple[str, ...]:
    """The newest `NEWEST` versions, the newest first; versions are read only where a name says
    nothing of its age.
    """
    if all(name[:1].isdigit() for name in component.versions):
        return tuple(islice(component.versions, NEWEST))
    known = sorted(component.versions.values(), key=lifecycle.order, reverse=True)
    return tuple(version.version for version in known[:NEWEST])


def entry(component: Component) -> ComponentRow:
    """One component."""
    whole = next((r for r in component.retired if r.versions == "*"), None)
    return ComponentRow(
        slot=component.slot,
        component=component.name,
        title=str(component.data.get("title", component.name)),
        versions=len(component.versions),
        newest=next(iter(newest(component)), ""),
        methods=tuple(component.methods),
        licence=str(component.data.get("licence", "")),
        terms=component.terms.id if component.terms else "",
        origin=BUILT_IN if component.built_in else TEAM,
        added=len(_added(component)),
        retired=whole.because if whole else "",
    )


def rows(component: Component, library: Library, distro: str = "") -> list[VersionRow]:
    """Every version, newest first; with `distro` (component@version) only what it can have."""
    added = _added(component)
    found = []
    for version in sorted(component.versions.values(), key=lifecycle.order, reverse=True):
        methods = tuple(m for m in component.methods if m in version.methods)
        if distro:
            tried = {m: samples.find(component, version, m, library, distro) for m in methods}
            methods = tuple(m for m, made in tried.items() if isinstance(made, Variant))
        if distro and not methods:
            continue
        confidence = {method: _confidence(version, method) for method in methods}
        if component.slot == "distro":
            confidence = {"image": str(version.data.get("confidence", ""))}
        origin = BUILT_IN if component.built_in else TEAM
        if version.version in added:
            origin = ADDED
        ends, platforms = tuple(lifecycle.ends(component, version)), _platforms(version)
        name = (component.name, version.version)
        why = next((r.because for r in component.retired if matches(r.versions, *name)), "")
        row = VersionRow(version.version, methods, platforms, ends, confidence, origin, why)
        found.append(row)
    return found


def _added(component: Component) -> set[str]:
    """The versions in a team's own versions.yaml, which was checked when it was read."""
    files = map(yamldoc.fast, component.overlays)
    return {str(name) for data in files for name in (data or {}).get("versions", {})}


def _confidence(version: Version, method: str) -> str:
    """The lowest that is stated for the method's entries."""
    data = version.methods[method]
    entries = data.get(ENTRIES.get(method, "")) or [{}]
    stated = {str(e.get("confidence") or data.get("confidence", "")) for e in entries}
    if "" in stated:
        return ""
    return max(stated, key=_TRUST.index)


def _platforms(version: Version) -> tuple[str, ...]:
    """The platforms on which some method has it; empty for all of them."""
    by_method = [_of_method(method, data) for method, data in version.methods.items()]
    if not by_method or not all(by_method):
        return version.platforms
    found = set().union(*by_method)
    return tuple(sorted(found & set(version.platforms) if version.platforms else found))


def _of_method(method: str, data: dict[str, Any]) -> set[str]:
    """The platforms of one method; empty for all of them, or where only the registry knows."""
    listed: Iterable[dict[str, Any]] = data.get(ENTRIES.get(method, ""), [])
    if method == "wheel":
        return set().union(*(wheel["files"] for wheel in listed))
    if method == "image":
        found = {p for entry in listed for p in entry.get("platforms") or [None]}
    else:
        found = {entry.get("platform") for entry in listed}
    return set() if None in found else {str(platform) for platform in found}
