"""What one source of a component (package index, release list, vendor's repositories) has of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bakestone.core.library.component import Component
from bakestone.errors import Finding
from bakestone.jobs.library import additions
from bakestone.jobs.library.additions import Entry


@dataclass(frozen=True)
class SourceRead:
    """What was found: the `builds` (version of the library, project, its version there) that are in
    the library or become part of it, and `left_out`, (project, version) -> why the library is
    without it. `projects` are all that the source was asked for.

    `added` are entries for versions that the library does not have, `further` methods of those that
    it has: version -> method -> data. `silent` is why something was not read: a server gave no
    answer.
    """

    projects: frozenset[str]
    builds: tuple[tuple[str, str, str], ...] = ()
    added: Mapping[str, Entry] = field(default_factory=dict)
    further: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)
    left_out: Mapping[tuple[str, str], str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    silent: tuple[Finding, ...] = ()


def merged(reads: Iterable[SourceRead]) -> SourceRead:
    """What several sources have: a version that two of them bring gets the methods of both."""
    projects: set[str] = set()
    builds: list[tuple[str, str, str]] = []
    added: dict[str, Entry] = {}
    further: dict[str, dict[str, Entry]] = {}
    left_out: dict[tuple[str, str], str] = {}
    findings: list[Finding] = []
    silent: list[Finding] = []
    for read in reads:
        projects |= read.projects
        builds += read.builds
        left_out |= read.left_out
        findings += read.findings
        silent += read.silent
        for version, entry in read.added.items():
            added[version] = _both(added.get(version, {}), entry)
        for version, methods in read.further.items():
            further.setdefault(version, {}).update(methods)
    told = (tuple(findings), tuple(silent))
    return SourceRead(frozenset(projects), tuple(builds), added, further, left_out, *told)


def _both(one: Entry, other: Entry) -> Entry:
    methods = [entry.get("methods", {}) for entry in (one, other)]
    together = {
        key: data for part in methods if isinstance(part, dict) for key, data in part.items()
    }
    return {**one, **other, "methods": together}


def by_hand(
    component: Component, version: str, entry: Entry | None, lacking: tuple[str, str]
) -> Finding:
    """That a new version needs what its source does not say (`lacking`: what, and the source): its
    entry, for a person to write, where that is known.
    """
    needs, where = lacking
    why = f"{version} is on {where}, which does not say {needs}"
    hint = f"`bakestone library update {component.name}` shows what to write"
    if entry is not None:
        text = additions.shown(version, entry)
        hint = f"write it to {component.name}/versions.yaml, with that:\n{text}"
    return Finding(why, hint, name=component.name, severity="warning")
