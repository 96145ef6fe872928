"""Blobs of a registry: fetched and pushed as streams, each checked against its digest.

Over registry.py.
"""

from __future__ import annotations

import hashlib
from typing import IO, Any

from bakestone.clients.registry.client import Reference, Registry
from bakestone.errors import ENVIRONMENT, fail

CHUNK = 2**20
"""Bytes that are read at a time."""


def fetch(registry: Registry, reference: str, digest: str, sink: IO[bytes], limit: int) -> int:
    """Write the blob `digest` of the repository of `reference` to `sink`. Gives its size in bytes.

    Raises `BakestoneError` (exit 3) when it is not there, is longer than `limit` bytes, or is
    another one than its digest says; what was written is then of no use.
    """
    parsed = Reference.parse(reference)
    response = registry.request(parsed, "GET", f"blobs/{digest}", stream=True)
    if response is None:
        raise fail(
            f"the registry has no blob {digest} of {parsed.repository}",
            "push the image again",
            name=parsed.host,
            code=ENVIRONMENT,
        )
    sum_, size = hashlib.sha256(), 0
    with response:
        for chunk in _chunks(response, parsed, digest):
            size += len(chunk)
            if size > limit:
                raise fail(
                    f"the blob {digest} of {parsed.repository} is longer than the {limit} bytes that were stated",
                    # fmt: skip  # noqa: RUF028
                    "ask the registry's operators",
                    name=parsed.host,
                    code=ENVIRONMENT,
                )
            sum_.update(chunk)
            sink.write(chunk)
    if f"sha256:{sum_.hexdigest()}" != digest:
        raise fail(
            f"the registry's blob {digest} of {parsed.repository} does not have its digest",
            "ask the registry's operators; the answer was altered or cut off",
            name=parsed.host,
            code=ENVIRONMENT,
        )
    return size


def _chunks(response: Any, parsed: Reference, digest: str) -> Any:
    import requests

    try:
        yield from response.iter_content(CHUNK)
    except requests.RequestException as problem:
        message = (
            f"the registry ended the blob {digest} of {parsed.repository} too early:"
            f" {str(problem)[:160]}"
        )
        raise fail(message, "try again", name=parsed.host, code=ENVIRONMENT) from None


def has(registry: Registry, reference: str, digest: str) -> bool:
    """Whether the repository of `reference` has a blob."""
    return registry.request(Reference.parse(reference), "HEAD", f"blobs/{digest}") is not None


def push(
    registry: Registry, reference: str, content: bytes | IO[bytes], digest: str, size: int
) -> None:
    """Bring a blob of `size` bytes into the repository of `reference`, in one request; nothing is
    sent when it is there.

    The registry checks the digest (OCI distribution specification, "Single POST then PUT").
    """
    if has(registry, reference, digest):
        return
    parsed = Reference.parse(reference)
    begun = registry.request(parsed, "POST", "blobs/uploads/", headers={"Content-Length": "0"})
    if begun is None:
        raise fail(
            f"the registry takes no uploads to {parsed.repository}",
            "is the path right?",
            name=parsed.host,
            code=ENVIRONMENT,
        )
    place = begun.headers["Location"]
    place += ("&" if "?" in place else "?") + f"digest={digest}"
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    registry.request(parsed, "PUT", place, data=content, headers=headers)


def push_manifest(registry: Registry, reference: str, raw: bytes, media_type: str) -> str:
    """Bring a manifest or index under the tag or digest of `reference`. Gives its digest."""
    parsed = Reference.parse(reference)
    registry.request(
        parsed, "PUT", f"manifests/{parsed.tag}", data=raw, headers={"Content-Type": media_type}
    )
    return "sha256:" + hashlib.sha256(raw).hexdigest()
