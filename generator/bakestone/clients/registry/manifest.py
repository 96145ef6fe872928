"""A registry's answers, before anything in them is used: whole, in time, small enough, and what
they claim to be.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

import requests
import urllib3
from urllib3.exceptions import MaxRetryError, ReadTimeoutError, ResponseError
from urllib3.util import Retry

MAX_WAIT = 60
"""Seconds that a registry may ask for with Retry-After; one that asks for more is given up."""
MAX_DOCUMENT = 4 * 2**20
"""Bytes of a manifest or an image's configuration: what registries themselves take at most."""
PASSING = (429, 500, 502, 503, 504)
"""Answers that may be other ones a moment later."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WORD = re.compile(r"[a-z0-9_.-]{0,40}")


class Patience(Retry):
    """urllib3's retries, but what hung is not asked again, and Retry-After is followed up to
    `MAX_WAIT` seconds only.
    """

    def parse_retry_after(self, retry_after: str) -> float:
        """Seconds; 0 for what cannot be understood."""
        try:
            return float(super().parse_retry_after(retry_after))
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            return 0

    def increment(
        self,
        method: Any = None,
        url: Any = None,
        response: Any = None,
        error: Any = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Any:
        """The retries that are left; raises when there are none, or when another try is of no use."""
        if isinstance(error, ReadTimeoutError):
            raise error
        if response is not None and (self.get_retry_after(response) or 0) > MAX_WAIT:
            raise MaxRetryError(
                _pool, url, ResponseError(f"asked to wait more than {MAX_WAIT} seconds")
            )
        return super().increment(method, url, response, error, _pool, _stacktrace)


def patience() -> Patience:
    """Three more tries for answers that may heal and for broken connections, one more for a host
    that is not there.
    """
    return Patience(
        total=3,
        connect=1,
        backoff_factor=0.5,
        status_forcelist=PASSING,
        allowed_methods=None,
        raise_on_status=False,
    )


class BrokenError(Exception):
    """An answer that did not come whole; another try may go well when `again` says so."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


def body(response: Any, end: float) -> bytes:
    """The whole body of a response that was asked for with `stream=True`.

    `end` is the time (`time.monotonic`) after which no more is waited for, however steadily it
    trickles in. Raises `BrokenError`.
    """
    content = b""
    try:
        while chunk := response.raw.read1(2**16, decode_content=True):
            content += chunk
            if len(content) > MAX_DOCUMENT:
                raise BrokenError(f"it is longer than {MAX_DOCUMENT} bytes", again=False)
            if time.monotonic() > end:
                raise BrokenError("it came too slowly", again=False)
    except (ReadTimeoutError, TimeoutError):
        raise BrokenError("it stopped coming", again=False) from None
    except (urllib3.exceptions.HTTPError, requests.RequestException, OSError):
        raise BrokenError(f"it ended too early, after {len(content)} bytes", again=True) from None
    return content


def said(response: Any) -> str:
    """The first words of an error's body, on one line; nothing of a web page."""
    try:
        raw = (
            response.content
            if response._content_consumed
            else body(response, time.monotonic() + 10)
        )
    except BrokenError:
        return ""
    text = raw[:200].decode("utf-8", "replace")
    return (
        ""
        if text.lstrip().startswith("<")
        else " ".join("".join(c if c.isprintable() else " " for c in text).split())
    )


def document(raw: bytes) -> dict[str, Any]:
    """A JSON object. Raises `ValueError` with a reason for people."""
    try:
        loaded = json.loads(raw)
    except (ValueError, RecursionError):
        page = raw.lstrip()[:15].lower().startswith((b"<!doctype", b"<html"))
        raise ValueError("a web page came instead" if page else "it is not JSON") from None
    if not isinstance(loaded, dict):
        raise ValueError("it is not a JSON object")
    return loaded


def check_manifest(raw: bytes) -> None:
    """Raise `ValueError` when this is neither an image manifest nor an index of them."""
    data = document(raw)
    if "manifests" in data:
        entries = data["manifests"]
        if not isinstance(entries, list) or not all(
            isinstance(e, dict) and is_digest(e.get("digest")) for e in entries
        ):
            raise ValueError("it is an index with an entry without a digest")
    elif not isinstance(data.get("config"), dict) or not is_digest(data["config"].get("digest")):
        raise ValueError(
            "it is of the old schema 1"
            if data.get("schemaVersion") == 1
            else "it is neither an image manifest nor an index"
        )


def is_digest(value: object) -> bool:
    """Whether it is `sha256:` and 64 hex digits."""
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))


def platform(about: object) -> str:
    """`linux/arm64` of an index's entry or an image's configuration; empty for what is no Linux
    image (attestations).
    """
    if not isinstance(about, dict) or about.get("os") != "linux":
        return ""
    words = ["linux", about.get("architecture", ""), about.get("variant") or ""]
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words) or not words[1]:
        return ""
    return "/".join(word for word in words if word).removesuffix("/v8")
