"""Fixtures of the tests with golden files (tests/support/golden.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.lock import lockfile
from bakestone.project import Project
from tests.support.golden import GOLDEN, HINT, Compare
from tests.support.samples import made_up_lock


@pytest.fixture(scope="session")
def refresh(pytestconfig: pytest.Config) -> bool:
    """Whether files are written."""
    return bool(pytestconfig.getoption("--refresh-golden"))


@pytest.fixture(scope="session")
def golden(refresh: bool) -> Project:
    """The small matrix of this folder with its made-up lock."""
    project = Project(GOLDEN / "images.yaml", GOLDEN / "images.lock.yaml", GOLDEN / "dockerfiles")
    if refresh:
        lockfile.write(
            made_up_lock(project.matrix.variants, project.matrix.library), project.lock_path
        )
    return project


@pytest.fixture
def compare(refresh: bool) -> Compare:
    """Compare a text with a file, or write it."""

    def run(path: Path, text: str) -> None:
        if refresh:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.is_file(), f"{path.relative_to(GOLDEN)} is missing; {HINT}"
        assert text == path.read_text("utf-8"), f"{path.relative_to(GOLDEN)} differs; {HINT}"

    return run
