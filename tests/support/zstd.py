"""What writes zstd for tests: Python from 3.14 on, before it the package backports.zstd, which
tests need.
"""

from __future__ import annotations

import importlib
import sys


def compress(content: bytes) -> bytes:
    """By zstd."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    packed: bytes = importlib.import_module(name).compress(content)
    return packed
