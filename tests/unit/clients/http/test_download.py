"""Downloads: what a server says about a file is believed only as far as it can be checked."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Callable, Iterator

import pytest

from bakestone.clients.http.download import Fetched, Limits, fetch, fits, is_page
from bakestone.clients.http.session import HttpError, Session
from bakestone.clients.site.site import Site
from bakestone.errors import BakestoneError
from tests.support import webserver
from tests.support.samples import refused
from tests.support.webserver import Answer, WebServer, serving

OK = b"HTTP/1.1 200 OK\r\n"
CONTENT = b"content of a file"
SUM = hashlib.sha256(CONTENT).hexdigest()
CHUNKED = b"Transfer-Encoding: chunked\r\n"
PIECE = b"64\r\n" + b"x" * 100 + b"\r\n"
BOMB = gzip.compress(bytes(2**20))
LIMITS = Limits(size=10_000, idle=30, total=60)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as running:
        yield running


def get(url: str, checksum: str = "", limits: Limits = LIMITS) -> Fetched:
    return fetch(url, Session(Site()), limits, checksum=checksum)


def test_a_file_is_hashed_kept_and_its_progress_told(server: WebServer) -> None:
    sink, told = io.BytesIO(), list[tuple[int, int]]()
    url = server.file("file", CONTENT)
    found = fetch(
        url, Session(Site()), LIMITS, keep=sink, tick=lambda came, of: told.append((came, of))
    )
    assert (found.sha256, found.size, sink.getvalue()) == (SUM, len(CONTENT), CONTENT)
    assert told[-1] == (len(CONTENT), len(CONTENT))


BAD: dict[str, tuple[Callable[[WebServer], Answer], str, int]] = {
    "a length that is none": (
        lambda _: webserver.raw(OK + b"Content-Length: 12x\r\n\r\n" + CONTENT),
        "does not say how long the file is",
        1,
    ),
    "a length in other digits": (
        lambda _: webserver.raw(OK + b"Content-Length: \xb2\r\n\r\n" + CONTENT),
        "does not say how long the file is",
        1,
    ),
    "a length below zero": (
        lambda _: webserver.raw(OK + b"Content-Length: -1\r\n\r\n" + CONTENT),
        "does not say how long the file is",
        1,
    ),
    "a length above the limit": (
        lambda _: webserver.raw(OK + b"Content-Length: 10001\r\n\r\n"),
        "the file is too large: 10.0 kB, the limit is 10.0 kB",
        1,
    ),
    "pieces without end": (
        lambda s: s.endless(OK + CHUNKED + b"\r\n", PIECE),
        "the file is too large: more, the limit is 10.0 kB",
        1,
    ),
    "what unpacks to more": (
        lambda _: webserver.raw(
            OK + CHUNKED + b"Content-Encoding: gzip\r\n\r\n%x\r\n" % len(BOMB) + BOMB
        ),
        "the file is too large: more, the limit is 10.0 kB",
        1,
    ),
    "no HTTP": (lambda _: webserver.raw(b"hello\r\n"), "gave an answer that is no HTTP (", 3),
    "a cut": (
        lambda _: webserver.cut(CONTENT, 7),
        "the server ended the file too early, after 7 bytes",
        3,
    ),
    "a place that is none": (
        lambda _: webserver.redirect("https://files.test:99999/"),
        "leads to https://files.test:99999/, which is no address",
        3,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "why", "code"), BAD.values(), ids=list(BAD))
def test_what_is_no_whole_file_is_refused(
    answer: Callable[[WebServer], Answer], why: str, code: int, server: WebServer
) -> None:
    (found,) = refused(lambda: get(server.on("file", answer(server))), code=code)
    assert why in found.message
    assert found.hint


@pytest.mark.parametrize("start", [b"", OK + b"Content-Length: 9\r\n\r\nx"])
def test_a_server_that_falls_silent_is_given_up(start: bytes, server: WebServer) -> None:
    url = server.on("file", server.endless(start, b"", 60))
    (found,) = refused(lambda: get(url, limits=Limits(idle=0.4)), code=3)
    assert found.message == "the server gave no answer for 0.4 seconds"
    assert "--timeout" in found.hint


def test_a_file_that_comes_too_slowly_is_given_up(server: WebServer) -> None:
    url = server.on("file", server.trickle(CONTENT, 0.1))
    (found,) = refused(lambda: get(url, limits=Limits(idle=30, total=0.5)), code=3)
    assert "of it came in 0.5 seconds" in found.message
    assert "--max-time" in found.hint


def test_what_has_a_checksum_needs_no_length(server: WebServer) -> None:
    url = server.on("file", webserver.raw(OK + b"Content-Length: 12x\r\n\r\n" + CONTENT))
    assert get(url, SUM).size == len(CONTENT)


def test_the_cause_of_a_failure_is_kept(server: WebServer) -> None:
    with pytest.raises(BakestoneError) as caught:
        get(server.on("file", webserver.redirect("/file")))
    assert isinstance(caught.value.__cause__, HttpError)


def test_files_are_known_by_how_they_begin() -> None:
    assert is_page(b" \n<!DOCTYPE HTML><p>")
    assert not is_page(b"\x1f\x8b")
    assert fits("https://files.test/x.tar.gz?y", b"\x1f\x8b\x08")
    assert not fits("https://files.test/x.tar.gz", b"PK")
    assert not fits("https://files.test/x", b"\x1f\x8b")
