"""The RUN instruction that installs distro packages, one for all stages and package managers."""

from __future__ import annotations

from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import PackageSet
from bakestone.core.render.packages.by_distro import manager_of
from bakestone.core.render.packages.toolstages import ToolStages
from bakestone.errors import fail


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
