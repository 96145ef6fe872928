"""The package manager of a distro, apt or dnf, behind one door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from bakestone.core.lock.lock import Lock, LockedPackages
from bakestone.core.lock.needs import Distro, PackageSet
from bakestone.core.render.frames import ToolStages
from bakestone.core.render.packages import apt, dnf
from bakestone.core.render.packages.updates import PackagesQuestion, Updates
from bakestone.errors import fail


class PackageManager(Protocol):
    """What the modules `apt` and `dnf` both have."""

    @property
    def TOOLS(self) -> tuple[str, ...]:  # noqa: N802 - a constant of the modules
        """What the stage of tools needs for its scripts."""

    def install(
        self,
        packages: PackageSet,
        locked: LockedPackages,
        platforms: tuple[str, ...],
        stages: ToolStages,
    ) -> str:
        """The RUN that installs a package set as the lock pins it."""

    def question(self, asked: PackagesQuestion) -> str:
        """A Dockerfile whose result is what it says: one file a set, named by its number."""

    def closure(self, answer: str) -> dict[str, str]:
        """Package -> version of what it would install."""

    def updates(self, answers: Mapping[str, str]) -> Updates:
        """What the files of a question with `updates` say."""

    def reasons(self, lines: Iterable[str]) -> list[str]:
        """The lines in which it says what is wrong."""

    def unknown(self, lines: Iterable[str]) -> set[str]:
        """The packages that it does not know."""

    def versions(self, lines: Iterable[str]) -> dict[str, list[str]]:
        """Package -> the versions that there are, of those of which another one was asked for."""

    def distrusted(self, lines: Iterable[str]) -> list[str]:
        """The lines that tell of a key or a signature that is not the library's."""


_KNOWN: dict[str, PackageManager] = {"apt": apt, "dnf": dnf}


def manager_of(distro: Distro) -> PackageManager:
    """The one that it has."""
    return _KNOWN[distro.package_manager]


def install(
    packages: PackageSet, lock: Lock, platforms: tuple[str, ...], stages: ToolStages
) -> str:
    """The RUN that installs a package set at its locked versions, with the distro's package
    manager.

    Empty when there is nothing to install. Raises `BakestoneError` when the lock does not hold the
    set.
    """
    if not packages.names:
        return ""
    locked = lock.packages.get(packages.base)
    if locked is None:
        raise fail(f"the lock has no packages for {packages.base}", "run `bakestone lock`")
    return manager_of(packages.distro).install(packages, locked, platforms, stages)
