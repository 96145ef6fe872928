"""`bakestone outdated`: the lock of a project, compared with what registries, library and package
managers have today.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.registry.client import Registry
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.words import Say, count, few
from bakestone.core.lock import lockfile
from bakestone.core.lock.lock import Lock, LockedBase
from bakestone.core.matrix.variant import Variant
from bakestone.errors import BakestoneError, Finding
from bakestone.jobs.freshness import digests, occurrences, rows
from bakestone.jobs.freshness.package_updates import BaseUse, PackageUpdates, uses_of
from bakestone.jobs.freshness.rows import OutdatedReport, OutdatedRow, Unasked
from bakestone.project import Project


@dataclass(frozen=True)
class OutdatedOptions:
    """`kinds` of rows that are wanted, the day (UTC) they are judged on, and whether families that
    ignore end of life are too.
    """

    kinds: frozenset[str]
    at: datetime.date
    everything: bool = False


def ask(
    project: Project, selectors: Sequence[str], options: OutdatedOptions, say: Say
) -> OutdatedReport:
    """Everything that is newer than the pins of the selected variants.

    What cannot be asked is in the report, and hides nothing else. Raises `BakestoneError` only for
    a matrix, site or lock that is not right, or selectors that name nothing.
    """
    asking = _Asking(project, project.select(selectors), options, say)
    asking.run()
    order = ("base", "snapshot", "version", "package")
    found = sorted(asking.rows, key=lambda row: (order.index(row.kind), not row.security))
    return OutdatedReport(
        tuple(found), tuple(asking.unasked), tuple(asking.notes), len(asking.variants)
    )


class _Asking:
    def __init__(
        self, project: Project, variants: Sequence[Variant], options: OutdatedOptions, say: Say
    ) -> None:
        self.project, self.variants, self.options, self.say = project, variants, options, say
        self.rows: list[OutdatedRow] = []
        self.unasked: list[Unasked] = []
        self.notes: list[str] = []
        self.lock = Lock()
        self.uses: dict[str, BaseUse] = {}
        """The bases that are in the lock."""
        self.moving: set[str] = set()
        """Bases of which the registry has a newer digest."""

    def run(self) -> None:
        kinds = self.options.kinds
        if kinds - {"version"}:
            self.read_lock()
        if kinds & {"base", "package", "security"}:
            self.bases()
        if "snapshot" in kinds:
            self.snapshots()
        if kinds & {"package", "security"}:
            self.packages()
        if "version" in kinds:
            self.versions()

    def read_lock(self) -> None:
        """The lock as far as it goes: a missing or stale one is told, and hides nothing else."""
        path, hint = self.project.lock_path, "run `bakestone lock`"
        if not path.is_file():
            missing = Finding(f"there is no lock: {path}", hint)
            self.not_asked("base images and packages", missing)
            return
        self.lock = lockfile.load(path)
        for ref, use in uses_of(self.variants, self.project.matrix.library).items():
            if ref in self.lock.bases:
                self.uses[ref] = use
            else:
                self.not_asked(ref, Finding("it is not in the lock", hint))

    def not_asked(self, what: str, problem: Finding) -> None:
        self.unasked.append(Unasked(what, problem.message, problem.hint))

    def bases(self) -> None:
        locked = {ref: self.lock.bases[ref] for ref in self.uses}
        shown = "base" in self.options.kinds
        problems: dict[Finding, list[str]] = {}
        for ref, today in digests.ask(locked, Registry(self.project.site)).items():
            if today.problem:
                problems.setdefault(today.problem, []).append(ref)
            elif not today.digest:
                self.notes.append(
                    f"{ref} is gone: its registry has no such tag any more; the locked digest may"
                    " go too"
                )
            elif today.digest != locked[ref].digest:
                self.moving.add(ref)
                if shown:
                    self.rows.append(_base_row(ref, locked[ref], today, self.uses[ref]))
        for problem, refs in problems.items() if shown else ():
            self.not_asked(few(refs, 3), problem)

    def snapshots(self) -> None:
        """One time for all bases of a distro; how much older it is than the last midnight."""
        seen: dict[tuple[str, str], dict[str, bool]] = {}
        for ref, use in self.uses.items():
            packages = self.lock.packages.get(ref)
            if packages and packages.pins == "snapshot":
                seen.setdefault((packages.distro, packages.snapshot), {}).update(use.variants)
        for (distro, snapshot), users in seen.items():
            days = (self.options.at - datetime.date.fromisoformat(snapshot[:8])).days
            if days > 0:
                newest = self.options.at.strftime("%Y%m%dT000000Z")
                move, note = f"bakestone lock --update {distro}", f"{count(days, 'day')} old"
                self.rows.append(
                    OutdatedRow("snapshot", distro, snapshot, newest, move, tuple(users), note=note)
                )

    def packages(self) -> None:
        """Of every base with exact versions: what its package manager would install today."""
        packages = self.lock.packages
        pins = {ref: packages[ref].pins for ref in self.uses if ref in packages}
        others = sorted(set(pins.values()) - {"versions"})
        if others:
            self.notes.append(
                f"packages pinned by {' or '.join(others)} are not compared one by one"
            )
        exact = [ref for ref in pins if pins[ref] == "versions"]
        engine = Engine(self.project.site)
        try:
            if exact:
                engine.client()
        except BakestoneError as problem:
            found = problem.findings[0]
            hint = f"{found.hint}; or leave them out: --no-packages"
            self.not_asked("packages", replace(found, hint=hint))
            return
        asking = PackageUpdates(self.lock, self.project.matrix.library, engine, self.moving)
        every = "package" in self.options.kinds
        for ref in exact:
            self.say(f"{ref}: asking its package manager inside the image")
            try:
                rows = list(asking.rows(ref, self.uses[ref]))
                self.rows += [row for row in rows if every or row.security]
            except BakestoneError as problem:
                self.not_asked(f"packages on {ref}", problem.findings[0])

    def versions(self) -> None:
        """Families with `end_of_life: ignore` are records of what once was: told when asked for."""
        document = yamldoc.load(self.project.matrix_path, "the matrix")
        matrix, told = self.project.matrix, self.variants
        if not self.options.everything:
            told = [v for v in told if v.family.end_of_life != "ignore"]
        self.rows += rows.versions(
            matrix, occurrences.find(document, matrix.library), told, self.options.at
        )
        left = {v.family.name for v in self.variants} - {v.family.name for v in told}
        if left:
            why = "versions are not compared (`end_of_life: ignore`); --all does"
            self.notes.append(f"{', '.join(sorted(left))}: {why}")


def _base_row(ref: str, locked: LockedBase, today: digests.Today, use: BaseUse) -> OutdatedRow:
    notes = [] if any(use.variants.values()) else ["in build stages only"]
    notes += [f"made {today.created}"] if today.created else []
    if locked.epoch and today.created:
        notes.append(
            f"the locked one {datetime.datetime.fromtimestamp(locked.epoch, datetime.UTC).date()}"
        )
    if locked.platforms and today.platforms:
        gone = sorted(set(locked.platforms) - set(today.platforms))
        if gone:
            notes.append(f"no longer for {', '.join(gone)}")
        elif all(today.platforms[p] == digest for p, digest in locked.platforms.items()):
            notes = [f"another index of the same images for {', '.join(sorted(locked.platforms))}"]
    return OutdatedRow(
        "base",
        ref,
        locked.digest or "no digest",
        today.digest,
        f"bakestone lock --update {ref}",
        tuple(use.variants),
        note="; ".join(notes),
    )
