"""Packages that are newer than the lock's, as package managers say inside the locked bases."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from bakestone.clients.engine.buildx import Engine, inline_target
from bakestone.core.library.catalog import Library
from bakestone.core.lock.lock import Lock, LockedBase
from bakestone.core.lock.needs import PackageSet
from bakestone.core.lock.survey import KEYRING_BUILDER
from bakestone.core.render.packages import apt, dnf
from bakestone.core.render.packages.updates import Updates
from bakestone.errors import ENVIRONMENT, fail
from bakestone.jobs.freshness.base_use import BaseUse
from bakestone.jobs.freshness.rows import OutdatedRow

_Closures = Mapping[tuple[str, ...], dict[str, str]]
"""What each set of packages installs, on one platform: package -> version."""


@dataclass(frozen=True, order=True)
class _Move:
    """A package with its version and a newer one; `inside` when it came with the base image."""

    package: str
    old: str
    new: str
    inside: bool


@dataclass
class _Hit:
    """The variants that a move is for, each with whether it is in the image or in build stages."""

    variants: dict[str, bool] = field(default_factory=dict)
    security: bool = False

    def add(self, variants: Mapping[str, bool], *, security: bool) -> None:
        """The same move on another platform, or in another set."""
        for name, image in variants.items():
            self.variants[name] = image or self.variants.get(name, False)
        self.security |= security


class PackageUpdates:
    """`moving` are the bases of which the registry has a newer digest."""

    def __init__(
        self, lock: Lock, library: Library, engine: Engine, moving: Collection[str]
    ) -> None:
        self.lock, self.library, self.engine, self.moving = lock, library, engine, moving

    def rows(self, ref: str, use: BaseUse) -> Iterator[OutdatedRow]:
        """A row for each package and pair of versions; the variants of several sets and platforms
        together.

        Raises `BakestoneError` (exit 3) when the package manager does not answer.
        """
        found: dict[_Move, _Hit] = {}
        for platform in sorted(use.platforms):
            closures = self.lock.packages[ref].versions.get(platform, {})
            sets = [wanted for names, wanted in sorted(use.sets.items()) if names in closures]
            if sets:
                updates = self._updates(ref, sets, platform)
                for move, variants in _moves(updates, sets, closures, use):
                    security = updates.security(move.package, move.old, move.new)
                    found.setdefault(move, _Hit()).add(variants, security=security)
        for move in sorted(found):
            yield self._row(ref, move, found[move])

    def _row(self, ref: str, move: _Move, hit: _Hit) -> OutdatedRow:
        command = f"bakestone lock --update {ref}"
        note = "" if any(hit.variants.values()) else "in build stages only"
        if move.inside:
            note = "in the base image"
            if ref not in self.moving:
                command, name = "", move.package.partition(".")[0]
                note += (
                    f", and there is no newer one: `packages: [{name}]` in images.yaml brings it"
                )
        return OutdatedRow(
            "package",
            move.package,
            move.old,
            move.new,
            command,
            tuple(hit.variants),
            base=ref,
            security=hit.security,
            note=note,
        )

    def _updates(self, ref: str, sets: list[PackageSet], platform: str) -> Updates:
        """What the package manager of a base says on one platform."""
        manager: ModuleType = (
            dnf if sets[0].distro.component.data.get("package_manager") == "dnf" else apt
        )
        origin = _origin(ref, self.lock.bases[ref])
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        text = manager.question(origin, sets, platform, now, self._keyrings(), updates=True)
        with tempfile.TemporaryDirectory(prefix="bakestone-updates-") as folder:
            target = inline_target(text, platform, f"type=local,dest={folder}")
            state, good = self.engine.bake({"target": {"updates": target}})
            if not good:
                log = [line for failure in state.failures() for line in failure.log]
                errors = [failure.error for failure in state.failures()]
                said = manager.reasons(log) or log or errors or state.output
                raise fail(
                    " ".join(said[-3:])[:500] or "the build failed",
                    "can the base image and its archive be reached?",
                    name=ref,
                    code=ENVIRONMENT,
                )
            try:
                answers = {p.name: p.read_text("utf-8") for p in sorted(Path(folder).iterdir())}
                found: Updates = manager.updates(answers)
            except ValueError as problem:
                raise fail(
                    f"its package manager's answer is not understood: {problem}"[:300],
                    name=ref,
                    code=ENVIRONMENT,
                ) from problem
            return found

    def _keyrings(self) -> str:
        """The image on which keyrings are made, with its digest; empty where nothing needs them."""
        name, _, version = KEYRING_BUILDER.partition("@")
        component = self.library.get(name)
        ref = component.versions[version].base.ref if component else ""
        return _origin(ref, self.lock.bases[ref]) if ref in self.lock.bases else ""


def _moves(
    updates: Updates, sets: Sequence[PackageSet], closures: _Closures, use: BaseUse
) -> Iterator[tuple[_Move, Mapping[str, bool]]]:
    """Each package that is newer today, with the variants that have it."""
    for number, wanted in enumerate(sets):
        for name, (old, new) in updates.changed(number, closures[wanted.names]).items():
            yield _Move(name, old, new, inside=False), use.users[wanted.names]
    for name, (old, new) in updates.upgrades.items():
        # a package that an installation brings anew is pinned by the lock
        bringing = [names for names in use.users if name in closures.get(names, {})]
        variants = {
            variant: True
            for variant in use.images
            if not any(use.users[names].get(variant) for names in bringing)
        }
        if variants:
            yield _Move(name, old, new, inside=True), variants


def _origin(ref: str, base: LockedBase) -> str:
    return f"{ref}@{base.digest}" if base.digest else ref
