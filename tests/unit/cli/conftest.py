"""What the tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from tests.support.samples import MANY, locked


@pytest.fixture
def made(library: Library, tmp_path: Path) -> None:
    """A matrix of four variants with its lock, where the command runs."""
    locked(tmp_path, MANY, library=library)
