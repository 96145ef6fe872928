"""What the wheel of a framework asks for of CUDA, cuDNN and NCCL, itself or by way of others, as
the package index has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from bakestone.clients.http.session import HttpError, UnreachableError
from bakestone.clients.index.metadata import Requirements, requirements
from bakestone.clients.index.page import Listed, versions
from bakestone.clients.index.pages import Pages
from bakestone.core.documents.patterns import version_key
from bakestone.core.library.projects import slot_of
from bakestone.errors import ENVIRONMENT, BakestoneError, fail

EXTRAS = {
    "tensorflow": "and-cuda",
    "jax": "cuda12",
    "onnxruntime-gpu": "cuda,cudnn",
    "cupy-cuda12x": "ctk",
    "cupy-cuda13x": "ctk",
    "jax-cuda12-plugin": "with-cuda",
    "jax-cuda13-plugin": "with-cuda",
}
"""The extras that ask for CUDA, where nobody names one (by the projects' installation pages)."""
CARRIERS = re.compile(r"torch|tensorflow|jax-cuda[0-9]+-plugin")
"""Projects whose own requirements are looked into: vLLM pins torch, which pins CUDA."""
LINUX = {
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
}
"""What markers are asked for: not the machine that asks, but where images run."""
DEPTH = 3
"""How far requirements are followed: vLLM, torch, CUDA."""
_NEAR = 5
"""How many versions are named where the wanted one is not there."""


@dataclass(frozen=True)
class FrameworkWheel:
    """A framework's wheel: `name` as pip takes it (`tensorflow[and-cuda]==2.19.1`), its file, the
    SHA-256 of its METADATA, the Pythons that it says and has wheels for, and what it asks for of
    the slots, each once.

    `withdrawn` is why its publisher took it back (PEP 592), None for one that counts.
    """

    name: str
    filename: str
    sha256: str
    requires_python: str
    pythons: tuple[str, ...]
    wanted: tuple[Requirement, ...]
    withdrawn: str | None = None


def read(wanted: Requirement, index: Pages) -> FrameworkWheel:
    """The newest wheel for Linux that a requirement means, and what it asks for.

    Raises `BakestoneError` for what the index does not have, for a wheel that asks for no CUDA, and
    when the index cannot be asked.
    """
    asking = _Asking(index)
    try:
        found = asking.wheel(wanted)
        asked = list(asking.pins(found, _extras(wanted), DEPTH))
    except (HttpError, ValueError) as problem:
        hint = problem.hint if isinstance(problem, HttpError) else ""
        where = problem.host if isinstance(problem, UnreachableError) else wanted.name
        raise fail(str(problem), hint, name=where, code=ENVIRONMENT) from problem
    pins: dict[str, Requirement] = {}
    for requirement in asked:
        pins.setdefault(slot_of(requirement), requirement)
    if not pins:
        why = f"{found.name} {found.version} asks for no CUDA"
        extras = ", ".join(found.extras)
        alone = (
            "a wheel that was built for CUDA and does not say so is known to its own pages alone"
        )
        raise fail(why, f"name an extra that does: {extras}" if extras else alone)
    name = f"{canonicalize_name(found.name)}{_shown(_extras(wanted))}=={found.version}"
    return FrameworkWheel(
        name,
        found.filename,
        found.asks.sha256,
        found.asks.python,
        found.pythons,
        tuple(pins.values()),
        found.file.withdrawn,
    )


def _shown(extras: frozenset[str]) -> str:
    return f"[{','.join(sorted(extras))}]" if extras else ""


def _extras(wanted: Requirement) -> frozenset[str]:
    usual = EXTRAS.get(canonicalize_name(wanted.name), "")
    return frozenset(wanted.extras) or frozenset(usual.split(",") if usual else ())


@dataclass(frozen=True)
class _Wheel:
    name: str
    version: str
    filename: str
    file: Listed
    pythons: tuple[str, ...]
    asks: Requirements

    @property
    def extras(self) -> list[str]:
        markers = " ".join(str(r.marker) for r in self.asks.wanted if r.marker and slot_of(r))
        return sorted(set(re.findall(r'extra == "([^"]+)"', markers)))


class _Asking:
    def __init__(self, index: Pages) -> None:
        self.index = index

    def wheel(self, wanted: Requirement) -> _Wheel:
        """The newest wheel for Linux that a requirement allows, read."""
        pages = self.index.of(wanted.name)
        if not pages:
            why = f"the package index has no project {wanted.name}"
            raise fail(why, "look at its spelling", name=wanted.name)
        files = {name: file for page in reversed(pages) for name, file in page.items()}
        linux = {n: f for n, f in files.items() if _version_in(n) and _for_linux(n)}
        # as pip does: what was withdrawn counts where it is asked for by its number alone
        exact = _exact(wanted.specifier)
        fitting = {n: f for n, f in linux.items() if f.withdrawn is None or _version_in(n) == exact}
        allowed = list(wanted.specifier.filter(versions(fitting)))
        early = wanted.specifier.prereleases or exact
        if not early:
            allowed = [text for text in allowed if not Version(text).is_prerelease]
        if not allowed:
            raise _missing(wanted, files, linux)
        version = max(allowed, key=Version)
        own = {n: f for n, f in fitting.items() if _version_in(n) == version}
        filename, file = max(own.items(), key=lambda item: _rank(item[0]))
        return _Wheel(wanted.name, version, filename, file, _pythons(own), self._read(file))

    def _read(self, file: Listed) -> Requirements:
        proxies = self.index.places().proxies or None
        return requirements(self.index.with_login(file.url), self.index.asker, proxies)

    def pins(self, wheel: _Wheel, extras: frozenset[str], depth: int) -> Iterator[Requirement]:
        """What a wheel asks for of the slots, itself or by what it asks for; its own first."""
        minor = wheel.pythons[-1] if wheel.pythons else "3.12"
        holds = partial(_holds, extras=extras, minor=minor)
        asked = [r for r in wheel.asks.wanted if holds(r)]
        yield from (r for r in asked if slot_of(r))
        for carrier in asked:
            if depth and CARRIERS.fullmatch(canonicalize_name(carrier.name)):
                yield from self.pins(self.wheel(carrier), _extras(carrier), depth - 1)


def _missing(
    wanted: Requirement, files: Mapping[str, Listed], linux: Mapping[str, Listed]
) -> BakestoneError:
    """Why no wheel was found, and what there is: near the version that is asked for, or newest."""
    known = versions(linux)
    asked = re.search(r"[0-9]+(\.[0-9]+)*", str(wanted.specifier))
    place = len([v for v in known if Version(v) < Version(asked[0])]) if asked else len(known)
    first = max(0, min(place - _NEAR // 2, len(known) - _NEAR))
    counting = versions(name for name, file in linux.items() if file.withdrawn is None)
    near = [v if v in counting else f"{v} (withdrawn)" for v in known[first : first + _NEAR]]
    has = f"it has {', '.join(near)}"
    if "+" in str(wanted.specifier):
        has += "; builds with a + are on an index of their own, which a site file can name"
    elif not known:
        has = "it has wheels for other systems" if versions(files) else "it has its source alone"
    elif all(Version(v).is_prerelease for v in counting):
        has += ": pre-releases alone, which count where one is named"
    why = f"the package index has no wheel of {wanted.name}{wanted.specifier} for Linux"
    return fail(why, has, name=wanted.name)


def _exact(specifier: SpecifierSet) -> str:
    """The one version that a specifier means; empty when it leaves a choice."""
    found = re.fullmatch(r"={2,3}([0-9][0-9A-Za-z.!+]*)", str(specifier))
    try:
        return str(Version(found[1])) if found else ""
    except InvalidVersion:  # `===` takes any text
        return ""


def _holds(wanted: Requirement, extras: frozenset[str], minor: str) -> bool:
    """Whether a requirement counts on Linux with these extras."""
    if wanted.marker is None:
        return True
    python = {"python_version": minor, "python_full_version": f"{minor}.0"}
    return any(
        wanted.marker.evaluate({**LINUX, **python, "extra": extra}) for extra in ("", *extras)
    )


def _version_in(filename: str) -> str:
    """The version in a wheel's name; empty for what is none."""
    try:
        return str(parse_wheel_filename(filename)[1])
    except (InvalidWheelFilename, ValueError):
        return ""


def _for_linux(filename: str) -> bool:
    platform = filename.removesuffix(".whl").rpartition("-")[2]
    return platform == "any" or ("linux" in platform and platform.endswith("x86_64"))


def _rank(filename: str) -> tuple[int, str]:
    """Free-threaded builds last: the others stand for what most people take."""
    return (0 if re.search(r"-cp[0-9]+t-", filename) else 1, filename)


def _pythons(filenames: Mapping[str, Listed]) -> tuple[str, ...]:
    """The minors of Python in the names of wheels, the oldest first: 3.9, 3.10."""
    found = {f"3.{minor}" for name in filenames for minor in re.findall(r"-cp3([0-9]+)-cp3", name)}
    return tuple(sorted(found, key=version_key))
