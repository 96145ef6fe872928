"""Short questions to web servers, of which none needs an answer: how long is a file, is there such
a page.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import requests
import urllib3

from bakestone import __version__
from bakestone.clients.http import session as access
from bakestone.clients.http.download import mirrored
from bakestone.clients.site.site import Site

TIMEOUT = (5, 10)
"""Seconds to connect, and to wait for more of an answer."""
TOTAL = 30
"""Seconds for the beginning of a page."""
_REDIRECTS = 5


class NoAnswerError(Exception):
    """The server gave no answer, or one that says nothing; the text says why, in words for people."""


class Asker:
    """Asks the site's mirrors where it has some; a host that was silent once is not asked again."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._silent: dict[str, str] = {}

    def size(self, url: str) -> int:
        """How many bytes the server says that the file has; 0 when it does not say."""
        try:
            with self._send("HEAD", url) as response:
                length, kind = (
                    response.headers.get("Content-Length", ""),
                    response.headers.get("Content-Type", ""),
                )
                good = (
                    response.status_code == 200
                    and length.isascii()
                    and length.isdigit()
                    and not kind.startswith("text/html")
                )
                return int(length) if good and len(length) < 16 else 0
        except NoAnswerError:
            return 0

    def beginning(self, url: str, limit: int) -> bytes | None:
        """The first `limit` bytes behind a URL;

        None when the server says that there is nothing. Raises `NoAnswerError`.
        """
        content, end = b"", time.monotonic() + TOTAL
        with self._send("GET", url) as response:
            if response.status_code in (404, 410):
                return None
            if response.status_code != 200:
                raise NoAnswerError(f"it answers {response.status_code}")
            try:
                while len(content) < limit and (
                    chunk := response.raw.read1(2**14, decode_content=True)
                ):
                    content += chunk
                    if time.monotonic() > end:
                        raise NoAnswerError("it answers too slowly")
            except (urllib3.exceptions.HTTPError, OSError):
                raise NoAnswerError("it broke off") from None
        return content[:limit]

    def _send(self, method: str, url: str) -> requests.Response:
        target = mirrored(url, self.site)
        host = urlsplit(target).netloc
        if host in self._silent:
            raise NoAnswerError(self._silent[host])
        headers = {"User-Agent": f"bakestone/{__version__}", "Accept-Encoding": "identity"}
        try:
            with requests.Session() as session:
                session.max_redirects = _REDIRECTS
                return session.request(
                    method,
                    target,
                    headers=headers,
                    timeout=TIMEOUT,
                    stream=True,
                    allow_redirects=True,
                    **access.settings(self.site, target),
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as problem:
            self._silent[host] = _reason(problem)
            raise NoAnswerError(self._silent[host]) from None


def _reason(problem: Exception) -> str:
    if isinstance(problem, requests.exceptions.SSLError):
        return "TLS fails"
    if isinstance(problem, requests.Timeout) or "timed out" in str(problem):
        return "it gives no answer"
    return "it cannot be reached"
