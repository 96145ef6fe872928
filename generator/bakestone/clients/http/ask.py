"""Questions to web servers: few bytes, with limits, and each silent host waited for once."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3

from bakestone import __version__
from bakestone.clients.http import session as access
from bakestone.clients.http.download import cause, mirrored
from bakestone.clients.site.site import Site
from bakestone.jobs.doctor.report import UnreachableError

TIMEOUT = (10, 30)
"""Seconds to connect, and to wait for more of an answer."""
TOTAL = 90
"""Seconds for one whole answer."""
MAX_REDIRECTS = 10
_TRIES = 3
_PASSING = (429, 500, 502, 503, 504)
_REASONS = (
    "Name or service not known", "Temporary failure in name resolution", "Connection refused", "No route to host", "Network is unreachable",
    "Connection reset by peer", "certificate verify failed",
)  # fmt: skip
_TLS = "name the CA bundle under `ca` in the site file"


@dataclass(frozen=True)
class Answer:
    """What a server said. `url` is where the last redirect led;

    `size` is the whole file's, in bytes; `body` what was read of it.
    """

    status: int
    reason: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def good(self) -> bool:
        """Whether there is something behind the URL."""
        return self.status in (200, 206)

    @property
    def gone(self) -> bool:
        """Whether there is nothing behind it any more."""
        return self.status in (404, 410)

    @property
    def kind(self) -> str:
        """The media type, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def size(self) -> int | None:
        """Bytes of the whole file; None when the server does not say."""
        stated = (
            self.headers.get("Content-Range", "").rpartition("/")[2]
            if self.status == 206
            else self.headers.get("Content-Length", "")
        )
        return int(stated) if stated.isascii() and stated.isdigit() else None

    @property
    def said(self) -> str:
        """The status as a person reads it."""
        return f"{self.status} {self.reason}".strip()

    @property
    def place(self) -> str:
        """The host that answered."""
        return host_of(self.url)


class Hosts:
    """Which hosts are silent, so that each is waited for once; and what the others say the time is."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.skews: dict[str, float] = {}
        self._dead: dict[str, UnreachableError] = {}
        self._lock = threading.Lock()

    def alive(self, host: str) -> None:
        """Raise `UnreachableError` when the host is known to give no answer."""
        with self._lock:
            if host in self._dead:
                raise self._dead[host]

    def dead(self, problem: UnreachableError) -> UnreachableError:
        """Note that a host gives no answer."""
        with self._lock:
            return self._dead.setdefault(problem.host, problem)

    def note(self, host: str, headers: Mapping[str, str]) -> None:
        """Take the time from an answer: seconds that this machine is ahead of the host.

        A cache says how old its answer is (Age).
        """
        try:
            there = parsedate_to_datetime(headers.get("Date", ""))
        except ValueError:
            return
        age = headers.get("Age", "0")
        stamp = (there if there.tzinfo else there.replace(tzinfo=UTC)).timestamp()
        with self._lock:
            self.skews[host] = (
                self.now() - stamp - (int(age) if age.isascii() and age.isdigit() else 0)
            )


class Asker:
    """Asks by HTTP, through the site's mirrors and with its CA.

    One instance serves all threads of a run.
    """

    def __init__(self, site: Site, hosts: Hosts) -> None:
        self.site = site
        self.hosts = hosts
        self._threads = threading.local()

    def head(self, url: str) -> Answer:
        """What is behind a URL, without its body."""
        return self.ask("HEAD", url)

    def start(self, url: str, count: int) -> Answer:
        """The first `count` bytes of a file."""
        return self.ask("GET", url, {"Range": f"bytes=0-{count - 1}"}, limit=count, whole=False)

    def page(
        self,
        url: str,
        limit: int,
        headers: dict[str, str] | None = None,
        proxies: dict[str, str] | None = None,
    ) -> Answer:
        """A whole small answer; `ValueError` when it has more than `limit` bytes."""
        return self.ask("GET", url, headers, limit=limit, proxies=proxies)

    def ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        *,
        limit: int = 0,
        whole: bool = True,
        proxies: dict[str, str] | None = None,
    ) -> Answer:
        """One question, redirects followed, passing troubles tried again.

        Raises `UnreachableError` when no answer comes.
        """
        place = mirrored(url, self.site)
        self.hosts.alive(host_of(place))
        settings = access.settings(self.site, place) | ({"proxies": proxies} if proxies else {})
        with self._trouble(place):
            for attempt in range(1, _TRIES + 1):
                with self._session().request(
                    method, place, headers=headers, stream=True, timeout=TIMEOUT, **settings
                ) as response:
                    self.hosts.note(host_of(response.url), response.headers)
                    if response.status_code not in _PASSING or attempt == _TRIES:
                        body = _read(response, limit, whole=whole) if limit and response.ok else b""
                        return Answer(
                            response.status_code,
                            response.reason or "",
                            response.url,
                            response.headers,
                            body,
                        )
                time.sleep(0.5 * attempt)
        raise AssertionError("the last attempt returns")

    def _session(self) -> requests.Session:
        """requests' sessions are not made for several threads: one a thread."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.max_redirects = MAX_REDIRECTS
            session.headers.update(
                {"User-Agent": f"bakestone/{__version__}", "Accept-Encoding": "identity"}
            )
        return session

    @contextmanager
    def _trouble(self, place: str) -> Iterator[None]:
        """No answer as `UnreachableError`, whatever requests and urllib3 call it; redirects without
        end as `ValueError`.
        """
        try:
            yield
        except requests.TooManyRedirects:
            raise ValueError(f"more than {MAX_REDIRECTS} redirects") from None
        except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL):
            raise ValueError("it leads to something that is no http or https URL") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as problem:
            asked = getattr(problem, "request", None)
            host = host_of(asked.url if asked is not None and asked.url else place)
            raise self.hosts.dead(unreachable(host, problem)) from None


def unreachable(host: str, problem: BaseException) -> UnreachableError:
    """Why a host gave no answer, in the words of this project."""
    text = f"{type(problem).__name__} {problem}"
    reason = next((known.lower() for known in _REASONS if known in text), cause(problem))
    if isinstance(
        problem, (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError)
    ):
        return UnreachableError(host, f"TLS failed: {reason}", _TLS)
    if (
        isinstance(problem, (requests.Timeout, urllib3.exceptions.TimeoutError))
        or "timed out" in text
    ):
        return UnreachableError(host, "no answer in time")
    return UnreachableError(host, f"cannot be reached ({reason})")


def host_of(url: str) -> str:
    """HOST or HOST:PORT of a URL, without credentials."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _read(response: requests.Response, limit: int, *, whole: bool) -> bytes:
    """The body up to `limit` bytes.

    What is longer is cut when it need not be `whole`, else `ValueError`.
    """
    body, began = bytearray(), time.monotonic()
    for chunk in response.iter_content(2**16):
        body += chunk
        if len(body) >= limit and not whole:
            return bytes(body[:limit])
        if len(body) > limit:
            raise ValueError(f"the answer has more than {limit} bytes")
        if time.monotonic() - began > TOTAL:
            raise requests.Timeout(f"more than {TOTAL} seconds")
    return bytes(body)
