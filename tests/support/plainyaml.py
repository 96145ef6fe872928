"""YAML files as data, for tests that look at what a command wrote.

The library's own files have ten thousand lines, and a dozen tests read each of them.
"""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from typing import Any

import yaml


def data(path: Path) -> Any:
    """What a file holds; whoever asks gets data of their own."""
    return pickle.loads(_pickled(path.read_bytes()))  # noqa: S301 - made here


@functools.cache
def _pickled(text: bytes) -> bytes:
    # libyaml, where it is there: ten times as fast
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return pickle.dumps(yaml.load(text, loader))  # noqa: S506 - one of the two safe ones
