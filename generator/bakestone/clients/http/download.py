"""One file from a URL: its checksum and size, with limits on everything that a server decides."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from bakestone import __version__
from bakestone.clients.http import session as access
from bakestone.clients.site.site import Site
from bakestone.errors import ENVIRONMENT, BakestoneError, fail

MAX_SIZE = 4 * 2**30
"""Bytes: more than nearly every installer has, and less than what fills a disk.

What is larger is asked for by an option.
"""
MAX_REDIRECTS = 10
_CHUNK = 2**18
_HEAD = 512
_TRIES = 3
_PASSING = (429, 500, 502, 503, 504)
"""Answers of a server that may do better a moment later."""
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
_HINTS = dict.fromkeys(
    (401, 407),
    "name an account that may read it under `credentials` in the site file, or correct that one",
)
_HINTS |= {
    403: "is the URL right, and may the account under `credentials` in the site file read it?"
}
_HINTS |= dict.fromkeys((404, 410), "is the URL right?")

Tick = Callable[[int, int], None]
"""Told how far a download is: bytes so far, bytes in all (0 when the server does not say)."""


@dataclass(frozen=True)
class Limits:
    """`size` in bytes; `idle` is the seconds without any answer, `total` those of the whole
    download.
    """

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
    site: Site,
    limits: Limits,
    *,
    checksum: str = "",
    keep: IO[bytes] | None = None,
    tick: Tick | None = None,
) -> Fetched:
    """Read the file behind `url`, from the site's mirror where it has one, and hash it.

    `checksum` is what it must be, or empty; `keep` gets the bytes. Plain HTTP is taken from this
    machine, from a mirror, or with a checksum. Raises `BakestoneError`: code 3 when the server or
    the way to it fails, 1 when the file is not what was asked for.
    """
    reading = _Reading(url, site, limits, checksum)
    try:
        with requests.Session() as session:
            session.headers.update(
                {"User-Agent": f"bakestone/{__version__}", "Accept-Encoding": "identity"}
            )
            with reading.answer(session) as response:
                return reading.body(response, keep, tick)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as problem:
        raise reading.failure(problem) from None


class _Reading:
    """One download at work; `place` is where it is now, as messages may show it."""

    def __init__(self, url: str, site: Site, limits: Limits, checksum: str) -> None:
        self.name = url
        self.site = site
        self.limits = limits
        self.checksum = checksum
        self.start = mirrored(url, site)
        self.mirrored = self.start != url
        self.place = shown(self.start)
        self.began = time.monotonic()
        self.received = 0

    @property
    def who(self) -> str:
        """Who is to blame: the server, or another place that a redirect or a mirror led to."""
        return "the server" if self.place == shown(self.name) else self.place

    def answer(self, session: requests.Session) -> requests.Response:
        """The answer that holds the file: redirects are followed, passing troubles tried again."""
        url = self.start
        for _ in range(MAX_REDIRECTS + 1):
            self.allow(url)
            self.place = shown(url)
            response = self.ask(session, url)
            target = session.get_redirect_target(response)
            if not target:
                if response.status_code != 200:
                    response.close()
                    said = f"{response.status_code} {response.reason or ''}".strip()
                    hint = _HINTS.get(response.status_code, _AGAIN)
                    raise self.fail(f"{self.who} answers {said}", hint, ENVIRONMENT)
                return response
            response.close()
            url = urljoin(url, target)
        raise self.fail(
            f"more than {MAX_REDIRECTS} redirects, the last to {self.place}",
            "is the URL right?",
            ENVIRONMENT,
        )

    def ask(self, session: requests.Session, url: str) -> requests.Response:
        for attempt in range(1, _TRIES + 1):
            # the credential is looked up for each URL on the way, so that none goes to where a
            # redirect leads
            response = session.get(
                url,
                stream=True,
                allow_redirects=False,
                timeout=(min(20, self.limits.idle), self.limits.idle),
                **access.settings(self.site, url),
            )
            if response.status_code not in _PASSING or attempt == _TRIES:
                break
            response.close()
            time.sleep(0.5 * attempt)
        return response

    def allow(self, url: str) -> None:
        """Only http and https; plain http where the bytes are checked, or come from this machine or
        a mirror.
        """
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            return
        if parts.scheme != "http" or not parts.hostname:
            raise self.fail(
                f"{self.who} leads to {shown(url)}, which is neither http nor https",
                "give the URL of the file itself",
            )
        if not (
            self.checksum
            or _is_loopback(parts.hostname)
            or (self.mirrored and parts.hostname == urlsplit(self.start).hostname)
        ):
            raise self.fail(
                f"{'it' if url == self.name else shown(url)} is not encrypted: anybody on the way"
                " could send another file",
                "give an https URL, or say with --sha256 what the file must be",
            )

    def body(
        self, response: requests.Response, keep: IO[bytes] | None, tick: Tick | None
    ) -> Fetched:
        total = (
            int(response.headers.get("Content-Length") or 0)
            if response.headers.get("Content-Length", "").isdigit()
            else 0
        )
        if total > self.limits.size:
            raise self.too_large(readable(total))
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        if (
            not total
            and not chunked
            and not self.checksum
            and "Content-Length" not in response.headers
        ):
            raise self.fail(
                f"{self.who} does not say how long the file is, so a cut could not be seen",
                "say with --sha256 what the file must be",
            )
        sum_, head = hashlib.sha256(), b""
        for chunk in self.chunks(response):
            if len(head) < _HEAD:
                head = (head + chunk)[:_HEAD]
            sum_.update(chunk)
            if keep:
                keep.write(chunk)
            if tick:
                tick(self.received, total)
        self.judge(head, response.headers.get("Content-Type", ""), sum_.hexdigest())
        return Fetched(sum_.hexdigest(), self.received)

    def chunks(self, response: requests.Response) -> Iterator[bytes]:
        """The body as it comes in, so that one that trickles is not waited for without end."""
        raw: Any = response.raw
        while chunk := raw.read1(_CHUNK, decode_content=True):
            self.received += len(chunk)
            if self.received > self.limits.size:
                raise self.too_large("more")
            if time.monotonic() - self.began > self.limits.total:
                raise self.fail(
                    f"{readable(self.received)} of it came in {self.limits.total:g} seconds",
                    "allow more with --max-time",
                    ENVIRONMENT,
                )
            yield chunk

    def judge(self, head: bytes, kind: str, found: str) -> None:
        """Whether what came is the file that was asked for. A checksum says so by itself."""
        page = kind.startswith("text/html") or is_page(head)
        if self.checksum:
            if found != self.checksum:
                what = (
                    "a web page came instead of the file"
                    if page
                    else "the file is another one, or was altered"
                )
                raise self.fail(
                    f"the checksum is {found}, not {self.checksum}", f"{what}; nothing was written"
                )
            return
        if not self.received:
            raise self.fail(f"{self.who} gave an empty file", "is the URL right?")
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

    def failure(self, problem: Exception) -> BakestoneError:
        """What requests and urllib3 say, in the words of this project."""
        text = f"{type(problem).__name__} {problem}"
        if "IncompleteRead" in text or "InvalidChunkLength" in text or "Connection broken" in text:
            return self.fail(
                f"{self.who} ended the file too early, after {readable(self.received)}",
                _AGAIN,
                ENVIRONMENT,
            )
        if (
            isinstance(problem, (requests.Timeout, urllib3.exceptions.TimeoutError))
            or "timed out" in text
        ):
            return self.fail(
                f"{self.who} gave no answer for {self.limits.idle:g} seconds",
                f"{_AGAIN}; or wait longer with --timeout",
                ENVIRONMENT,
            )
        if isinstance(problem, (requests.exceptions.SSLError, urllib3.exceptions.SSLError)):
            return self.fail(
                f"TLS to {urlsplit(self.place).hostname} failed",
                "name the CA bundle under `ca` in the site file",
                ENVIRONMENT,
            )
        return self.fail(f"{self.who} cannot be reached ({cause(problem)})", _AGAIN, ENVIRONMENT)

    def too_large(self, found: str) -> BakestoneError:
        return self.fail(
            f"the file is too large: {found}, the limit is {readable(self.limits.size)}",
            "allow more with --max-size",
        )

    def fail(self, message: str, hint: str, code: int = 1) -> BakestoneError:
        return fail(message, hint, name=shown(self.name), code=code)


def mirrored(url: str, site: Site) -> str:
    """Where a URL is really fetched: the longest matching prefix of the site's mirrors is replaced."""
    return site.mirror_url(url)


def shown(url: str) -> str:
    """A URL for a message: without a query or credentials, which may be secret."""
    parts = urlsplit(url)
    return (
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        if parts.netloc
        else url.partition("?")[0][:200]
    )


def is_page(head: bytes) -> bool:
    """Whether a file that begins like this is a web page."""
    return head.lstrip().lower().startswith(_PAGE)


def fits(url: str, head: bytes) -> bool:
    """Whether a file begins as its name says; False when its name says nothing."""
    return bool(_magic(url)) and head.startswith(_magic(url))


def _magic(url: str) -> bytes:
    return next(
        (
            magic
            for endings, magic in _MAGIC.items()
            if urlsplit(url).path.lower().endswith(endings)
        ),
        b"",
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cause(problem: BaseException) -> str:
    """The innermost reason of an error that holds others."""
    inner = getattr(problem, "reason", None) or (
        problem.args[0] if problem.args and isinstance(problem.args[0], BaseException) else None
    )
    if isinstance(inner, BaseException):
        return cause(inner)
    return str(
        getattr(problem, "strerror", None)
        or str(problem).rpartition(": ")[2]
        or type(problem).__name__
    )[:200]


def readable(count: int) -> str:
    """Bytes as a person reads them: 55.1 MB."""
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
