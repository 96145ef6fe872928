"""The golden files, which tests compare with.

`pytest tests/golden --refresh-golden` writes them; read the difference before it is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.samples import ROOT

GOLDEN = ROOT / "tests" / "golden"
HINT = "when this is meant: pytest tests/golden --refresh-golden"

Compare = Callable[[Path, str], None]
"""Compares a text with a file, or writes it."""
