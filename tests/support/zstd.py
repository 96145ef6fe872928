"""What writes zstd for tests: Python from 3.14 on, before it the package backports.zstd."""

from __future__ import annotations

import importlib

import pytest


def compress(content: bytes) -> bytes:
    """By zstd; the test is left out where nothing writes it."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            packed: bytes = importlib.import_module(name).compress(content)
        except ImportError:
            continue
        return packed
    pytest.skip("this Python has no zstd")
