"""Questions to web servers: few bytes, with limits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bakestone.clients.http.session import HttpError, Request, Session, body, host_of, number


@dataclass(frozen=True)
class Pace:
    """Seconds to connect, to wait for more of an answer, and for one whole answer."""

    connect: float = 10
    idle: float = 30
    total: float = 90


PATIENT = Pace()
QUICK = Pace(5, 10, 30)
"""For questions that need no answer."""


@dataclass(frozen=True)
class Answer:
    """What a server said. `url` is where the last redirect led; `body` what was read of it."""

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
        if self.status == 206:
            return number(self.headers.get("Content-Range", "").rpartition("/")[2])
        return number(self.headers.get("Content-Length", ""))

    @property
    def said(self) -> str:
        """The status as a person reads it."""
        return f"{self.status} {self.reason}".strip()

    @property
    def place(self) -> str:
        """The host that answered."""
        return host_of(self.url)


class Asker:
    """Asks by a session, from the site's mirrors where it has some.

    What has no answer is an `HttpError`: `UnreachableError` from a silent host, `LedAstrayError`
    after redirects without end, `BrokenError` of a body that is too long, too slow or cut off.
    """

    def __init__(self, session: Session, pace: Pace = PATIENT) -> None:
        self.session = session
        self.pace = pace

    def head(self, url: str) -> Answer:
        """What is behind a URL, without its body."""
        return self._ask(Request("HEAD", url))

    def size(self, url: str) -> int:
        """How many bytes the server says that the file has; 0 when it does not say."""
        try:
            answer = self.head(url)
        except HttpError:
            return 0
        return answer.size or 0 if answer.good and answer.kind != "text/html" else 0

    def start(self, url: str, count: int) -> Answer:
        """The first `count` bytes of a file."""
        part = {"Range": f"bytes=0-{count - 1}"}
        return self._ask(Request("GET", url, part), count, whole=False)

    def part(
        self, url: str, first: int, count: int, proxies: Mapping[str, str] | None = None
    ) -> Answer:
        """Some bytes of a file, from byte `first` on; status 206 where the server gives parts."""
        part = {"Range": f"bytes={first}-{first + count - 1}"}
        return self._ask(Request("GET", url, part, proxies=proxies), count, whole=False)

    def page(
        self,
        url: str,
        limit: int,
        headers: Mapping[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Answer:
        """A whole small answer; `BrokenError` when it has more than `limit` bytes."""
        return self._ask(Request("GET", url, headers or {}, proxies=proxies), limit)

    def _ask(self, request: Request, limit: int = 0, *, whole: bool = True) -> Answer:
        """One question, redirects followed. A body is read of what is there."""
        pace = self.pace
        request = replace(request, connect=pace.connect, idle=pace.idle, mirrored=True)
        end = time.monotonic() + pace.total
        with self.session.send(request) as response:
            read = limit and response.ok
            content = body(response, limit, end, whole=whole) if read else b""
            return Answer(
                response.status_code, response.reason or "", response.url, response.headers, content
            )
