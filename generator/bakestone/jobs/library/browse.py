"""What the library has, as plain records: every component, and every version of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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
_TRUST = ("high", "medium-high", "medium", "low")


@dataclass(frozen=True)
class ComponentRow:
    """A component. `added` counts the versions that a team put over Bakestone's own, `retired` says
    why it was given up.
    """

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
    """A version. `confidence` is that of the checksums of each method, empty where the library does
    not say.
    """

    version: str
    methods: tuple[str, ...]
    platforms: tuple[str, ...]
    ends: tuple[End, ...]
    confidence: dict[str, str]
    origin: str
    retired: str


def entries(library: Library) -> list[ComponentRow]:
    """Every component, in the order of the slots."""
    found = map(entry, filter(None, map(library.get, library.names)))
    return sorted(found, key=lambda e: (slot_rank(e.slot), e.component))


def entry(component: Component) -> ComponentRow:
    """One component."""
    whole = next((r for r in component.retired if r.versions == "*"), None)
    return ComponentRow(
        slot=component.slot,
        component=component.name,
        title=str(component.data.get("title", component.name)),
        versions=len(component.versions),
        newest=_newest(component),
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
        methods = tuple(
            method
            for method in component.methods
            if method in version.methods
            and (
                not distro
                or isinstance(samples.find(component, version, method, library, distro), Variant)
            )
        )
        if distro and not methods:
            continue
        confidence = {method: _confidence(version, method) for method in methods}
        if component.slot == "distro":
            confidence = {"image": str(version.data.get("confidence", ""))}
        own = BUILT_IN if component.built_in else TEAM
        retired = (
            r.because
            for r in component.retired
            if matches(r.versions, component.name, version.version)
        )
        found.append(
            VersionRow(
                version.version,
                methods,
                _platforms(version),
                tuple(lifecycle.ends(component, version)),
                confidence,
                ADDED if version.version in added else own,
                next(retired, ""),
            )
        )
    return found


def _newest(component: Component) -> str:
    """The newest version; versions are read only where a name says nothing of its age."""
    if all(name[:1].isdigit() for name in component.versions):
        return next(iter(component.versions), "")
    return max(component.versions.values(), key=lifecycle.order).version


def _added(component: Component) -> set[str]:
    """The versions in a team's own versions.yaml, which was checked when it was read."""
    return {
        str(name)
        for path in component.overlays
        for name in (yamldoc.fast(path) or {}).get("versions", {})
    }


def _confidence(version: Version, method: str) -> str:
    """The lowest that is stated for the method's entries."""
    data = version.methods[method]
    entries = data.get(ENTRIES.get(method, "")) or [{}]
    stated = {str(e.get("confidence") or data.get("confidence", "")) for e in entries}
    if "" in stated:
        return ""
    return max(stated, key=lambda s: _TRUST.index(s) if s in _TRUST else len(_TRUST))


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
