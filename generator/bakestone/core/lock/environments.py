"""Wheels of an environment of Python: which of a project's files an image takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Platform -> what Linux and wheels call its machine."""
SDIST = ".tar.gz"
"""How the name of a source distribution ends."""
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Minor version of glibc 2 -> the tag from before PEP 600 that means it."""


def project_and_version(filename: str) -> tuple[str, str]:
    """The project and the version in the name of a wheel (PEP 427) or of a source distribution, as
    pip writes them.
    """
    if filename.endswith(SDIST):
        project, _, version = filename.removesuffix(SDIST).rpartition("-")
    else:
        project, version, *_ = filename.split("-")
    return project.replace("_", "-").replace(".", "-").lower(), version.replace("_", "+")


def requirement_name(text: str) -> str:
    """The project that a requirement of images.yaml is about, as wheels' names are compared."""
    found = re.match(r"[a-z0-9-]+", text)
    return found[0].rstrip("-") if found else text


def pins(files: Iterable[tuple[str, str, int]]) -> dict[str, str]:
    """Project -> version of the wheels of a platform."""
    return dict(project_and_version(filename) for filename, _, _ in files)


def choose(filenames: Iterable[str], python: str, glibc: str, platform: str) -> str:
    """The wheel that pip would take of those of one version; empty when none fits.

    `python` is `3.13`, `glibc` `2.41`. Of two that fit equally, the one that was built last.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename  # 20 ms

    rank = _ranks(python, glibc, platform)
    best: tuple[int, tuple[int, str], str] | None = None
    for filename in filenames:
        try:
            _, _, build, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            continue
        place = min((rank[str(tag)] for tag in tags if str(tag) in rank), default=None)
        if place is None:
            continue
        found = (-place, (build[0], build[1]) if build else (-1, ""), filename)
        best = found if best is None else max(best, found)
    return best[2] if best else ""


@cache
def _ranks(python: str, glibc: str, platform: str) -> dict[str, int]:
    """Tag -> how far it is from the best one, as pip orders them on such a machine."""
    from packaging.tags import compatible_tags, cpython_tags  # 20 ms, which few commands need

    major, minor = (int(number) for number in python.split("."))
    platforms = [*_platforms(int(glibc.split(".")[1]), MACHINES[platform])]
    ordered = [
        *cpython_tags((major, minor), platforms=platforms),
        *compatible_tags((major, minor), f"cp{major}{minor}", platforms=platforms),
    ]
    ranks: dict[str, int] = {}
    for number, tag in enumerate(ordered):
        ranks.setdefault(str(tag), number)
    return ranks


def _platforms(glibc: int, machine: str) -> Iterator[str]:
    for minor in range(glibc, 4, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in _LEGACY:
            yield f"{_LEGACY[minor]}_{machine}"
    yield f"linux_{machine}"
