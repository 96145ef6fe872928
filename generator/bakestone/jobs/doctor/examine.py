"""The whole examination: what the lock names, what needs an engine, then the machine itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import Session
from bakestone.clients.registry.client import Registry
from bakestone.core.lock import demand, lockfile, staleness, survey
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import PackageSet
from bakestone.core.matrix.variant import Variant
from bakestone.core.render import release
from bakestone.errors import BakestoneError, Finding
from bakestone.jobs.doctor import answers
from bakestone.jobs.doctor.checks import bases, files, machine, packages, repositories
from bakestone.jobs.doctor.checks.bases import Bases
from bakestone.jobs.doctor.checks.packages import SHOWN
from bakestone.jobs.doctor.checks.repositories import Repositories
from bakestone.jobs.doctor.checks.wheels import Wheels
from bakestone.jobs.doctor.report import BROKEN, LEFT_OVER, UNCHECKED, Check, DoctorReport, Trouble
from bakestone.project import Project

MAX_TIME = 900.0
"""Seconds for all checks; an engine that has to pull base images takes longest."""

Watch = Callable[[int, int, str], None]
"""Told how many checks have ended, how many there are so far, and the last one's name."""


@dataclass(frozen=True)
class DoctorOptions:
    """`skip` holds kinds that are not looked at;

    `deep` downloads every file; `max_time` in seconds.
    """

    deep: bool = False
    skip: frozenset[str] = frozenset()
    max_time: float = MAX_TIME


@dataclass
class World:
    """What is outside: engine, clock, disk. Tests put others in."""

    engine: Engine
    now: Callable[[], float] = time.time
    free: machine.Free = machine.free
    folder: Path = field(default_factory=Path.cwd)


def examine(
    project: Project, selectors: Iterable[str], options: DoctorOptions, world: World, watch: Watch
) -> DoctorReport:
    """Look at everything that the selected variants need.

    Raises `BakestoneError` when matrix, lock or selectors are not right.
    """
    lock = lockfile.load(project.lock_path)
    there = {v.name for v in project.select(lock.selection)}
    chosen = [v for v in project.select(tuple(selectors)) if v.name in there]
    work = _Examination(project, lock, chosen, options, world, watch)
    work.run()
    return work.report


class _Examination:
    def __init__(
        self,
        project: Project,
        lock: Lock,
        variants: list[Variant],
        options: DoctorOptions,
        world: World,
        watch: Watch,
    ) -> None:
        self.project = project
        self.lock = lock
        self.options = options
        self.world = world
        self.watch = watch
        self.report = DoctorReport(tuple(v.name for v in variants))
        self.whole = demand.of(variants, project.matrix.library)
        self.plan = demand.in_lock(self.whole, lock)
        self.hosts = Session(project.site, give_up=1, now=world.now)
        self.asker = Asker(self.hosts)
        self.registry = Registry(project.site, self.hosts)
        self.bases = Bases(self.registry)
        self.wheels = Wheels(project.site, self.asker)
        self.repositories = Repositories(self.asker)
        self.machine = machine.Machine(world.engine)
        self.until = time.monotonic() + options.max_time
        self.total = 0

    def run(self) -> None:
        """Three rounds: each needs answers of the one before."""
        self.round([*self.local(), *self.asked()])
        self.round([*self.pinned_at_vendors(), *self.inside_bases()])
        self.round([*self.last()])

    def round(self, checks: list[Check]) -> None:
        wanted = [check for check in checks if check.kind not in self.options.skip]
        self.total += len(wanted)
        answers.run(
            wanted,
            self.report,
            until=self.until,
            tick=lambda c: self.watch(sum(self.report.asked.values()), self.total, c.what),
        )

    def local(self) -> Iterator[Check]:
        """Lock and Dockerfiles."""
        names = self.plan.names
        yield Check("lock", str(self.project.lock_path), names, self.stale)
        yield Check("dockerfile", str(self.project.output), names, self.drift)
        path = self.project.lock_path.with_name("release.json")
        yield Check("release", str(path), (), partial(self.left_over, path))

    def left_over(self, path: Path) -> list[Trouble]:
        """The images of a release whose variants are no longer in images.yaml."""
        record = release.read(path)
        known = [(v.family.name, v.name) for v in self.project.matrix.variants]
        retired = release.retired(record, known) if record else []
        if not retired:
            return []
        why = f"images.yaml no longer has {', '.join(image.name for image in retired[:SHOWN])}"
        why += f" and {len(retired) - SHOWN} more" if len(retired) > SHOWN else ""
        names = tuple(image.floating for image in retired)
        hint = "their tags stay until `bakestone retire --yes` takes them away"
        return [Trouble("release", str(path), why, hint, LEFT_OVER, items=names)]

    def stale(self) -> list[Trouble]:
        """Whether the lock fits the matrix."""
        locked_for = self.project.select(self.lock.selection)
        try:
            staleness.check_fresh(
                self.lock,
                survey.collect(locked_for, self.project.matrix.library),
                self.project.lock_path,
            )
        except BakestoneError as problem:
            return [Trouble("lock", f.name, f.message, f.hint) for f in problem.findings]
        return []

    def drift(self) -> list[Trouble]:
        """The generated files that are not what images.yaml and the lock say: one row a reason.

        A stale lock is told by `stale`.
        """
        try:
            findings = self.project.drift()
        except BakestoneError:
            return []
        owners: dict[str, list[str]] = {str(self.project.output / "docker-bake.json"): []}
        for variant in self.whole.variants:
            owners.setdefault(str(self.project.path_of(variant)), []).append(variant.name)
        alike: dict[tuple[str, str], list[Finding]] = {}
        for finding in findings:
            if finding.name in owners:
                alike.setdefault((finding.message, finding.hint), []).append(finding)
        rows = []
        for (why, hint), several in alike.items():
            paths = tuple(f.name for f in several)
            what = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
            hit = tuple(name for path in paths for name in owners[path])
            rows.append(Trouble("dockerfile", what, why, hint, variants=hit, items=paths))
        return rows

    def asked(self) -> Iterator[Check]:
        """Everything that is asked over the network, and the engine."""
        plan, lock, site = self.plan, self.lock, self.project.site
        if plan.variants:
            ready = partial(self.machine.check, plan.platforms)
            yield Check("engine", site.builder or "Docker", (), ready)
        for ref, users in plan.bases.items():
            check = partial(self.bases.check, ref, lock.bases[ref], users)
            yield Check("base", ref, users.names, check)
        for url, (artifact, users) in plan.artifacts.items():
            size = lock.artifacts[url].size or artifact.size
            yield Check("file", url, users.names, partial(self.file, url, size))
        for key, (wheel, users) in plan.wheels.items():
            check = partial(
                self.wheels.check, wheel.name, key, lock.wheels[key], users, deep=self.options.deep
            )
            yield Check("wheel", key, users.names, check)
        yield from self.snapshots()
        for name, (repository, users) in plan.repositories.items():
            check = partial(repositories.key, repository, self.asker)
            yield Check("key", f"key of {name}", users.names, check)
            check = partial(self.repositories.fetch, repository, tuple(users.platforms))
            yield Check("repository", name, users.names, check)
        for family in plan.images:
            place = f"{self.project.registry}/{family}"
            yield Check("registry", place, (), partial(bases.pushable, place, self.registry))

    def file(self, url: str, size: int) -> list[Trouble]:
        """A file: there and of the right size; with `deep`, of the right checksum."""
        found = files.check("file", url, size, self.asker)
        return found or (
            files.deep("file", url, self.lock.artifacts[url].sha256, size, self.hosts)
            if self.options.deep
            else []
        )

    def snapshots(self) -> Iterator[Check]:
        """One check for each distro and time."""
        times: dict[tuple[str, str], set[str]] = {}
        distros = {}
        for wanted in self.plan.sets:
            locked = self.lock.packages[wanted.base]
            if locked.pins == "snapshot":
                times.setdefault((locked.distro, locked.snapshot), set()).add(wanted.base)
            distros[wanted.distro.text] = wanted.distro
        for (text, at), refs in times.items():
            distro = distros[text]
            check = partial(repositories.snapshot, distro, at, self.asker)
            yield Check("snapshot", f"{text} at {at}", self.plan.base_users(refs), check)

    def pinned_at_vendors(self) -> Iterator[Check]:
        """The vendors' packages that the library pins, looked for in the lists that came."""
        for wanted, users in self.plan.sets.items():
            if (
                wanted.repositories and self.repositories.missing(wanted) is not None
            ):  # else the list's own row says so
                names = ", ".join(r.name for r in wanted.repositories)
                check = partial(self.vendor, wanted, names)
                yield Check("package", f"from {names}", users.names, check)

    def vendor(self, wanted: PackageSet, names: str) -> list[Trouble]:
        """The packages of a set that its vendors no longer have."""
        gone = self.repositories.missing(wanted) or []
        if not gone:
            return []
        more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
        why = f"the repository no longer has {', '.join(gone[:SHOWN])}{more}"
        hint = (
            "choose another version, or name a mirror that kept it under `mirrors.urls` in the site"
            " file"
        )
        return [Trouble("package", f"from {names}", why, hint, items=tuple(gone))]

    def inside_bases(self) -> Iterator[Check]:
        """The distro's packages at their exact versions: asked inside each base that is there, all
        in one call.
        """
        asked = packages.questions(
            self.plan.sets, self.lock.packages, self.lock.bases, self.repositories.packages
        )
        lost = {
            row.what for row in self.report.troubles if row.kind == "base" and row.state == BROKEN
        }
        there = [
            q
            for q in asked
            if "base" in self.options.skip or (q.ref, q.platform) in self.bases.there
        ]
        for question in asked:
            if question not in there:
                reason = "is not there" if question.ref in lost else "is not known to be there"
                yield self.unasked(question, f"its base image {reason}")
            elif not self.machine.ready:
                yield self.unasked(
                    question, "there is no engine that could ask its package manager"
                )
        if there and self.machine.ready:
            now = datetime.fromtimestamp(self.world.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            users = tuple(dict.fromkeys(name for q in there for name in q.variants))
            ask = partial(packages.ask, there, self.world.engine, now)
            yield Check("package", f"of {len(there)} base images", users, ask)

    @staticmethod
    def unasked(question: packages.Question, reason: str) -> Check:
        """The row of a question that cannot be put."""
        hit, items = tuple(question.variants), (question.what,)
        why, hint = f"not asked for: {reason}", "see the row of that"
        row = Trouble("package", "of base images", why, hint, UNCHECKED, hit, items)
        return Check("package", question.what, hit, lambda: [row])

    def last(self) -> Iterator[Check]:
        """What is known only after all the others: how much is fetched, and what time the servers
        say it is.
        """
        plan = self.plan
        fetched = sum(self.bases.sizes.values()) + sum(
            self.lock.artifacts[url].size for url in plan.artifacts
        )
        fetched += sum(
            max((f[2] for f in self.lock.wheels[key].files.values()), default=0)
            for key in plan.wheels
        )
        folder, free = self.world.folder, self.world.free
        disk = partial(machine.disk, self.machine.root, folder, fetched, free)
        yield Check("disk", str(folder), (), disk)
        yield Check("clock", "clock", (), lambda: machine.clock(dict(self.hosts.skews)))
