"""Layers as their registry has them: plain, gzip (estargz as well) or zstd.

Python reads zstd from 3.14 on; before, by the package backports.zstd, which has the same names.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import IO, cast

from bakestone.errors import ENVIRONMENT, fail

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
"""How they begin (RFC 1952, RFC 8878)."""
_WINDOW = 27
"""The binary logarithm of the largest window that is kept in memory: what `zstd` itself takes, and
engines.
"""


def _found() -> ModuleType | None:
    for name in ("compression.zstd", "backports.zstd"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


reader = _found()
"""What reads zstd; None where nothing does."""
BROKEN: tuple[type[Exception], ...] = (
    zlib.error,
    EOFError,
    OSError,
    *((reader.ZstdError,) if reader else ()),
)
"""What reading raises where a stream is broken or cut off."""


def need_zstd() -> ModuleType:
    """What reads zstd. Raises `BakestoneError` (exit 3) where there is nothing."""
    if reader is None:
        hint = "`pip install 'bakestone[zstd]'`, or leave `compression` in the site file at gzip"
        raise fail("this Python does not read zstd", hint, code=ENVIRONMENT)
    return reader


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """What is in a layer, unpacked while it is read; `stream` can be wound back.

    Raises `BakestoneError` for zstd where nothing reads it; reading raises `BROKEN`.
    """
    start = stream.tell()
    head = stream.read(4)
    stream.seek(start)
    if head.startswith(_GZIP):
        with gzip.GzipFile(fileobj=stream) as plain:
            yield cast(IO[bytes], plain)
    elif head == _ZSTD:
        module = need_zstd()
        limit = {module.DecompressionParameter.window_log_max: _WINDOW}
        with module.ZstdFile(stream, options=limit) as plain:
            yield cast(IO[bytes], plain)
    else:
        yield stream
