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
from bakestone.clients.http.session import Session, shown
from bakestone.clients.registry.client import Registry
from bakestone.core.documents.words import few
from bakestone.core.lock import demand, lockfile, staleness, survey
from bakestone.core.lock.needs import Distro
from bakestone.core.render import release
from bakestone.errors import BakestoneError, Finding
from bakestone.jobs.doctor import answers
from bakestone.jobs.doctor.checks import bases, files, frameworks, machine, packages, repositories
from bakestone.jobs.doctor.checks.bases import Bases
from bakestone.jobs.doctor.checks.repositories import Repositories
from bakestone.jobs.doctor.checks.wheels import Wheels
from bakestone.jobs.doctor.report import BROKEN, LEFT_OVER, UNCHECKED, Check, DoctorReport, Trouble
from bakestone.project import Project

Watch = Callable[[int, int, str], None]
"""Told how many checks have ended, how many there are so far, and the last one's name."""


@dataclass(frozen=True)
class DoctorOptions:
    """`skip` holds kinds that are not looked at; `deep` downloads every file.

    `max_time` is in seconds, for all checks; an engine that has to pull base images takes longest.
    """

    deep: bool = False
    skip: frozenset[str] = frozenset()
    max_time: float = 900


@dataclass
class World:
    """What is outside: engine, clock, disk. Tests put others in."""

    engine: Engine
    now: Callable[[], float] = time.time
    free: Callable[[Path], int] = machine.free
    folder: Path = field(default_factory=Path.cwd)


def examine(
    project: Project, selectors: Iterable[str], options: DoctorOptions, world: World, watch: Watch
) -> DoctorReport:
    """Look at everything that the selected variants need.

    Raises `BakestoneError` when matrix, lock or selectors are not right.
    """
    work = _Examination(project, selectors, options, world, watch)
    work.run()
    return work.report


class _Examination:
    def __init__(
        self,
        project: Project,
        selectors: Iterable[str],
        options: DoctorOptions,
        world: World,
        watch: Watch,
    ) -> None:
        self.project, self.options, self.world, self.watch = project, options, world, watch
        matrix = project.matrix  # first: where it is missing, the lock says nothing
        self.lock = lockfile.load(project.lock_path)
        self.locked = project.select(self.lock.selection)
        there = {v.name for v in self.locked}
        variants = [v for v in project.select(tuple(selectors)) if v.name in there]
        self.report = DoctorReport(tuple(v.name for v in variants))
        self.whole = demand.of(variants, matrix.library)
        self.plan = demand.in_lock(self.whole, self.lock)
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
        path = self.project.release_path
        yield Check("release", str(path), (), partial(self.left_over, path))

    def left_over(self, path: Path) -> list[Trouble]:
        """The tags of a release that are no longer in images.yaml."""
        record = release.read(path)
        retired = release.retired(record, self.project.matrix.tags) if record else []
        why = f"images.yaml no longer has {few([one.tag for one in retired])}"
        names = tuple(one.reference for one in retired)
        hint = "the tags stay until `bakestone retire --yes` takes them away"
        return [Trouble(why, hint, LEFT_OVER, items=names)] if retired else []

    def stale(self) -> list[Trouble]:
        """Whether the lock fits the matrix."""
        needs = survey.collect(self.locked, self.project.matrix.library)
        now = datetime.fromtimestamp(self.world.now(), UTC)
        findings = staleness.stale(
            self.lock, needs, self.project.lock_path, now, self.project.pins_of
        )
        return [Trouble(finding.message, finding.hint) for finding in findings]

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
            hit = tuple(name for path in paths for name in owners[path])
            rows.append(Trouble(why, hint, what=few(paths, 1), variants=hit, items=paths))
        return rows

    def asked(self) -> Iterator[Check]:
        """Everything that is asked over the network, and the engine."""
        plan, lock, site = self.plan, self.lock, self.project.site
        if plan.variants:
            ready = partial(self.machine.check, plan.platforms)
            yield Check("engine", site.builder or "Docker", (), ready)
        for ref, users in plan.bases.items():
            there = partial(self.bases.check, ref, lock.bases[ref], users)
            yield Check("base", ref, users.names, there)
        deep = self.options.deep
        for url, (artifact, users) in plan.artifacts.items():
            locked, what = lock.artifacts[url], shown(url)
            size, checksum = locked.size or artifact.size, locked.sha256 if deep else ""
            whole = partial(files.check, what, url, size, self.asker, checksum)
            yield Check("file", what, users.names, whole)
        for key, (wheel, users) in plan.wheels.items():
            same = partial(self.wheels.check, wheel, lock.wheels[key], users, deep=deep)
            yield Check("wheel", key, users.names, same)
        for key, (_, users) in plan.environments.items():
            whole_of = partial(self.wheels.environment, lock.environments[key], users, deep=deep)
            yield Check("environment", key, users.names, whole_of)
        asked = dict.fromkeys(f for v in plan.variants for f in v.family.frameworks)
        for name in (name for name in asked if name in lock.frameworks):
            users_of = tuple(v.name for v in plan.variants if name in v.family.frameworks)
            asks = partial(frameworks.check, name, lock.frameworks[name], self.wheels.index)
            yield Check("framework", name, users_of, asks)
        times: dict[tuple[Distro, str], set[str]] = {}
        for wanted in plan.sets:
            packages_of = lock.packages[wanted.base]
            if packages_of.pins == "snapshot":
                times.setdefault((wanted.distro, packages_of.snapshot), set()).add(wanted.base)
        for (distro, time_of), refs in times.items():
            signed = partial(repositories.snapshot, distro, time_of, self.asker)
            yield Check("snapshot", f"{distro.text} at {time_of}", plan.base_users(refs), signed)
        for name, (repository, users) in plan.repositories.items():
            keyring = lock.keyrings.get(name)
            checksum = keyring.sha256 if keyring and keyring.url == repository.key else ""
            trusted = partial(repositories.key, repository, self.asker, checksum)
            yield Check("key", f"key of {name}", users.names, trusted)
            fetch = partial(self.repositories.fetch, repository, users.platforms)
            yield Check("repository", name, users.names, fetch)
        for family in plan.images:
            place = f"{self.project.registry}/{family}"
            yield Check("registry", place, (), partial(bases.pushable, place, self.registry))

    def pinned_at_vendors(self) -> Iterator[Check]:
        """The vendors' packages that the library pins, looked for in the lists that came."""
        for wanted, users in self.plan.sets.items():
            vendors = [repository.name for repository in wanted.repositories]
            # a list that did not come has a row of its own
            if vendors and self.repositories.packages.keys() >= set(vendors):
                missing = partial(self.repositories.missing, wanted)
                yield Check("package", f"from {', '.join(vendors)}", users.names, missing)

    def inside_bases(self) -> Iterator[Check]:
        """The distro's packages at their exact versions: asked inside each base that is there, all
        in one call.
        """
        rows = self.report.troubles
        lost = {row.what for row in rows if row.kind == "base" and row.state == BROKEN}
        there = []
        for question in packages.questions(
            self.plan.sets, self.lock.packages, self.lock.bases, self.repositories.packages
        ):
            known = (question.ref, question.platform) in self.bases.there
            if not known and "base" not in self.options.skip:
                state = "not there" if question.ref in lost else "not known to be there"
                reason = f"its base image is {state}"
            elif not self.machine.ready:
                reason = "there is no engine that could ask its package manager"
            else:
                there.append(question)
                continue
            why, items = f"not asked for: {reason}", (question.what,)
            row = Trouble(why, "see the row of that", UNCHECKED, "of base images", items=items)
            yield Check("package", question.what, question.variants, partial(list, [row]))
        if there:
            now = datetime.fromtimestamp(self.world.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            users = tuple(dict.fromkeys(name for q in there for name in q.variants))
            ask = partial(packages.ask, there, self.world.engine, now)
            yield Check("package", f"of {len(there)} base images", users, ask)

    def last(self) -> Iterator[Check]:
        """What is known only after all the others: how much is fetched, and what time the servers
        say it is.
        """
        wheels = (self.lock.wheels[key].files.values() for key in self.plan.wheels)
        locked = (self.lock.environments[key].files for key in self.plan.environments)
        environments = [max(files.values(), key=len, default=()) for files in locked]
        fetched = (
            sum(self.bases.sizes.values())
            + sum(self.lock.artifacts[url].size for url in self.plan.artifacts)
            + sum(max((size for _, _, size in several), default=0) for several in wheels)
            + sum(size for files in environments for _, _, size in files)
        )
        folder, free = self.world.folder, self.world.free
        disk = partial(machine.disk, self.machine.root, folder, fetched, free)
        yield Check("disk", str(folder), (), disk)
        yield Check("clock", "clock", (), lambda: machine.clock(dict(self.hosts.skews)))
