"""The exact versions of a package set, as the lock has them, and the shell text that names them."""

from __future__ import annotations

from collections.abc import Callable

from bakestone.core.lock.lock import LockedPackages
from bakestone.core.lock.needs import PackageSet
from bakestone.errors import fail


def pinned(
    packages: PackageSet,
    locked: LockedPackages,
    platforms: tuple[str, ...],
    word: Callable[[str, str], str],
) -> dict[str, list[str]]:
    """Platform -> everything that an installation of the set brings there, sorted, each package as
    its manager names it: `word(name, version)`.

    Raises `BakestoneError` when the lock does not have the set for a platform.
    """
    found: dict[str, list[str]] = {}
    for platform in platforms:
        closure = locked.versions.get(platform, {}).get(packages.names)
        if closure is None:
            raise fail(
                f"the lock has no versions of {', '.join(packages.names[:4])}... on {packages.base}"
                f" for {platform}",
                "run `bakestone lock`",
            )
        found[platform] = [word(name, version) for name, version in sorted(closure.items())]
    return found


def command(words: list[str]) -> str:
    """A shell command with one word a line."""
    return " \\\n  ".join(words)


def by_platform(question: str, words: dict[str, list[str]]) -> list[str]:
    """Shell lines that set `packages`: what `question` prints -> the words for it."""
    lines = [f'case "$({question})" in']
    for answer, names in words.items():
        lines += [f"{answer}) packages='\n  " + "\n  ".join(names) + "' ;;"]
    return [*lines, "esac"]
