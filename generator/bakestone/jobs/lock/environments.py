"""Environments of Python: their wheels, as uv resolves them and the package index has them."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version

from bakestone.clients.http.session import HttpError
from bakestone.clients.index import uv
from bakestone.clients.index.page import Listed
from bakestone.clients.index.pages import Pages
from bakestone.core.lock.environments import MACHINES, choose, pins, requirement_name
from bakestone.core.lock.lock import INDEX, LockedEnvironment
from bakestone.core.lock.needs import Environment
from bakestone.errors import ENVIRONMENT, fail

INSTALLER = "pip"
"""What installs the others in the image, and is in the environment for those who use it."""


def resolve(
    wanted: Environment,
    platforms: Iterable[str],
    before: LockedEnvironment | None,
    index: Pages,
    now: str,
) -> LockedEnvironment:
    """The wheels of an environment for each platform. Versions that are locked (`before`) stay
    where they fit.

    Raises `BakestoneError` for requirements that do not go together, and for a project of which the
    index has no wheel that fits.
    """
    files = {}
    for platform in sorted(platforms):
        locked = pins(before.files.get(platform, ())) if before else {}
        asked = list(wanted.requirements)
        if INSTALLER not in map(requirement_name, asked):
            asked.append(INSTALLER)
        glibc, machine = int(wanted.glibc.split(".")[1]), MACHINES[platform]
        found = uv.resolve(asked, wanted.python, glibc, machine, locked, index.places())
        wheels = (_wheel(name, v, wanted, platform, index) for name, v in sorted(found.items()))
        files[platform] = tuple(sorted(wheels))
    return LockedEnvironment(wanted.requirements, wanted.python, files, INDEX, now)


def _wheel(
    name: str, version: str, wanted: Environment, platform: str, index: Pages
) -> tuple[str, str, int]:
    """File name, SHA-256 and size in bytes (0 when the index does not say) of a project's wheel."""
    shown = f"{name}=={version}"
    try:
        pages = index.of(name)
    except (HttpError, ValueError) as problem:
        hint = "is the package index reachable? The site file says which it is, under `pip`"
        why = f"the index gives no page: {problem}"
        raise fail(why, hint, name=shown, code=ENVIRONMENT) from None
    known: dict[str, Listed] = {}
    for page in pages:
        known |= {file: said for file, said in page.items() if file not in known}
    there = [file for file in known if _is(file, version)]
    filename = choose(there, wanted.python, wanted.glibc, platform)
    if not filename:
        why = f"the index has no wheel of it for Python {wanted.python} on {platform}"
        raise fail(why, "choose another version of it, or another Python", name=shown)
    said = known[filename]
    if not said.sha256:
        why = f"the index does not say the SHA-256 of {filename}"
        hint = "use an index that does, such as one that follows PEP 691"
        raise fail(why, hint, name=shown, code=ENVIRONMENT)
    return filename, said.sha256, said.size or 0


def _is(filename: str, version: str) -> bool:
    """Whether it is a wheel of this version."""
    try:
        return parse_wheel_filename(filename)[1] == Version(version)
    except (ValueError, InvalidVersion):
        return False
