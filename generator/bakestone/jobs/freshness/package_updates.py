"""Packages that are newer than the lock's, as package managers say inside the locked bases."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType

from bakestone.clients.engine.buildx import Engine, inline_target
from bakestone.core.library.catalog import Library
from bakestone.core.lock.lock import Lock, LockedBase, LockedPackages
from bakestone.core.lock.needs import PackageSet
from bakestone.core.lock.survey import KEYRING_BUILDER
from bakestone.core.render.packages import apt, dnf
from bakestone.core.render.packages.updates import Updates
from bakestone.errors import ENVIRONMENT, fail
from bakestone.jobs.freshness.base_use import BaseUse
from bakestone.jobs.freshness.rows import OutdatedRow


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
            updates = self._question(ref, sets, platform)
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
    ) -> OutdatedRow:
        move, note = (
            f"bakestone lock --update {ref}",
            "" if any(users.values()) else "in build stages only",
        )
        if inside and ref not in self.moving:
            move, note = (
                "",
                (
                    "in the base image, and there is no newer one: `packages:"
                    f" [{package[0].partition('.')[0]}]` in images.yaml brings it"
                ),
            )
        elif inside:
            note = "in the base image"
        return OutdatedRow(
            "package", *package, move, tuple(users), base=ref, security=security, note=note
        )

    @staticmethod
    def _installs(
        name: str, variant: str, use: BaseUse, locked: LockedPackages, platform: str
    ) -> bool:
        closures = locked.versions.get(platform, {})
        return any(
            name in closures.get(names, {})
            for names, users in use.users.items()
            if users.get(variant)
        )

    def _question(self, ref: str, sets: list[PackageSet], platform: str) -> Updates:
        manager: ModuleType = (
            dnf if sets[0].distro.component.data.get("package_manager") == "dnf" else apt
        )
        base = self.lock.bases[ref]
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        text = manager.question(
            _origin(ref, base), sets, platform, now, self._keyrings(), updates=True
        )
        with tempfile.TemporaryDirectory(prefix="bakestone-updates-") as folder:
            state, good = self.engine.bake(
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
                ) from problem
            return answer

    def _keyrings(self) -> str:
        """The image on which keyrings are made, with its digest; empty where nothing needs them."""
        name, _, version = KEYRING_BUILDER.partition("@")
        component = self.library.get(name)
        ref = component.versions[version].base.ref if component else ""
        return _origin(ref, self.lock.bases[ref]) if ref in self.lock.bases else ""


def _origin(ref: str, base: LockedBase) -> str:
    return f"{ref}@{base.digest}" if base.digest else ref
