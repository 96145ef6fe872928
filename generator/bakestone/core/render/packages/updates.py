"""What a package manager is asked, and what it answers: what installations would bring today, what
the image has older, what is a security update.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bakestone.core.lock.needs import PackageSet


@dataclass(frozen=True)
class PackagesQuestion:
    """Which sets of packages are asked for inside the image `origin`, at the time `when`.

    `keyrings` is the image in which the keyrings of vendors' repositories are made: `origin` itself
    when it is empty. With `updates`, what the image has older is asked as well.
    """

    origin: str
    sets: Sequence[PackageSet]
    platform: str
    when: str
    keyrings: str = ""
    updates: bool = False


@dataclass(frozen=True)
class Updates:
    """`sets` are installations by number, package -> version;

    `upgrades` package -> version in the image and today's.

    `secure` has the versions of each package that came as security updates, and `newer` is how this
    package manager orders two versions.
    """

    sets: dict[int, dict[str, str]]
    upgrades: dict[str, tuple[str, str]]
    secure: dict[str, set[str]]
    newer: Callable[[str, str], bool]

    def changed(self, number: int, locked: dict[str, str]) -> dict[str, tuple[str, str]]:
        """The packages of an installation that are newer today: package -> version in the lock and
        today's.
        """
        today = self.sets.get(number, {})
        return {
            name: (old, today[name])
            for name, old in locked.items()
            if name in today and today[name] != old and self.newer(today[name], old)
        }

    def security(self, package: str, pinned: str, newest: str) -> bool:
        """Whether a version after the pinned one, up to the newest, is a security update."""
        return any(
            self.newer(v, pinned) and not self.newer(v, newest)
            for v in self.secure.get(package, ())
            if v != newest
        ) or newest in (self.secure.get(package, ()))
