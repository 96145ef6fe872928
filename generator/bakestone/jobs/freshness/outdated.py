"""`bakestone outdated`: the lock of a project, compared with what registries, library and package
managers have today.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.registry.client import Registry
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.words import Say, count
from bakestone.core.lock import lockfile
from bakestone.core.lock.lock import Lock, LockedBase
from bakestone.core.matrix.variant import Variant
from bakestone.errors import BakestoneError, Finding
from bakestone.jobs.freshness import digests, occurrences, rows
from bakestone.jobs.freshness.base_use import BaseUse, uses_of
from bakestone.jobs.freshness.package_updates import PackageUpdates
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
            what = "base images and packages"
            self.unasked.append(Unasked(what, f"there is no lock: {path}", hint))
            return
        self.lock = lockfile.load(path)
        for ref, use in uses_of(self.variants, self.project.matrix.library).items():
            if ref in self.lock.bases:
                self.uses[ref] = use
            else:
                self.unasked.append(Unasked(ref, "it is not in the lock", hint))

    def bases(self) -> None:
        locked = {ref: self.lock.bases[ref] for ref in self.uses}
        today = digests.ask(locked, Registry(self.project.site))
        problems: dict[Finding, list[str]] = {}
        for ref, answer in today.items():
            if answer.problem:
                problems.setdefault(answer.problem, []).append(ref)
            elif not answer.digest:
                self.notes.append(
                    f"{ref} is gone: its registry has no such tag any more; the locked digest may"
                    " go too"
                )
            elif answer.digest != locked[ref].digest:
                self.moving.add(ref)
                if "base" in self.options.kinds:
                    self.rows.append(_base_row(ref, locked[ref], answer, self.uses[ref]))
        if "base" in self.options.kinds:
            for problem, refs in problems.items():
                self.unasked.append(Unasked(_few(refs), problem.message, problem.hint))

    def snapshots(self) -> None:
        """One time for all bases of a distro; how much older it is than the last midnight."""
        seen: dict[tuple[str, str], dict[str, None]] = {}
        for ref, use in self.uses.items():
            packages = self.lock.packages.get(ref)
            if packages and packages.pins == "snapshot":
                seen.setdefault((packages.distro, packages.snapshot), {}).update(
                    dict.fromkeys(use.variants)
                )
        for (distro, snapshot), variants in seen.items():
            taken = datetime.date.fromisoformat(snapshot[:8])
            days = (self.options.at - taken).days
            if days > 0:
                newest = self.options.at.strftime("%Y%m%dT000000Z")
                move = f"bakestone lock --update {distro}"
                note = f"{count(days, 'day')} old"
                self.rows.append(
                    OutdatedRow(
                        "snapshot", distro, snapshot, newest, move, tuple(variants), note=note
                    )
                )

    def packages(self) -> None:
        """Of every base with exact versions: what its package manager would install today."""
        engine = Engine(self.project.site)
        wanted = {ref: use for ref, use in self.uses.items() if self._exact(ref)}
        others = sorted(
            {
                p.pins
                for ref in self.uses
                if (p := self.lock.packages.get(ref)) and p.pins != "versions"
            }
        )
        if others:
            self.notes.append(
                f"packages pinned by {' or '.join(others)} are not compared one by one"
            )
        if not wanted:
            return
        try:
            engine.client()
        except BakestoneError as problem:
            finding = problem.findings[0]
            hint = f"{finding.hint}; or leave them out: --no-packages"
            self.unasked.append(Unasked("packages", finding.message, hint))
            return
        asking = PackageUpdates(self.lock, self.project.matrix.library, engine, self.moving)
        for ref, use in wanted.items():
            self.say(f"{ref}: asking its package manager inside the image")
            try:
                found = list(asking.rows(ref, use))
            except BakestoneError as problem:
                finding = problem.findings[0]
                self.unasked.append(Unasked(f"packages on {ref}", finding.message, finding.hint))
                continue
            every = "package" in self.options.kinds
            self.rows += [row for row in found if every or row.security]

    def versions(self) -> None:
        matrix, everything = self.project.matrix, self.options.everything
        document = yamldoc.load(self.project.matrix_path, "the matrix")
        places = occurrences.find(document, matrix.library)
        self.rows += rows.versions(
            matrix, places, self.variants, self.options.at, ignoring=everything
        )
        ignored = sorted({v.family.name for v in self.variants if v.family.end_of_life == "ignore"})
        if ignored and not everything:
            names = ", ".join(ignored)
            self.notes.append(
                f"{names}: versions are not compared (`end_of_life: ignore`); --all does"
            )

    def _exact(self, ref: str) -> bool:
        packages = self.lock.packages.get(ref)
        return packages is not None and packages.pins == "versions"


def _base_row(ref: str, locked: LockedBase, today: digests.Today, use: BaseUse) -> OutdatedRow:
    notes = [] if use.images else ["in build stages only"]
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


def _few(refs: list[str]) -> str:
    return ", ".join(refs[:3]) + (f" and {len(refs) - 3} more" if len(refs) > 3 else "")
