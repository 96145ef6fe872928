"""Short questions: what is behind a URL, how long it is, how it begins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bakestone.clients.http.ask import Answer, Asker
from bakestone.clients.http.session import BrokenError, LedAstrayError, Session, UnreachableError
from bakestone.clients.site.site import Site
from tests.support import webserver
from tests.support.webserver import WebServer, serving


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as running:
        yield running


@pytest.fixture
def asker() -> Asker:
    return Asker(Session(Site()))


SIZES: list[tuple[int, dict[str, str], int | None]] = [
    (200, {"Content-Length": "42"}, 42),
    (200, {}, None),
    (200, {"Content-Length": "12x"}, None),
    (200, {"Content-Length": "-1"}, None),
    (200, {"Content-Length": "\u00b2"}, None),
    (200, {"Content-Length": "9" * 5000}, None),
    (206, {"Content-Length": "10", "Content-Range": "bytes 0-9/42"}, 42),
    (206, {"Content-Length": "10", "Content-Range": "bytes 0-9/*"}, None),
    (206, {"Content-Length": "10"}, None),
]


@pytest.mark.parametrize(("status", "headers", "size"), SIZES)
def test_a_size_is_a_number_or_nothing(
    status: int, headers: dict[str, str], size: int | None
) -> None:
    assert Answer(status, "", "http://files.test/", headers).size == size


def test_the_beginning_is_cut_where_a_server_sends_more_than_was_asked_for(
    server: WebServer, asker: Asker
) -> None:
    assert asker.start(server.file("file", b"0123456789"), 4).body == b"0123"
    endless = server.endless(b"HTTP/1.1 200 OK\r\n\r\n", b"0123456789", 0.01)
    assert asker.start(server.on("endless", endless), 4).body == b"0123"


def test_a_page_is_whole_or_none(server: WebServer, asker: Asker) -> None:
    url = server.on("page", webserver.body(b"0123456789", "text/html; charset=utf-8"))
    answer = asker.page(url, 10)
    assert (answer.body, answer.kind, answer.said) == (b"0123456789", "text/html", "200 OK")
    with pytest.raises(BrokenError, match="it is longer than 9 bytes"):
        asker.page(url, 9)


def test_what_is_not_there_has_no_body(server: WebServer, asker: Asker) -> None:
    answer = asker.page(server.on("page", webserver.status(410)), 10)
    assert (answer.gone, answer.good, answer.body) == (True, False, b"")


def test_a_redirect_says_where_it_led(server: WebServer, asker: Asker) -> None:
    target = server.file("there", b"content")
    answer = asker.head(server.on("here", webserver.redirect("/there")))
    assert (answer.url, answer.size, answer.body) == (target, 7, b"")
    assert answer.place == server.url.split("/")[2]


def test_no_answer_is_no_size(server: WebServer, asker: Asker) -> None:
    circle = server.on("circle", webserver.redirect("/circle"))
    with pytest.raises(LedAstrayError):
        asker.head(circle)
    with pytest.raises(UnreachableError):
        asker.head("http://127.0.0.1:9/")
    assert asker.size(circle) == asker.size("http://127.0.0.1:9/") == 0
