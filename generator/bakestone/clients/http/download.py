"""One file from a URL: its checksum and size, with limits on everything that a server decides."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import requests

from bakestone.clients.http.session import (
    LATE,
    SLOW,
    STOPPED,
    BrokenError,
    HttpError,
    LedAstrayError,
    Request,
    Session,
    number,
    pieces,
    readable,
    shown,
)
from bakestone.clients.site.proxies import is_loopback
from bakestone.clients.site.site import Site
from bakestone.errors import ENVIRONMENT, BakestoneError, fail

MAX_SIZE = 4 * 2**30
"""Bytes: more than nearly every installer has, and less than what fills a disk.

What is larger is asked for by an option.
"""
_HEAD = 512
"""Bytes by which a file is judged."""
_PAGE = (b"<!doctype html", b"<html")
_MAGIC = {
    (".gz", ".tgz"): b"\x1f\x8b",
    (".bz2", ".tbz2", ".tbz"): b"BZh",
    (".xz", ".txz"): b"\xfd7zXZ\x00",
    (".zst", ".tzst"): b"\x28\xb5\x2f\xfd",
    (".zip", ".whl"): b"PK",
}
"""The first bytes of a file with such a name."""
_AGAIN = "try again later, or name a mirror of it under `mirrors.urls` in the site file"
_ACCOUNT = (
    "name an account that may read it under `credentials` in the site file, or correct that one"
)
_RIGHT = "is the URL right?"
_HINTS = {
    401: _ACCOUNT,
    403: "is the URL right, and may the account under `credentials` in the site file read it?",
    404: _RIGHT,
    407: _ACCOUNT,
    410: _RIGHT,
}

Tick = Callable[[int, int], None]
"""Told how far a download is: bytes so far, bytes in all (0 when the server does not say)."""


class Sink(Protocol):
    """Where the bytes of a file go."""

    def write(self, data: bytes, /) -> object:
        """Take the next ones."""


@dataclass(frozen=True)
class Limits:
    """Of one download: `size` in bytes, `idle` in seconds without any answer, `total` in all."""

    size: int = MAX_SIZE
    idle: float = 60
    total: float = 3600


@dataclass(frozen=True)
class Fetched:
    """A file that was read to its end: SHA-256 in hex, size in bytes."""

    sha256: str
    size: int


def fetch(
    url: str,
    session: Session,
    limits: Limits,
    *,
    checksum: str = "",
    keep: Sink | None = None,
    tick: Tick | None = None,
) -> Fetched:
    """Read the file behind `url`, from the site's mirror where it has one, and hash it.

    `checksum` is what it must be, or empty; `keep` gets the bytes. Plain HTTP is taken from this
    machine, from a mirror, or with a checksum. Raises `BakestoneError`: code 3 when the server or
    the way to it fails, 1 when the file is not what was asked for.
    """
    reading = _Reading(url, session.site, limits, checksum)
    request = Request(
        "GET", reading.start, allow=reading.allow, connect=min(20, limits.idle), idle=limits.idle
    )
    try:
        with session.send(request) as response:
            reading.check(response)
            return reading.body(response, keep, tick)
    except HttpError as problem:
        raise reading.failure(problem) from problem


class _Reading:
    """One download at work; `place` is where it is now, as messages may show it."""

    def __init__(self, url: str, site: Site, limits: Limits, checksum: str) -> None:
        self.name = url
        self.limits = limits
        self.checksum = checksum
        self.start = site.mirror_url(url)
        self.mirrored = self.start != url
        self.place = shown(self.start)
        self.end = time.monotonic() + limits.total
        self.received = 0

    @property
    def who(self) -> str:
        """Who is to blame: the server, or another place that a redirect or a mirror led to."""
        return "the server" if self.place == shown(self.name) else self.place

    def allow(self, url: str) -> None:
        """Only https; plain http where bytes are checked, or come from this machine or a mirror."""
        parts = urlsplit(url)
        plain = parts.scheme == "http" and parts.hostname
        if not plain and (parts.scheme != "https" or not parts.hostname):
            raise self.fail(
                f"{self.who} leads to {shown(url)}, which is neither http nor https",
                "give the URL of the file itself",
            )
        checked = self.checksum or is_loopback(parts.hostname or "")
        mine = self.mirrored and parts.hostname == urlsplit(self.start).hostname
        if plain and not checked and not mine:
            what = "it" if url == self.name else shown(url)
            raise self.fail(
                f"{what} is not encrypted: anybody on the way could send another file",
                "give an https URL, or say with --sha256 what the file must be",
            )
        self.place = shown(url)

    def check(self, response: requests.Response) -> None:
        """Whether the answer may hold the file."""
        if response.status_code != 200:
            said = f"{response.status_code} {response.reason or ''}".strip()
            hint = _HINTS.get(response.status_code, _AGAIN)
            raise self.fail(f"{self.who} answers {said}", hint, ENVIRONMENT)
        total = number(response.headers.get("Content-Length", ""))
        if total is not None and total > self.limits.size:
            raise self.too_large(readable(total))
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        if total is None and not chunked and not self.checksum:
            raise self.fail(
                f"{self.who} does not say how long the file is, so a cut could not be seen",
                "say with --sha256 what the file must be",
            )

    def body(self, response: requests.Response, keep: Sink | None, tick: Tick | None) -> Fetched:
        total = number(response.headers.get("Content-Length", "")) or 0
        sum_, head = hashlib.sha256(), b""
        for piece in pieces(response, self.end):
            self.received += len(piece)
            if self.received > self.limits.size:
                raise self.too_large("more")
            if len(head) < _HEAD:
                head = (head + piece)[:_HEAD]
            sum_.update(piece)
            if keep:
                keep.write(piece)
            if tick:
                tick(self.received, total)
        self.judge(head, response.headers.get("Content-Type", ""), sum_.hexdigest())
        return Fetched(sum_.hexdigest(), self.received)

    def judge(self, head: bytes, kind: str, found: str) -> None:
        """Whether what came is the file that was asked for. A checksum says so by itself."""
        page = kind.startswith("text/html") or is_page(head)
        if self.checksum == found:
            return
        if self.checksum:
            came = "a web page came instead of the file"
            what = came if page else "the file is another one, or was altered"
            why = f"the checksum is {found}, not {self.checksum}"
            raise self.fail(why, f"{what}; nothing was written")
        if not self.received:
            raise self.fail(f"{self.who} gave an empty file", _RIGHT)
        if page:
            raise self.fail(
                f"{self.who} gave a web page, not a file",
                "is a login or a licence page in between? Give the URL of the file itself",
            )
        if not head.startswith(_magic(self.name)):
            raise self.fail(
                f"{self.who} gave something that is not what its name says",
                "is the URL right? An error may have come instead",
            )

    def failure(self, problem: HttpError) -> BakestoneError:
        """Why there is no file, in this download's words."""
        if problem.reason in (LATE, STOPPED):
            message = f"{self.who} gave no answer for {self.limits.idle:g} seconds"
            hint = f"{_AGAIN}; or wait longer with --timeout"
        elif problem.reason == SLOW:
            message = f"{readable(self.received)} of it came in {self.limits.total:g} seconds"
            hint = "allow more with --max-time"
        elif isinstance(problem, BrokenError):
            message = f"{self.who} ended the file too early, after {readable(self.received)}"
            hint = _AGAIN
        elif isinstance(problem, LedAstrayError):
            message, hint = f"{self.who}: {problem.reason}", _RIGHT
        elif problem.reason.startswith("TLS"):
            host = urlsplit(self.place).hostname
            message, hint = f"TLS to {host} failed{problem.reason[10:]}", problem.hint
        else:
            message, hint = f"{self.who} {problem.reason}", _AGAIN
        return self.fail(message, hint, ENVIRONMENT)

    def too_large(self, found: str) -> BakestoneError:
        said = f"the file is too large: {found}, the limit is {readable(self.limits.size)}"
        return self.fail(said, "allow more with --max-size")

    def fail(self, message: str, hint: str, code: int = 1) -> BakestoneError:
        return fail(message, hint, name=shown(self.name), code=code)


def is_page(head: bytes) -> bool:
    """Whether a file that begins like this is a web page."""
    return head.lstrip().lower().startswith(_PAGE)


def fits(url: str, head: bytes) -> bool:
    """Whether a file begins as its name says; False when its name says nothing."""
    return bool(_magic(url)) and head.startswith(_magic(url))


def _magic(url: str) -> bytes:
    path = urlsplit(url).path.lower()
    return next((magic for endings, magic in _MAGIC.items() if path.endswith(endings)), b"")
