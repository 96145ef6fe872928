"""Packages that are newer than the lock's, as package managers say inside the locked bases."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.engine.questions import BuildQuestion, put, texts, unanswered
from bakestone.core.library.catalog import Library
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import PackageSet
from bakestone.core.lock.survey import Survey, keyring_origin
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.packages.by_distro import manager_of
from bakestone.core.render.packages.updates import PackagesQuestion, Updates
from bakestone.errors import ENVIRONMENT, fail
from bakestone.files import scratch
from bakestone.jobs.freshness.rows import OutdatedRow

InImage = dict[str, bool]
"""Variant -> whether it has something in the image itself, not in build stages alone."""
_Closures = Mapping[tuple[str, ...], dict[str, str]]
"""What each set of packages installs, on one platform: package -> version."""


@dataclass
class BaseUse:
    """The users of a base image, and those of each set of packages on it."""

    variants: InImage = field(default_factory=dict)
    platforms: set[str] = field(default_factory=set)
    sets: dict[PackageSet, InImage] = field(default_factory=dict)


def uses_of(variants: Sequence[Variant], library: Library) -> dict[str, BaseUse]:
    """Base image -> its use by these variants."""
    survey = Survey(library)
    uses: dict[str, BaseUse] = {}
    for variant in variants:
        vendors, keyrings = survey.vendor_packages(variant), survey.keyrings(variant)
        inside = [survey.base_packages(variant), *(vendor.packages for vendor in vendors)]
        stages = [stage.packages for stage in survey.stages(variant)]
        for packages in (*inside, *stages, *([keyrings.packages] if keyrings else [])):
            use = uses.setdefault(packages.base, BaseUse())
            use.platforms.update(variant.platforms)
            for users in (use.variants, use.sets.setdefault(packages, {})):
                users[variant.name] = packages in inside or users.get(variant.name, False)
    return uses


@dataclass(frozen=True, order=True)
class _Move:
    """A package with its version and a newer one; `inside` when it came with the base image."""

    package: str
    old: str
    new: str
    inside: bool


@dataclass(frozen=True)
class PackageUpdates:
    """`moving` are the bases of which the registry has a newer digest."""

    lock: Lock
    library: Library
    engine: Engine
    moving: Collection[str]

    def rows(self, ref: str, use: BaseUse) -> Iterator[OutdatedRow]:
        """A row for each package and pair of versions; the variants of several sets and platforms
        together.

        Raises `BakestoneError` (exit 3) when the package manager does not answer.
        """
        found: dict[_Move, InImage] = {}
        secure: set[_Move] = set()
        for platform in sorted(use.platforms):
            closures = self.lock.packages[ref].versions.get(platform, {})
            sets = sorted((s for s in use.sets if s.names in closures), key=lambda s: s.names)
            if sets:
                updates = self._updates(ref, sets, platform)
                for move, variants in _moves(updates, sets, closures, use):
                    users = found.setdefault(move, {})
                    for name, image in variants.items():
                        users[name] = image or users.get(name, False)
                    if updates.security(move.package, move.old, move.new):
                        secure.add(move)
        for move in sorted(found):
            yield replace(self._row(ref, move, found[move]), security=move in secure)

    def _row(self, ref: str, move: _Move, users: InImage) -> OutdatedRow:
        command = f"bakestone lock --update {ref}"
        note = "" if any(users.values()) else "in build stages only"
        if move.inside:
            note = "in the base image"
            if ref not in self.moving:
                command, name = "", move.package.partition(".")[0]
                note += (
                    f", and there is no newer one: `packages: [{name}]` in images.yaml brings it"
                )
        return OutdatedRow(
            "package", move.package, move.old, move.new, command, tuple(users), base=ref, note=note
        )

    def _updates(self, ref: str, sets: list[PackageSet], platform: str) -> Updates:
        """What the package manager of a base says on one platform."""
        manager = manager_of(sets[0].distro)
        origin = self.lock.bases[ref].origin(ref)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        keyrings = keyring_origin(self.library, self.lock.bases)
        asked = PackagesQuestion(origin, sets, platform, now, keyrings, updates=True)
        name = "updates"  # of the one build
        with scratch(name) as folder:
            state = put(
                self.engine, {name: BuildQuestion(manager.question(asked), platform)}, folder
            )
            if state is not None:
                why = unanswered(state).reason(manager.reasons)
                hint = "can the base image and its archive be reached?"
                raise fail(why, hint, name=ref, code=ENVIRONMENT)
            try:
                return manager.updates(texts(folder / name))
            except (OSError, ValueError) as problem:
                why = f"its package manager's answer is not understood: {problem}"[:300]
                raise fail(why, name=ref, code=ENVIRONMENT) from problem


def _moves(
    updates: Updates, sets: Sequence[PackageSet], closures: _Closures, use: BaseUse
) -> Iterator[tuple[_Move, InImage]]:
    """Each package that is newer today, with the variants that have it."""
    for number, wanted in enumerate(sets):
        for name, (old, new) in updates.changed(number, closures[wanted.names]).items():
            yield _Move(name, old, new, inside=False), use.sets[wanted]
    for name, (old, new) in updates.upgrades.items():
        # a package that an installation brings anew is pinned by the lock
        brought = {
            variant
            for wanted, users in use.sets.items()
            if name in closures.get(wanted.names, {})
            for variant, image in users.items()
            if image
        }
        having = {v: True for v, image in use.variants.items() if image and v not in brought}
        if having:
            yield _Move(name, old, new, inside=True), having
