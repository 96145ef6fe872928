"""The files of one project, read in the one right order: matrix, library, lock, texts.

Every command starts here, so that all of them agree on what the variants are.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from bakestone.clients import bounds
from bakestone.clients.site import site
from bakestone.core.documents import template
from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.matrix import expansion, spec
from bakestone.core.matrix.checks import contents, lifecycle
from bakestone.core.matrix.selectors import select
from bakestone.core.matrix.variant import Variant
from bakestone.errors import BakestoneError, Finding, Position, fail
from bakestone.files import write_text

# What has to do with locks and texts is imported by what uses it: a command that asks about the
# matrix alone starts in half the time.
if TYPE_CHECKING:
    from bakestone.core.lock.lock import Lock
    from bakestone.core.lock.needs import Distro, Needs
    from bakestone.core.render.family import FamilyFile
    from bakestone.core.render.plan import BuildPlan

BAKE_FILE = "docker-bake.json"

template.bound(bounds.bounded)  # for everything that reads a project


@dataclass
class Project:
    """Paths and overrides as given on the command line; everything else is read when it is asked
    for.
    """

    matrix_path: Path
    lock_path: Path
    output: Path
    site_path: Path | None = None
    registry_override: str = ""

    @cached_property
    def site(self) -> site.Site:
        """The site file, or the default site."""
        return site.load(self.site_path)

    @cached_property
    def matrix(self) -> expansion.Matrix:
        """images.yaml, checked and expanded."""
        loaded = spec.load(self.matrix_path)
        return expansion.expand(loaded, Library.beside(loaded.folder))

    @property
    def release_path(self) -> Path:
        """Where the record of what was published is, unless it is named."""
        return self.lock_path.with_name("release.json")

    @property
    def registry(self) -> str:
        """Where images go: --registry, else the site's, else the matrix's."""
        return self.registry_override or self.site.registry or self.matrix.spec.registry

    def check_registry(self) -> None:
        """Raise `BakestoneError` when the registry takes no repository of some family's name."""
        from bakestone.clients.registry import limits

        hint = "change `registry` in images.yaml or the site file, or the family's name"
        names = (family.name for family in self.matrix.spec.families)
        findings = [
            Finding(reason, hint, name=f"{self.registry}/{name}")
            for name in names
            if (reason := limits.limit(self.registry, name))
        ]
        if findings:
            raise BakestoneError(findings)

    def warnings(self) -> list[Finding]:
        """What is allowed but worth knowing: bases that cannot be pinned, because nobody knows
        their digest, combinations that nobody packaged, and platforms that variants leave out.

        Raises `BakestoneError` when the registry cannot take the images.
        """
        from bakestone.core.matrix.checks import drivers, platforms, rules

        self.check_registry()
        unknown: dict[str, list[str]] = {}
        for variant in self.matrix.variants:
            if not variant.base.digest:
                unknown.setdefault(variant.base.ref, []).append(variant.name)
        unpinned = [
            Finding(
                f"no digest is known for {ref}, the base of {', '.join(names)}",
                "it is pinned as soon as `bakestone lock` finds it in its registry or a mirror",
                severity="warning",
            )
            for ref, names in unknown.items()
        ]
        variants = self.matrix.variants
        noted = rules.warnings(variants) + drivers.warnings(variants) + platforms.notes(variants)
        return unpinned + noted + self._left_in() + self._environments()

    def _left_in(self) -> list[Finding]:
        """Packages that a family leaves out, and that its components ask for all the same."""
        from bakestone.core.lock.survey import Survey

        survey = Survey(self.matrix.library)
        found: dict[Position, Finding] = {}
        for variant in (v for v in self.matrix.variants if v.family.without):
            for name in survey.base_packages(variant).names:
                if where := variant.family.without.get(name.partition("=")[0]):
                    why = (
                        f"{name} is installed all the same: components of {variant.name} ask for it"
                    )
                    hint = "take the line out"
                    found.setdefault(where, Finding(why, hint, where, severity="warning"))
        return list(found.values())

    def _environments(self) -> list[Finding]:
        """Where libraries differ from what the families' frameworks ask for, by the lock as it is;
        without one that can be read, that it is not known yet.
        """
        asking = [v for v in self.matrix.variants if v.family.frameworks]
        if not asking:
            return []
        from bakestone.core.lock import frameworks, lockfile
        from bakestone.core.lock.lock import Lock

        try:
            lock = lockfile.load(self.lock_path)
        except BakestoneError:  # told by the commands that need it
            lock = Lock()
        return frameworks.warnings(asking, lock) + frameworks.unknown(asking, lock)

    def ends(self, at: datetime.date, ahead: datetime.timedelta = lifecycle.AHEAD) -> list[Finding]:
        """Warnings about parts whose support has ended at a date, or will within `ahead`, and about
        certificates that do not hold then.

        Raises `BakestoneError` when a family forbids what has ended.
        """
        findings = lifecycle.findings(self.matrix.variants, at, ahead)
        if any(finding.severity == "error" for finding in findings):
            raise BakestoneError(findings)
        return findings + contents.ended(self.matrix.spec.families, at, ahead)

    def select(self, selectors: Sequence[str]) -> list[Variant]:
        """The variants that selectors name."""
        return select(self.matrix.variants, selectors)

    @cached_property
    def lock(self) -> Lock:
        """The lock, checked against the matrix: a stale one is an error."""
        from bakestone.core.lock import staleness

        loaded, needs = self._load_lock()
        now = datetime.datetime.now(datetime.UTC)
        staleness.check_fresh(loaded, needs, self.lock_path, now, self.pins_of)
        return loaded

    def pins_of(self, distro: Distro) -> str:
        """How the site file wants the packages of a distro pinned; empty when it does not say.

        An image of a team's own is pinned as what it is like, where the file does not name it.
        """
        line = distro.component.line(distro.version.version)
        return next(filter(None, (self.site.pins_for(*one) for one in line)), "")

    def _load_lock(self) -> tuple[Lock, Needs]:
        """The lock as it is, and what the variants need that it was made for."""
        from bakestone.core.lock import lockfile, survey

        library = self.matrix.library  # first: where it is missing, the lock says nothing
        loaded = lockfile.load(self.lock_path)
        return loaded, survey.collect(self.select(loaded.selection), library)

    def check_lock(self, at: datetime.datetime) -> tuple[Lock, list[Finding]]:
        """The lock, and what is wrong with it at a time: stale, not pinned, or past its budget.

        Raises `BakestoneError` when it cannot be read.
        """
        from bakestone.core.lock import budget, staleness

        loaded, needs = self._load_lock()
        now = datetime.datetime.now(datetime.UTC)  # `at` may be any day
        found = staleness.stale(loaded, needs, self.lock_path, now, self.pins_of) + budget.unpinned(
            loaded
        )
        variants = self.select(loaded.selection)
        return loaded, found + budget.findings(loaded, variants, self.matrix.library, at)

    def aged(self, at: datetime.datetime) -> list[Finding]:
        """Warnings about entries of the lock that are older than `max-age` allows at a time."""
        from bakestone.core.lock import budget

        return budget.findings(
            self.lock, self.locked_variants, self.matrix.library, at, severity="warning"
        )

    @cached_property
    def locked_variants(self) -> list[Variant]:
        """The variants that the lock was made for."""
        return self.select(self.lock.selection)

    def chosen(self, selectors: Sequence[str]) -> list[Variant]:
        """The locked variants that selectors name.

        Raises `BakestoneError` when one is named that is not in the lock.
        """
        variants = self.select(selectors)
        locked = {v.name for v in self.locked_variants}
        unlocked = [v.name for v in variants if v.name not in locked]
        if selectors and unlocked:
            raise fail(
                f"{', '.join(unlocked[:5])} is not in the lock, which was made for"
                f" {' '.join(self.lock.selection)}",
                "lock for these variants as well: `bakestone lock`",
                name=str(self.lock_path),
            )
        return [v for v in variants if v.name in locked]

    @cached_property
    def families(self) -> dict[str, FamilyFile]:
        """Family name -> its Dockerfile, of every locked variant."""
        from bakestone.core.render.dockerfile import Renderer
        from bakestone.core.render.family import family_files

        renderer = Renderer(self.matrix.library, self.lock)
        return family_files((v, renderer.stages(v)) for v in self.locked_variants)

    @cached_property
    def dockerfiles(self) -> dict[str, str]:
        """Variant name -> the Dockerfile of its own stages, for every locked variant."""
        return {v.name: self.families[v.family.name].alone(v.name) for v in self.locked_variants}

    def dockerfile(self, name: str) -> str:
        """The Dockerfile of the stages of one variant.

        Raises `BakestoneError` when there is no variant of that name, or the lock was made without
        it.
        """
        names = [v.name for v in self.matrix.variants]
        if name not in names:
            hint = near(name, names, "see `bakestone list`", cutoff=0.4)
            raise fail(f"no variant is named {name}", hint, name=name)
        (variant,) = self.chosen([name])
        return self.families[variant.family.name].alone(name)

    def fingerprint(self, variant: Variant) -> str:
        """What stands for everything the variant's image is made from."""
        return self.plan([variant]).variants[0].fingerprint

    def plan(self, variants: Sequence[Variant], *, attest: bool = True) -> BuildPlan:
        """What is to be done with some of the locked variants, made once for all who do it."""
        from bakestone.core.render.plan import BuildPlan, planned

        matrix, files, how = self.matrix, self.families, self.site.compression
        none = BuildPlan((), self.registry, attest, matrix.tags, self.lock, matrix.library, how)
        return none.of(planned(v, files[v.family.name], self.path_of(v), none) for v in variants)

    def path_of(self, variant: Variant) -> Path:
        """Where the Dockerfile of a variant's family is."""
        return self.output / variant.family.name / "Dockerfile"

    @cached_property
    def texts(self) -> dict[Path, str]:
        """Every generated file and its text."""
        return {path: "".join(parts()) for path, parts in self.generated.items()}

    @cached_property
    def generated(self) -> dict[Path, Callable[[], Iterator[str]]]:
        """Every generated file, and what gives its text piece by piece: all of a large matrix at
        once would be the most that a command holds.
        """
        from bakestone.core.render import bakefile

        files = {self.output / name / "Dockerfile": f.parts for name, f in self.families.items()}
        folder = os.path.relpath(self.output, self.matrix_path.parent).replace(os.sep, "/")
        bake = partial(
            bakefile.bake_file, self.locked_variants, self.lock, self.matrix.spec.registry, folder
        )
        bake()  # what is wrong with it is told before anything is written
        files[self.output / BAKE_FILE] = bake
        return files

    def drift(self) -> list[Finding]:
        """A finding for every file under `output` that is not what images.yaml and the lock say."""
        wanted, found = self.generated, []
        for path, parts in wanted.items():
            if not path.is_file():
                found.append((path, "it is missing", ""))
            elif not _holds(path, parts()):
                why = "it is not what images.yaml and the lock say"
                found.append((path, why, "; generated files are not edited"))
        for path in self._leftover(wanted):
            found.append((path, "no variant has this file", ", which removes it"))
        return [
            Finding(why, f"run `bakestone generate`{more}", name=str(path))
            for path, why, more in found
        ]

    def generate(self) -> tuple[list[Path], list[Path]]:
        """Write what differs and remove what no variant has.

        Gives the paths written and removed. Raises `BakestoneError` for a folder of others.
        """
        written, wanted = [], self.generated
        self._check_output()
        for path, parts in wanted.items():
            if not path.is_file() or not _holds(path, parts()):
                write_text(path, parts(), durable=False)
                written.append(path)
        removed = self._leftover(wanted)
        for path in removed:
            path.unlink()
            for parent in (path.parent, path.parent.parent):
                if parent != self.output and not any(parent.iterdir()):
                    parent.rmdir()
        return written, removed

    def require_generated(self) -> None:
        """Raise when the files on disk are not what would be built."""
        if findings := self.drift():
            raise BakestoneError(findings)

    def _leftover(self, wanted: Container[Path]) -> list[Path]:
        """Generated Dockerfiles that no variant has; files that Bakestone did not write are left
        alone.
        """
        # before, each variant had a file of its own
        found = sorted([*self.output.glob("*/Dockerfile"), *self.output.glob("*/*/Dockerfile")])
        return [p for p in found if p not in wanted and _is_ours(p)]

    def _check_output(self) -> None:
        """Raise `BakestoneError` where the output is another folder, named by mistake: it holds
        files of others, and no bake file of ours.
        """
        if _is_ours(self.output / BAKE_FILE):
            return
        for folder, _, names in os.walk(self.output):
            for path in (Path(folder, name) for name in names):
                if not _is_ours(path):
                    raise fail(
                        f"it has files that bakestone did not write, such as {path}",
                        "give an empty folder, or one that is not there, with -o",
                        name=str(self.output),
                    )


def _holds(path: Path, parts: Iterable[str]) -> bool:
    """Whether a file has this text, of which no more than a piece is held."""
    with open(path, "rb") as stream:
        return all(stream.read(len(raw)) == raw for raw in map(str.encode, parts)) and not (
            stream.read(1)
        )


def _is_ours(path: Path) -> bool:
    """Whether Bakestone wrote a file below the output, or began to when it was killed."""
    if path.name in ("Dockerfile", BAKE_FILE) and path.is_file():
        with open(path, encoding="utf-8", errors="replace") as stream:
            if path.name == "Dockerfile":
                return "generated by bakestone" in stream.read(300).lower()
            return any("SOURCE_DATE_EPOCH" in line for line in stream)
    return path.name.startswith((".Dockerfile.", f".{BAKE_FILE}."))
