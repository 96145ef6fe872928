"""Blobs of a registry: fetched and pushed as streams, each checked against its digest."""

from __future__ import annotations

import hashlib
import io
import time
from typing import IO

from bakestone.clients.http.download import Sink
from bakestone.clients.http.session import BrokenError, pieces
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.reference import Reference
from bakestone.errors import ENVIRONMENT, BakestoneError, fail

TOTAL = 6 * 3600
"""Seconds for one blob, however steadily it comes: ten gigabytes at half a megabyte a second."""


def fetch(registry: Registry, reference: str, digest: str, sink: Sink, limit: int) -> int:
    """Write the blob `digest` of the repository of `reference` to `sink`. Gives its size in bytes.

    Raises `BakestoneError` (exit 3) when it is not there, is longer than `limit` bytes, or is
    another one than its digest says; what was written is then of no use.
    """
    place = Reference.parse(reference).at(digest)
    sum_, size = hashlib.sha256(), 0
    try:
        with registry.open_blob(place) as response:
            for piece in pieces(response, time.monotonic() + TOTAL):
                size += len(piece)
                if size > limit:
                    reason = f"is longer than the {limit} bytes that were stated"
                    raise _broken(place, reason, "ask the registry's operators")
                sum_.update(piece)
                sink.write(piece)
    except BrokenError as problem:
        raise _broken(place, f"is of no use: {problem}", "try again") from problem
    if f"sha256:{sum_.hexdigest()}" != digest:
        hint = "ask the registry's operators; the answer was altered or cut off"
        raise _broken(place, "does not have its digest", hint)
    return size


def _broken(place: Reference, reason: str, hint: str) -> BakestoneError:
    message = f"the registry's blob {place.digest} of {place.repository} {reason}"
    return fail(message, hint, name=place.host, code=ENVIRONMENT)


def push(
    registry: Registry, reference: str, content: bytes | IO[bytes], digest: str, size: int
) -> None:
    """Bring a blob into a repository when it is not there yet. The registry checks the digest."""
    if not registry.has_blob(reference, digest):
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        registry.upload(reference, stream, digest, size)
