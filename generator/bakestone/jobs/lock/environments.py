"""Environments of Python: their wheels, as uv resolves them and the package index has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version

from bakestone.clients.http.session import HttpError
from bakestone.clients.index import uv
from bakestone.clients.index.page import Listed
from bakestone.clients.index.pages import Pages
from bakestone.core.documents.suggest import near
from bakestone.core.lock import sdists
from bakestone.core.lock.environments import (
    MACHINES,
    SDIST,
    choose,
    pins,
    project_and_version,
    requirement_name,
)
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
    sources = [_source(text, index) for text in wanted.sources]
    stubs = {stub.name: stub.wheel for stub in sources}
    for platform in sorted(platforms):
        locked = pins(before.files.get(platform, ())) if before else {}
        asked = list(wanted.requirements)
        if INSTALLER not in map(requirement_name, asked):
            asked.append(INSTALLER)
        target = uv.Target(wanted.python, int(wanted.glibc.split(".")[1]), MACHINES[platform])
        found = uv.resolve(asked, target, locked, index.places(), stubs)
        built = {one.pin: one.file for one in sources}
        files[platform] = tuple(
            sorted(
                built.get(f"{name}=={version}") or _wheel(name, version, wanted, platform, index)
                for name, version in found.items()
            )
        )
    return LockedEnvironment(wanted.requirements, wanted.python, files, INDEX, now, wanted.sources)


@dataclass(frozen=True)
class _Source:
    """A source distribution: `pin` is NAME==VERSION, `file` its name, SHA-256 and size; `name` and
    `wheel` are those of the wheel that says what it asks for.
    """

    pin: str
    file: tuple[str, str, int]
    name: str
    wheel: bytes


def _source(pin: str, index: Pages) -> _Source:
    """Look into a source distribution; nothing in it is run."""
    project, _, version = pin.partition("==")
    known = _listed(project, pin, index)
    found = [
        file
        for file in known
        if file.endswith(SDIST) and project_and_version(file) == (project, version)
    ]
    if not found:
        have = sorted(project_and_version(file)[1] for file in known if file.endswith(SDIST))
        hint = near(version, have, "see which versions the index has of it")
        raise fail("the index has no source distribution of it", hint, name=pin)
    said = known[found[0]]
    try:
        answer = index.asker.page(index.with_login(said.url), sdists.MAX_SDIST)
    except HttpError as problem:
        hint = "try again later"
        raise fail(f"it cannot be fetched: {problem}", hint, name=pin, code=ENVIRONMENT) from None
    sha256 = hashlib.sha256(answer.body).hexdigest()
    if not answer.good or sha256 != said.sha256:
        why = f"the index gives another file than it lists: {answer.said}, sha256 {sha256[:12]}..."
        raise fail(why, "ask who keeps the index", name=pin, code=ENVIRONMENT)
    try:
        name, wheel = sdists.stub(answer.body, project, version)
    except ValueError as problem:
        hint = "build a wheel of it for an index of your own"
        raise fail(f"{found[0]} cannot be counted with: {problem}", hint, name=pin) from None
    return _Source(pin, (found[0], sha256, len(answer.body)), name, wheel)


def _listed(name: str, shown: str, index: Pages) -> dict[str, Listed]:
    """What the indexes list of a project; of a file that two have, the first one's."""
    try:
        pages = index.of(name)
    except (HttpError, ValueError) as problem:
        hint = "is the package index reachable? The site file says which it is, under `pip`"
        why = f"the index gives no page: {problem}"
        raise fail(why, hint, name=shown, code=ENVIRONMENT) from None
    known: dict[str, Listed] = {}
    for page in pages:
        known |= {file: said for file, said in page.items() if file not in known}
    return known


def _wheel(
    name: str, version: str, wanted: Environment, platform: str, index: Pages
) -> tuple[str, str, int]:
    """File name, SHA-256 and size in bytes (0 when the index does not say) of a project's wheel."""
    shown = f"{name}=={version}"
    known = _listed(name, shown, index)
    there = [file for file in known if _is(file, name, version)]
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


def _is(filename: str, project: str, version: str) -> bool:
    """Whether it is a wheel of this version: a page of links has those of many projects."""
    try:
        name, said, *_ = parse_wheel_filename(filename)
    except (ValueError, InvalidVersion):
        return False
    return name == project and said == Version(version)
