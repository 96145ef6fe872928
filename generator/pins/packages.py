"""Distro packages: the exact closure of every package set, resolved inside the base image by its own package manager."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from generator.build.engine import Engine, inline_target
from generator.errors import ENVIRONMENT, fail
from generator.lock import LockedBase, LockedPackages
from generator.needs import PackageSet
from generator.pins import apt, dnf


class _Manager(Protocol):
    """A package manager, as its module here knows it."""

    def question(self, origin: str, sets: list[PackageSet], platform: str, now: str, keyrings: str) -> str: ...
    def closure(self, answer: str) -> dict[str, str]: ...
    def reasons(self, lines: Iterable[str]) -> list[str]: ...
    def unknown(self, lines: Iterable[str]) -> set[str]: ...
    def distrusted(self, lines: Iterable[str]) -> list[str]: ...


_MANAGERS: dict[str, _Manager] = {"apt": apt, "dnf": dnf}


def resolve_versions(
    ref: str, base: LockedBase, sets: Iterable[PackageSet], platforms: Iterable[str], engine: Engine, now: str, keyrings: str = ""
) -> LockedPackages:
    """Ask apt or dnf, in the base image, what each set would install today: one build a platform.

    `keyrings` is the image on which the keyrings of vendors' repositories are made, with its digest: the base itself
    when it is empty. Raises `BakestoneError` when a package is unknown there or the build cannot run.
    """
    sets = sorted(sets, key=lambda s: s.names)
    origin = f"{ref}@{base.digest}" if base.digest else ref
    manager = _MANAGERS[sets[0].distro.component.data.get("package_manager", "apt")]
    versions = {}
    for platform in sorted(platforms):
        text = manager.question(origin, sets, platform, now, keyrings)
        with tempfile.TemporaryDirectory(prefix="bakestone-closure-") as folder:
            state, good = engine.bake({"target": {"closure": inline_target(text, platform, f"type=local,dest={folder}")}})
            if not good:
                failures = state.failures()
                log = [line for f in failures for line in f.log]
                unknown = sorted(manager.unknown(log))
                if unknown:
                    raise fail(
                        f"there is no package {', '.join(unknown)} for {ref} ({platform})",
                        "correct `packages` in images.yaml or in the component",
                        name=ref,
                    )
                refused = manager.distrusted(log)
                if refused:
                    raise fail(
                        f"packages for {ref} ({platform}) come with a key or signature that is not the library's: {' '.join(refused)[:500]}",
                        "is the mirror in between right? If the vendor changed its key, correct `repositories` in component.yaml, from a source",
                        name=ref,
                    )
                said = manager.reasons(log) or log or [f.error for f in failures] or state.output
                raise fail(
                    f"the package versions on {ref} ({platform}) cannot be resolved: {' '.join(said[-3:])[:500]}",
                    "check the package names, and that the base image and its package archive can be reached from a build",
                    name=ref,
                    code=ENVIRONMENT,
                )
            versions[platform] = {s.names: manager.closure((Path(folder) / str(n)).read_text("utf-8")) for n, s in enumerate(sets)}
    return LockedPackages("versions", sets[0].distro.text, now, versions=versions)
