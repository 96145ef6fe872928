"""The collection of facts that the library was written from: where it lies, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from bakestone.core.library.version import Version

ROOT = Path(__file__).resolve().parents[2]
SETTING = "BAKESTONE_FACTS"
"""The environment variable that names the file, for checkouts that lie elsewhere."""


def path() -> Path | None:
    """facts.yaml: the one that the environment names, else `shared/facts/` beside the repository or
    a folder around it.
    """
    named = os.environ.get(SETTING)
    if named:
        return Path(named)
    places = [folder / "shared" / "facts" / "facts.yaml" for folder in ROOT.parents]
    return next((place for place in places if place.is_file()), None)


@cache
def read() -> dict[str, Any]:
    """All facts; skips the test when they are not there."""
    found = path()
    if found is None:
        pytest.skip(
            f"shared/facts/facts.yaml is not beside this repository, and {SETTING} does not name it"
        )
    loaded: dict[str, Any] = yamldoc.fast(found)
    return loaded


def nvidia() -> dict[str, Any]:
    """The facts about NVIDIA's images, packages and keys."""
    found: dict[str, Any] = read()["4_nvidia_cuda_images"]
    return found


def component(library: Library, name: str) -> Component:
    """A component that is there."""
    found = library.get(name)
    assert found is not None, name
    return found


def entries(of: Component, *keys: str) -> Iterator[tuple[Version, dict[str, Any]]]:
    """The entries of all methods of all versions: images, packages, artifacts."""
    for version in of.versions.values():
        for data in version.methods.values():
            for key in keys:
                if isinstance(data.get(key), list):
                    yield from ((version, entry) for entry in data[key])


def pins(of: Component, version: Version, distro: str, platform: str) -> dict[str, str]:
    """The vendor's packages of a version on a distro and platform: name -> version."""
    found: dict[str, str] = {}
    for entry in version.methods.get("apt", {}).get("packages", []):
        if (
            entry["when"].get("distro", distro) == distro
            and entry.get("platform", platform) == platform
        ):
            found |= entry["install"]
    return found
