"""`bakestone outdated`: the lock of a project, compared with what registries, library and package
managers have today.
"""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from bakestone.clients.engine.buildx import Engine, inline_target
from bakestone.clients.registry.client import Registry
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.lock import lockfile
from bakestone.core.lock.lock import Lock, LockedBase, LockedPackages
from bakestone.core.lock.needs import PackageSet
from bakestone.core.lock.survey import KEYRING_BUILDER, Survey
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.packages import apt, dnf
from bakestone.core.render.packages.updates import Updates
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, fail
from bakestone.jobs.freshness import digests
from bakestone.jobs.freshness import occurrences as places
from bakestone.jobs.freshness import rows as freshness
from bakestone.jobs.freshness.rows import Report, Row, Unasked
from bakestone.project import Project

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """`kinds` of rows that are wanted, the day (UTC) they are judged on, and whether families that
    ignore end of life are too.
    """

    kinds: frozenset[str]
    at: datetime.date
    everything: bool = False


@dataclass
class _Use:
    """A base image's use: the variants built on it, all that it has a part in, and the package sets
    with theirs.
    """

    images: dict[str, Variant] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    platforms: set[str] = field(default_factory=set)
    sets: dict[tuple[str, ...], PackageSet] = field(default_factory=dict)
    users: dict[tuple[str, ...], dict[str, bool]] = field(default_factory=dict)
    """Package set -> variant -> whether it is installed in the image itself."""


def ask(project: Project, selectors: Sequence[str], options: Options, say: Say) -> Report:
    """Everything that is newer than the pins of the selected variants.

    What cannot be asked is in the report, and hides nothing else. Raises `BakestoneError` only for
    a matrix, site or lock that is not right, or selectors that name nothing.
    """
    variants = project.select(selectors)
    report = Report(selected=len(variants))
    uses = _uses(variants, project)
    if options.kinds - {"version"}:
        lock = _lock(project, uses, report)
        _Asking(project, lock, uses, options, report, say).run()
    if "version" in options.kinds:
        document = yamldoc.load(project.matrix_path, "the matrix")
        found = places.find(document, project.matrix.library)
        report.rows += freshness.versions(
            project.matrix, found, variants, options.at, ignoring=options.everything
        )
        ignored = sorted({v.family.name for v in variants if v.family.end_of_life == "ignore"})
        if ignored and not options.everything:
            report.notes.append(
                f"{', '.join(ignored)}: versions are not compared (`end_of_life: ignore`); --all"
                " does"
            )
    order = {kind: index for index, kind in enumerate(("base", "snapshot", "version", "package"))}
    report.rows.sort(key=lambda row: (order[row.kind], not row.security))
    return report


def _uses(variants: Sequence[Variant], project: Project) -> dict[str, _Use]:
    survey = Survey(project.matrix.library)
    uses: dict[str, _Use] = {}

    def add(variant: Variant, packages: PackageSet, *, image: bool) -> None:
        use = uses.setdefault(packages.base, _Use())
        use.variants[variant.name] = variant
        use.platforms.update(variant.platforms)
        use.sets[packages.names] = packages
        users = use.users.setdefault(packages.names, {})
        users[variant.name] = image or users.get(variant.name, False)

    for variant in variants:
        for packages in (
            survey.base_packages(variant),
            *(v.packages for v in survey.vendor_packages(variant)),
        ):
            add(variant, packages, image=True)
            uses[packages.base].images[variant.name] = variant
        keyrings = survey.keyrings(variant)
        for packages in (
            *(s.packages for s in survey.stages(variant)),
            *([keyrings.packages] if keyrings else []),
        ):
            add(variant, packages, image=False)
    return uses


def _lock(project: Project, uses: dict[str, _Use], report: Report) -> Lock:
    """The lock as far as it goes: one that is missing or stale is told, and hides nothing else."""
    if not project.lock_path.is_file():
        report.unasked.append(
            Unasked(
                "base images and packages",
                f"there is no lock: {project.lock_path}",
                "run `bakestone lock`",
            )
        )
        return Lock()
    lock = lockfile.load(project.lock_path)
    missing = [ref for ref in uses if ref not in lock.bases]
    report.unasked += [
        Unasked(ref, "it is not in the lock", "run `bakestone lock`") for ref in missing
    ]
    return lock


class _Asking:
    def __init__(
        self,
        project: Project,
        lock: Lock,
        uses: dict[str, _Use],
        options: Options,
        report: Report,
        say: Say,
    ) -> None:
        self.project, self.lock, self.options, self.report, self.say = (
            project,
            lock,
            options,
            report,
            say,
        )
        self.uses = {ref: use for ref, use in uses.items() if ref in lock.bases}
        self.newer: set[str] = set()
        """Bases of which the registry has a newer digest."""

    def run(self) -> None:
        if self.options.kinds & {"base", "package", "security"}:
            self.bases()
        if "snapshot" in self.options.kinds:
            self.snapshots()
        if self.options.kinds & {"package", "security"}:
            self.packages()

    def bases(self) -> None:
        locked = {ref: self.lock.bases[ref] for ref in self.uses}
        today = digests.ask(locked, Registry(self.project.site))
        problems: dict[Finding, list[str]] = {}
        for ref, answer in today.items():
            if answer.problem:
                problems.setdefault(answer.problem, []).append(ref)
            elif not answer.digest:
                self.report.notes.append(
                    f"{ref} is gone: its registry has no such tag any more; the locked digest may"
                    " go too"
                )
            elif answer.digest != locked[ref].digest:
                self.newer.add(ref)
                if "base" in self.options.kinds:
                    self.report.rows.append(_base_row(ref, locked[ref], answer, self.uses[ref]))
        if "base" in self.options.kinds:
            for problem, refs in problems.items():
                self.report.unasked.append(Unasked(_few(refs), problem.message, problem.hint))

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
            taken = (
                datetime.datetime.strptime(snapshot[:8], "%Y%m%d")
                .replace(tzinfo=datetime.UTC)
                .date()
            )
            days = (self.options.at - taken).days
            if days > 0:
                newest = self.options.at.strftime("%Y%m%dT000000Z")
                note = f"{days} day{'s' if days != 1 else ''} old"
                self.report.rows.append(
                    Row(
                        "snapshot",
                        distro,
                        snapshot,
                        newest,
                        f"bakestone lock --update {distro}",
                        tuple(variants),
                        note=note,
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
            self.report.notes.append(
                f"packages pinned by {' or '.join(others)} are not compared one by one"
            )
        if not wanted:
            return
        try:
            engine.client()
        except BakestoneError as problem:
            self.report.unasked.append(
                Unasked(
                    "packages",
                    problem.findings[0].message,
                    f"{problem.findings[0].hint}; or leave them out: --no-packages",
                )
            )
            return
        for ref, use in wanted.items():
            self.say(f"{ref}: asking its package manager inside the image")
            try:
                rows = list(self._rows(ref, use, engine))
            except BakestoneError as problem:
                self.report.unasked.append(
                    Unasked(
                        f"packages on {ref}", problem.findings[0].message, problem.findings[0].hint
                    )
                )
                continue
            kinds = self.options.kinds
            self.report.rows += [row for row in rows if "package" in kinds or row.security]

    def _exact(self, ref: str) -> bool:
        packages = self.lock.packages.get(ref)
        return packages is not None and packages.pins == "versions"

    def _rows(self, ref: str, use: _Use, engine: Engine) -> Iterator[Row]:
        """A row for each package and pair of versions; the variants of several sets and platforms
        together.
        """
        locked = self.lock.packages[ref]
        found: dict[tuple[str, str, str, bool], tuple[dict[str, bool], bool]] = {}

        def add(key: tuple[str, str, str, bool], users: dict[str, bool], *, security: bool) -> None:
            before, marked = found.get(key, ({}, False))
            merged = {name: image or before.get(name, False) for name, image in users.items()}
            found[key] = ({**before, **merged}, marked or security)

        for platform in sorted(use.platforms):
            sets = [
                s
                for names, s in sorted(use.sets.items())
                if names in locked.versions.get(platform, {})
            ]
            if not sets:
                continue
            updates = self._question(ref, sets, platform, engine)
            for number, packages in enumerate(sets):
                for name, (old, new) in updates.changed(
                    number, locked.versions[platform][packages.names]
                ).items():
                    add(
                        (name, old, new, False),
                        use.users[packages.names],
                        security=updates.security(name, old, new),
                    )
            for name, (old, new) in updates.upgrades.items():
                users = {
                    v: True
                    for v in use.images
                    if not self._installs(name, v, use, locked, platform)
                }
                if users:  # a package that an installation brings anew is pinned by the lock
                    add((name, old, new, True), users, security=updates.security(name, old, new))
        for (name, old, new, inside), (users, security) in sorted(found.items()):
            yield self._row(ref, (name, old, new), users, security=security, inside=inside)

    def _row(
        self,
        ref: str,
        package: tuple[str, str, str],
        users: dict[str, bool],
        *,
        security: bool,
        inside: bool,
    ) -> Row:
        move, note = (
            f"bakestone lock --update {ref}",
            "" if any(users.values()) else "in build stages only",
        )
        if inside and ref not in self.newer:
            move, note = (
                "",
                (
                    "in the base image, and there is no newer one: `packages:"
                    f" [{package[0].partition('.')[0]}]` in images.yaml brings it"
                ),
            )
        elif inside:
            note = "in the base image"
        return Row("package", *package, move, tuple(users), base=ref, security=security, note=note)

    @staticmethod
    def _installs(
        name: str, variant: str, use: _Use, locked: LockedPackages, platform: str
    ) -> bool:
        closures = locked.versions.get(platform, {})
        return any(
            name in closures.get(names, {})
            for names, users in use.users.items()
            if users.get(variant)
        )

    def _question(self, ref: str, sets: list[PackageSet], platform: str, engine: Engine) -> Updates:
        manager: ModuleType = (
            dnf if sets[0].distro.component.data.get("package_manager") == "dnf" else apt
        )
        base = self.lock.bases[ref]
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        text = manager.question(
            _origin(ref, base), sets, platform, now, self._keyrings(), updates=True
        )
        with tempfile.TemporaryDirectory(prefix="bakestone-updates-") as folder:
            state, good = engine.bake(
                {"target": {"updates": inline_target(text, platform, f"type=local,dest={folder}")}}
            )
            if not good:
                log = [line for failure in state.failures() for line in failure.log]
                said = (
                    manager.reasons(log)
                    or log
                    or [failure.error for failure in state.failures()]
                    or state.output
                )
                raise fail(
                    " ".join(said[-3:])[:500] or "the build failed",
                    "can the base image and its archive be reached?",
                    name=ref,
                    code=ENVIRONMENT,
                )
            try:
                answer: Updates = manager.updates(
                    {path.name: path.read_text("utf-8") for path in sorted(Path(folder).iterdir())}
                )
            except ValueError as problem:
                raise fail(
                    f"its package manager's answer is not understood: {problem}"[:300],
                    name=ref,
                    code=ENVIRONMENT,
                ) from None
            return answer

    def _keyrings(self) -> str:
        """The image on which keyrings are made, with its digest; empty where nothing needs them."""
        name, _, version = KEYRING_BUILDER.partition("@")
        component = self.project.matrix.library.get(name)
        ref = component.versions[version].base.ref if component else ""
        return _origin(ref, self.lock.bases[ref]) if ref in self.lock.bases else ""


def _origin(ref: str, base: LockedBase) -> str:
    return f"{ref}@{base.digest}" if base.digest else ref


def _base_row(ref: str, locked: LockedBase, today: digests.Today, use: _Use) -> Row:
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
    return Row(
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
