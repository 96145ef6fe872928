"""A registry on loopback, a plan that goes there, and where its record is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.render.plan import BuildPlan
from tests.support.samples import MANY, locked
from tests.support.writable_registry import WritableRegistry, writable_registry


@pytest.fixture
def shelf() -> Iterator[WritableRegistry]:
    with writable_registry() as registry:
        yield registry


@pytest.fixture
def plan(shelf: WritableRegistry, library: Library, tmp_path: Path) -> BuildPlan:
    project = locked(tmp_path, MANY, library=library)
    project.registry_override = f"{shelf.address}/base"
    return project.plan(project.matrix.variants)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "release.json"
