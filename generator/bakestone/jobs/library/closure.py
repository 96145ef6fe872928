"""A new component that is a Python package with everything that it needs: the wheels that a
requirements file with hashes names, as `uv pip compile --generate-hashes` or pip-compile write it.

Which file a hash is of, the package index says; no wheel is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from bakestone.clients.http.session import HttpError, UnreachableError
from bakestone.clients.index.frameworks import LINUX
from bakestone.clients.index.page import Listed
from bakestone.clients.index.pages import Pages
from bakestone.core.documents.yaml import MAX_BYTES, Json
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, Position, fail, read_text
from bakestone.jobs.library import scaffold
from bakestone.jobs.library.additions import PLATFORMS, Entry
from bakestone.jobs.library.scaffold import About, PythonPackage, Texts
from bakestone.jobs.library.unpacking import current

MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Platform -> how the names of wheels spell it."""
_GLIBC = (*range(28, 4, -1), *range(29, 45))
"""Minors of glibc whose wheels are taken, the first first: what works on most distros, and what
needs a newer one where there is nothing else.
"""
_LINE = re.compile(r"(?P<what>[^#]*?)(?P<hashes>(\s+--hash=sha256:[0-9a-f]{64})+)\s*(#.*)?")
_HINT = "write it with `uv pip compile --generate-hashes`, or pip-compile --generate-hashes"


@dataclass(frozen=True)
class Pinned:
    """A line of a requirements file: a version, and the SHA-256 of its files."""

    requirement: Requirement
    version: str
    hashes: frozenset[str]

    def counts(self, python: str) -> bool:
        """Whether it is installed on Linux with this Python."""
        marker = self.requirement.marker
        about = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
        return marker is None or any(
            marker.evaluate({**LINUX, **about, "platform_machine": machine})
            for machine in MACHINES.values()
        )


@dataclass(frozen=True)
class Closure:
    """The texts of the new component, its version, and the file names of its wheels."""

    texts: Texts
    version: str
    filenames: tuple[str, ...]


def component(
    about: About, package: PythonPackage, path: Path, index: Pages, today: date
) -> Closure:
    """A component of the wheels that the file at `path` names, the package's own among them.

    It is for the platforms for which all wheels are there. Raises `BakestoneError`, all that is
    wrong at once.
    """
    pinned = read(path)
    named = {canonicalize_name(p.requirement.name): p for p in pinned}
    own = named.get(canonicalize_name(package.project))
    if own is None:
        hint = f"name the package with --project; it has {', '.join(list(named)[:8])}"
        raise fail(f"{path} has no {package.project}", hint, name=str(path))
    found, lacking = {}, {}
    for python in package.pythons:
        for one in (p for p in pinned if p.counts(python)):
            found[one, python], lacking[one, python] = _files(one, python, index)
    platforms = [p for p in PLATFORMS if not any(p in where for where in lacking.values())]
    if not platforms:
        findings = [
            Finding(
                f"{one.requirement.name} {one.version} has no wheel for Python {python} on {where}",
                "choose a version or a Python that has one",
                name=str(path),
            )
            for (one, python), without in lacking.items()
            for where in sorted(without)[:1]
        ]
        raise BakestoneError(findings)
    wheels = list(_entries(found, package.pythons, platforms))
    names = tuple(dict.fromkeys(f["filename"] for w in wheels for f in w["files"].values()))
    source = f"the package index, by the hashes of {path.name}, read {today}"
    data: Entry = {"wheels": wheels, "source": source}
    texts = scaffold.from_python(about, package, own.version, names, data)
    return Closure(texts, own.version, names)


def read(path: Path) -> list[Pinned]:
    """The lines of a requirements file, each with a version and hashes.

    Raises `BakestoneError` with each line that has none.
    """
    text = read_text(path, "the requirements file", limit=MAX_BYTES)
    found: list[Pinned] = []
    findings: list[Finding] = []
    number, whole = 0, ""
    for place, line in enumerate(text.splitlines(), 1):
        number = number if whole else place
        whole += line.strip()
        if whole.endswith("\\"):
            whole = whole[:-1] + " "
            continue
        if whole and not whole.startswith(("#", "--index-url", "--extra-index-url")):
            try:
                found.append(_pinned(whole))
            except ValueError as problem:
                where = Position(str(path), number, 1)
                findings.append(Finding(str(problem), _HINT, where))
        whole = ""
    if findings:
        raise BakestoneError(findings)
    if not found:
        raise fail("it names no package", _HINT, name=str(path))
    return found


def _pinned(line: str) -> Pinned:
    """Raises `ValueError` for a line that is not one version with hashes."""
    matched = _LINE.fullmatch(line)
    if not matched:
        raise ValueError(f"there is no --hash=sha256:... behind {line[:60]!r}")
    try:
        requirement = Requirement(matched["what"].strip())
    except InvalidRequirement as problem:
        raise ValueError(f"{line[:60]!r} is no requirement") from problem
    exact = re.fullmatch(r"==([0-9][0-9A-Za-z.+!]*)", str(requirement.specifier))
    if not exact or requirement.url:
        raise ValueError(f"{requirement.name} has no one version (==)")
    hashes = frozenset(re.findall("sha256:([0-9a-f]{64})", matched["hashes"]))
    return Pinned(requirement, exact[1], hashes)


_Files = Mapping[str, tuple[str, Listed]]
"""Platform -> file name, and what the index says of it."""


def _files(one: Pinned, python: str, index: Pages) -> tuple[_Files, set[str]]:
    """The wheel for each platform, and the platforms that have none."""
    name = one.requirement.name
    try:
        pages = index.of(name)
    except (HttpError, ValueError) as problem:
        hint = problem.hint if isinstance(problem, HttpError) else ""
        where = problem.host if isinstance(problem, UnreachableError) else name
        raise fail(str(problem), hint, name=where, code=ENVIRONMENT) from problem
    files = {n: f for page in reversed(pages) for n, f in page.items() if f.sha256 in one.hashes}
    found = {}
    for platform, machine in MACHINES.items():
        ranks = {tag: rank for rank, tag in enumerate(_tags(python, machine))}
        fitting = [(rank, n) for n in files if (rank := _rank(n, ranks)) is not None]
        if fitting:
            _, filename = min(fitting)
            found[platform] = (filename, files[filename])
    return found, set(MACHINES) - set(found)


def _tags(python: str, machine: str) -> Iterator[Tag]:
    """The tags of wheels that a Python takes, the best first."""
    major, minor = map(int, python.split("."))
    platforms = [f"manylinux_2_{number}_{machine}" for number in _GLIBC]
    interpreter = f"cp{major}{minor}"
    yield from cpython_tags((major, minor), [interpreter], platforms)
    yield from compatible_tags((major, minor), interpreter, platforms)


def _rank(filename: str, ranks: Mapping[Tag, int]) -> int | None:
    """How good a file is; None for what does not fit."""
    try:
        tags = parse_wheel_filename(current(filename))[3]
    except (InvalidWheelFilename, ValueError):
        return None
    return min((ranks[tag] for tag in tags if tag in ranks), default=None)


def _entries(
    found: Mapping[tuple[Pinned, str], _Files], pythons: Sequence[str], platforms: Sequence[str]
) -> Iterator[Json]:
    """The wheels as versions.yaml has them: one that is the same for all Pythons once."""
    grouped: dict[Pinned, dict[str, _Files]] = {}
    for (one, python), files in found.items():
        grouped.setdefault(one, {})[python] = {p: files[p] for p in platforms}
    for one, by_python in grouped.items():
        about: Json = {"name": one.requirement.name, "version": one.version}
        each = list(by_python.values())
        same = len(by_python) == len(pythons) and all(files == each[0] for files in each)
        compiled = any("-cp" in name for files in each for name, _ in files.values())
        if same and not compiled:
            yield about | {"files": _plain(each[0])}
            continue
        for python, files in by_python.items():
            yield about | {"when": {"python": python}, "files": _plain(files)}


def _plain(files: _Files) -> Json:
    return {
        platform: {"filename": filename, "sha256": file.sha256}
        | ({"size": file.size} if file.size else {})
        for platform, (filename, file) in files.items()
    }
