"""The HTTP session against servers that hang, trickle, never end, lead astray and want secrets."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from bakestone.clients.http.session import (
    MAX_WAIT,
    SLOW,
    STOPPED,
    BrokenError,
    HttpError,
    LedAstrayError,
    Request,
    Session,
    UnreachableError,
    body,
    readable,
    reason,
    shown,
    wait,
)
from bakestone.clients.parallel import in_parallel
from bakestone.clients.site import site
from bakestone.clients.site.proxies import Proxies
from bakestone.clients.site.site import Site
from tests.support import webserver
from tests.support.webserver import Answer, WebServer, serving

OK = b"HTTP/1.1 200 OK\r\n"
VARIABLE = "BAKESTONE_TEST_SECRET"
BASIC = "Basic " + base64.b64encode(b"ci:hunter2").decode()
LONG = 60.0
"""Seconds that no test needs."""


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as running:
        yield running


def ask(url: str, session: Session | None = None, **options: object) -> bytes:
    """The body behind a URL."""
    request = Request("GET", url, **options)  # type: ignore[arg-type]
    with (session or Session(Site())).send(request) as response:
        return body(response, 1000, time.monotonic() + LONG)


def with_account(url: str, folder: Path) -> Session:
    """A session with an account for a URL."""
    path = folder / "site.yaml"
    path.write_text(
        "version: 1\ncredentials:\n"
        f"  - {{url: '{url}', username: ci, password: {{env: {VARIABLE}}}}}\n",
        "utf-8",
    )
    return Session(site.load(path))


# Secrets

SECRETS: dict[str, Callable[[str], Request]] = {
    "an account of the request": lambda url: Request("GET", url, authorization=BASIC),
    "a header of the request": lambda url: Request("GET", url, {"authorization": BASIC}),
    "an account in the URL": lambda url: Request("GET", url.replace("://", "://ci:hunter2@")),
}


@pytest.mark.parametrize("ask_for", SECRETS.values(), ids=list(SECRETS))
def test_a_secret_goes_on_to_its_own_host_and_port_and_to_no_other(
    ask_for: Callable[[str], Request], server: WebServer
) -> None:
    with serving() as other:
        target = other.file("there", b"content")
        server.on("near", webserver.redirect(target))
        url = server.on("start", webserver.redirect("/near"))
        with Session(Site()).send(ask_for(url)) as response:
            assert response.url == target
        assert server.accounts == [BASIC, BASIC]
        assert other.accounts == [None]


def test_a_secret_does_not_go_from_https_to_http(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "hunter2")
    target = server.file("there", b"content").replace("127.0.0.1", "localhost")
    with serving(tmp_path) as encrypted:
        url = encrypted.on("start", webserver.redirect(target))
        trusting = Site(files={"ca": tmp_path / "ca.pem"})
        for request in (ask_for(url) for ask_for in SECRETS.values()):
            Session(trusting).send(request).close()
        assert encrypted.accounts == [BASIC] * 3
    assert server.accounts == [None] * 3


def test_the_site_s_account_is_looked_up_for_each_place_on_the_way(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "hunter2")
    with serving() as other:
        url = server.on("start", webserver.redirect(other.file("private/file", b"content")))
        assert ask(url, with_account(f"{other.url}private/", tmp_path)) == b"content"
        assert (server.accounts, other.accounts) == ([None], [BASIC])


def test_netrc_is_not_read(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", "utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert ask(server.file("file", b"content")) == b"content"
    assert server.accounts == [None]


def test_cookies_are_not_kept_for_another_port_of_the_same_host(server: WebServer) -> None:
    cookies: list[str | None] = []

    def noting(request: BaseHTTPRequestHandler) -> None:
        cookies.append(request.headers.get("Cookie"))
        webserver.body(b"content")(request)

    session = Session(Site())
    with serving() as other:
        ask(server.on("login", webserver.status(200, Set_Cookie="session=hunter2")), session)
        ask(other.on("there", noting), session)
    assert cookies == [None]


def test_no_message_holds_the_secret_of_a_url(server: WebServer) -> None:
    places = (
        server.on("hang", server.hang()),
        server.on("circle", webserver.redirect("/circle?signature=hunter2")),
        server.on("astray", webserver.redirect("ftp://ci:hunter2@files.test/x?token=hunter2")),
        server.on("odd", webserver.redirect("http://ci:hunter2@[/x")),
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:9/",
    )
    server.on("circle?signature=hunter2", webserver.redirect("/circle?signature=hunter2"))
    for url in places:
        with pytest.raises(HttpError) as caught:
            ask(url.replace("://", "://ci:hunter2@"), idle=0.2)
        said = f"{caught.value} {caught.value!r} {caught.value.reason} {caught.value.hint}"
        assert "hunter2" not in said
    header = "Bearer hunter2"
    request = Request("GET", "http://a.test/", {"Authorization": header}, authorization=header)
    assert "hunter2" not in repr(request)


# Redirects

ASTRAY = {
    "a circle": ("/start", "more than 10 redirects, the last to "),
    "a file": (
        "file:///etc/passwd",
        "leads to file:///etc/passwd, which is neither http nor https",
    ),
    "FTP": ("ftp://files.test/x", "leads to ftp://files.test/x, which is neither http nor https"),
    "no host": ("https:///x", "which is neither http nor https"),
    "a port that is none": ("http://files.test:99999/x", "which is no address"),
    "half an address": ("http://[::1/x", "which is no address"),
    "a name that is none": (f"http://{'a' * 300}.test/x", "which is no address"),
}


def test_a_redirect_whose_target_is_no_text_leads_nowhere(server: WebServer) -> None:
    start = b"HTTP/1.1 302 Found\r\nLocation: /\xff\xfe\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(LedAstrayError, match="which is no address"):
        ask(server.on("start", webserver.raw(start)))


@pytest.mark.parametrize(
    "proxy", ["http://", "foo:bar", "http://me:hunter2@", "ftp://me:hunter2@a"]
)
def test_a_proxy_that_has_no_address_is_named_without_its_password(proxy: str) -> None:
    with pytest.raises(UnreachableError, match="the address of its proxy is none") as caught:
        ask("http://files.test/x", proxies={"http": proxy})
    assert "hunter2" not in f"{caught.value!r} {caught.value.hint} {caught.value.__cause__}"
    assert "http_proxy" in caught.value.hint


@pytest.mark.parametrize("header", ["Bearer hunter2\nX: y", " hunter2"])
def test_a_header_that_is_none_is_not_shown(header: str, server: WebServer) -> None:
    with pytest.raises(LedAstrayError, match="a header is none") as caught:
        Session(Site()).send(Request("GET", server.url, {"Authorization": header}))
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"
    assert server.asked == []


@pytest.mark.parametrize(("target", "why"), ASTRAY.values(), ids=list(ASTRAY))
def test_redirects_lead_nowhere_but_to_http_and_https(
    target: str, why: str, server: WebServer
) -> None:
    with pytest.raises(LedAstrayError) as caught:
        ask(server.on("start", webserver.redirect(target)))
    assert why in caught.value.reason
    assert not caught.value.heals


def test_each_place_on_the_way_is_allowed_before_it_is_asked(server: WebServer) -> None:
    url = server.on("start", webserver.redirect("/end"))

    def allow(place: str) -> None:
        if place.endswith("/end"):
            raise ValueError(place)

    with pytest.raises(ValueError, match="/end"):
        ask(url, allow=allow)
    assert server.asked == ["/start"]


def test_a_redirect_is_an_answer_to_who_does_not_follow(server: WebServer) -> None:
    url = server.on("start", webserver.redirect("/end"))
    for request in (Request("GET", url, follow=False), Request("POST", url, data=b"x")):
        with Session(Site()).send(request) as response:
            assert (response.status_code, response.headers["Location"]) == (302, "/end")
    assert server.asked == ["/start"] * 2


def test_the_body_of_a_redirect_is_not_read(server: WebServer) -> None:
    start = b"HTTP/1.1 302 Found\r\nLocation: /file\r\n\r\n"
    server.file("file", b"content")
    assert ask(server.on("start", server.endless(start, b"x" * 1000, 0.01))) == b"content"


# Answers without end

HEADERS: dict[str, tuple[Callable[[WebServer], Answer], str]] = {
    "nothing at all": (lambda s: s.hang(), "no answer in time"),
    "headers that trickle": (lambda s: s.endless(OK, b"X: y\r\n", 0.1), "no answer in time"),
    "a header that trickles": (lambda s: s.endless(OK + b"X: ", b"y", 0.1), "no answer in time"),
    "continue, continue": (
        lambda s: s.endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
        "no answer in time",
    ),
    "headers without end": (
        lambda s: s.endless(OK, b"X: y\r\n"),
        "gave an answer that is no HTTP (got more than 100 headers)",
    ),
    "a header without end": (
        lambda s: s.endless(OK + b"X: ", b"y" * 1000),
        "gave an answer that is no HTTP (got more than 65536 bytes when reading header line)",
    ),
    "no HTTP": (lambda _: webserver.raw(b"220 files.test FTP\r\n"), "that is no HTTP ("),
    "two lengths": (
        lambda _: webserver.raw(OK + b"Content-Length: 5, 7\r\n\r\nhello"),
        "that is no HTTP (",
    ),
    "a connection that ends": (lambda _: webserver.raw(b""), "cannot be reached ("),
}


@pytest.mark.parametrize(("answer", "why"), HEADERS.values(), ids=list(HEADERS))
def test_an_answer_that_does_not_begin_is_given_up(
    answer: Callable[[WebServer], Answer], why: str, server: WebServer
) -> None:
    with pytest.raises(UnreachableError) as caught:
        ask(server.on("file", answer(server)), idle=0.3 if "in time" in why else LONG)
    assert why in caught.value.reason
    assert caught.value.host == server.url.split("/")[2]
    assert caught.value.__cause__


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BODIES: dict[str, tuple[Callable[[WebServer], Answer], str]] = {
    "that trickles": (lambda s: s.trickle(b"x" * 1000, 0.1), SLOW),
    "without end": (lambda s: s.endless(OK + b"\r\n", b"x", 0.1), SLOW),
    "with a piece whose length does not end": (lambda s: s.endless(CHUNKED, b"0", 0.1), SLOW),
    "with trailers without end": (lambda s: s.endless(CHUNKED + b"0\r\n", b"X: y\r\n", 0.01), SLOW),
    "that stops": (lambda s: s.endless(OK + b"Content-Length: 9\r\n\r\nx", b"", LONG), STOPPED),
    "that is too long": (
        lambda s: s.endless(OK + b"\r\n", b"x" * 100),
        "it is longer than 1000 bytes",
    ),
    "that says a length and ends before": (
        lambda _: webserver.cut(b"x" * 100, 7),
        "it ended too early, after 7 bytes",
    ),
    "of a length that no file has": (
        lambda _: webserver.raw(OK + b"Content-Length: 9" + b"9" * 30 + b"\r\n\r\nabc"),
        "it ended too early, after 3 bytes",
    ),
    "with a last piece that does not come": (
        lambda _: webserver.chunked(b"x" * 100, whole=False),
        "it ended too early, after 100 bytes",
    ),
    "whose pieces have no length": (
        lambda _: webserver.raw(CHUNKED + b"hello\r\n"),
        "it ended too early, after 0 bytes",
    ),
    "that is not packed as it says": (
        lambda _: webserver.raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
        "it cannot be unpacked",
    ),
}


@pytest.mark.parametrize(("answer", "why"), BODIES.values(), ids=list(BODIES))
def test_a_body_that_does_not_come_whole_is_given_up(
    answer: Callable[[WebServer], Answer], why: str, server: WebServer
) -> None:
    seconds = 0.5 if why == SLOW else LONG
    idle = 0.3 if why == STOPPED else LONG
    request = Request("GET", server.on("file", answer(server)), idle=idle)
    with Session(Site()).send(request) as response, pytest.raises(BrokenError) as caught:
        body(response, 1000, time.monotonic() + seconds)
    assert caught.value.reason == why
    assert caught.value.heals == ("too early" in why)


@pytest.mark.parametrize("times", [1, 2])
def test_what_unpacks_to_more_than_its_limit_is_not_unpacked(times: int, server: WebServer) -> None:
    packed = bytes(100 * 2**20)
    for _ in range(times):
        packed = gzip.compress(packed)
    encoding = b"Content-Encoding: " + b", ".join([b"gzip"] * times)
    url = server.on("bomb", webserver.raw(OK + encoding + b"\r\n\r\n" + packed))
    tracemalloc.start()
    try:
        with Session(Site()).send(Request("GET", url)) as response, pytest.raises(BrokenError):
            body(response, 2**20, time.monotonic() + LONG)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


# Tries


def test_what_may_heal_is_asked_again(server: WebServer) -> None:
    broken = webserver.raw(b"")
    url = server.on("file", webserver.first(webserver.status(503), broken, webserver.body(b"yes")))
    assert ask(url) == b"yes"
    assert len(server.asked) == 3


def test_the_body_of_an_error_that_may_heal_is_not_read(server: WebServer) -> None:
    start = b"HTTP/1.1 503 Service Unavailable\r\n\r\n"
    answers = (server.endless(start, b"x" * 1000, 0.01), webserver.body(b"yes"))
    assert ask(server.on("file", webserver.first(*answers))) == b"yes"


def test_an_error_that_stays_is_the_answer(server: WebServer) -> None:
    url = server.on("file", webserver.status(500))
    with Session(Site()).send(Request("GET", url)) as response:
        assert response.status_code == 500
    assert len(server.asked) == 4


@pytest.mark.parametrize("year", ["31536000", "Sat, 01 Jan 2990 00:00:00 GMT", "9" * 30])
def test_a_server_that_asks_to_wait_for_a_year_is_not_waited_for(
    year: str, server: WebServer
) -> None:
    url = server.on("file", webserver.status(429, Retry_After=year))
    with Session(Site()).send(Request("GET", url)) as response:
        assert response.status_code == 429
        assert wait(response) > MAX_WAIT
    assert len(server.asked) == 1


@pytest.mark.parametrize("nonsense", ["soon", "-5", "9" * 5000, "\u00b2"])
def test_a_wait_that_is_none_is_passed_over(nonsense: str, server: WebServer) -> None:
    answers = (webserver.status(503, Retry_After=nonsense), webserver.body(b"yes"))
    assert ask(server.on("file", webserver.first(*answers))) == b"yes"


def test_what_hung_is_not_asked_again(server: WebServer) -> None:
    with pytest.raises(UnreachableError):
        ask(server.on("file", server.hang()), idle=0.2)
    assert len(server.asked) == 1


def test_a_host_that_stays_silent_is_asked_three_times_and_no_more(server: WebServer) -> None:
    session = Session(Site())
    url = server.on("file", server.hang())
    for number in range(5):
        with pytest.raises(UnreachableError, match="no answer in time") as caught:
            ask(url, session, idle=0.2)
        assert caught.value.heals == (number < 3)
    assert len(server.asked) == 3


def test_an_answer_in_between_shows_that_a_host_is_there(server: WebServer) -> None:
    session = Session(Site())
    hanging, there = server.on("hang", server.hang()), server.file("file", b"content")
    for _ in range(2):
        for _ in range(2):
            with pytest.raises(UnreachableError):
                ask(hanging, session, idle=0.2)
        assert ask(there, session) == b"content"


def test_a_silent_host_is_no_reason_not_to_ask_another(server: WebServer) -> None:
    session = Session(Site(), give_up=1)
    with pytest.raises(UnreachableError):
        ask("http://127.0.0.1:9/", session)
    assert ask(server.file("file", b"content"), session) == b"content"


# The site


def test_the_site_s_proxy_is_asked_and_its_mirror_where_one_is_wanted(server: WebServer) -> None:
    server.answers["http://files.test/x"] = webserver.body(b"by the proxy")
    assert ask("http://files.test/x", Session(Site(proxies=Proxies(http=server.url)))) == (
        b"by the proxy"
    )
    server.file("mirror/x", b"of the mirror")
    here = Session(Site(urls={"http://files.test/": f"{server.url}mirror/"}))
    assert ask("http://files.test/x", here, mirrored=True) == b"of the mirror"


def test_headers_without_end_end_behind_a_proxy_too(server: WebServer) -> None:
    server.answers["http://files.test/x"] = server.endless(OK, b"X: y\r\n", 0.1)
    with pytest.raises(UnreachableError, match="no answer in time"):
        ask("http://files.test/x", Session(Site(proxies=Proxies(http=server.url))), idle=0.2)
    assert len(server.asked) == 1


def test_a_proxy_whose_answer_to_connect_trickles_is_given_up() -> None:
    over = threading.Event()

    def trickle(client: socket.socket) -> None:
        client.recv(2**16)
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            client.sendall(b"X")

    with accepting(trickle) as proxy:
        with pytest.raises(UnreachableError, match="no answer in time"):
            ask("https://files.test/x", proxies={"https": proxy}, connect=0.3)
        over.set()


def test_who_takes_an_upload_slowly_has_longer_than_who_is_called(server: WebServer) -> None:
    content = io.BytesIO(bytes(32 * 2**20))

    def slowly(client: socket.socket) -> None:
        time.sleep(1)  # what is sent meanwhile fills the buffers, and waits
        left = content.getbuffer().nbytes
        while left > 0:
            left -= len(client.recv(2**20))
        client.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with accepting(slowly) as url:
        request = Request("PUT", f"{url}x", data=content, connect=0.2)
        with Session(Site()).send(request) as response:
            assert response.status_code == 201


@pytest.mark.parametrize(("data", "times"), [(b"x", 4), (io.BytesIO(b"x"), 1)])
def test_a_stream_is_not_sent_again_by_itself(data: bytes | io.BytesIO, times: int) -> None:
    calls = []

    def refuse(client: socket.socket) -> None:
        client.recv(2**16)
        calls.append(client)
        client.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with accepting(refuse) as url, Session(Site()).send(Request("PUT", url, data=data)) as response:
        assert response.status_code == 503
    assert len(calls) == times


@contextmanager
def accepting(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that is no web server: its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            with contextlib.suppress(OSError):  # it is closed, or its client is gone
                while True:
                    with listening.accept()[0] as client, contextlib.suppress(OSError):
                        answer(client)

        threading.Thread(target=run, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def test_an_authority_that_is_not_trusted_does_not_heal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with serving(tmp_path) as encrypted:
        url = encrypted.file("file", b"content")
        with pytest.raises(UnreachableError) as caught:
            ask(url)
        assert caught.value.reason == "TLS failed: certificate verify failed"
        assert "`ca` in the site file" in caught.value.hint
        assert not caught.value.heals
        assert ask(url, Session(Site(files={"ca": tmp_path / "ca.pem"}))) == b"content"


def test_the_clock_is_compared_with_what_servers_say(server: WebServer) -> None:
    session = Session(Site(), now=lambda: 1795867260.0)
    for number, stated in enumerate(
        (
            b"Date: soon",
            b"Date: Sat, 99 Nov 2026 99:00:00 GMT",
            b"Date: Sat, 28 Nov 2026 12:00:00 GMT\r\nAge: 40",
            b"Age: " + b"9" * 5000,
        )
    ):
        answer = webserver.raw(OK + stated + b"\r\nContent-Length: 0\r\n\r\n")
        ask(server.on(f"file{number}", answer), session)
    assert list(session.skews.values()) == [20.0]


@pytest.mark.parametrize(
    ("skews", "ahead"),
    [
        ({}, 0),
        ({"a": 86400.0}, 86400.0),
        ({"a": 86400.0, "b": 90000.0}, 86400.0),
        ({"a": 86400.0, "b": 1.0}, 0),  # who is right is not known: a is behind, or b is ahead
        ({"a": 59.0}, 0),
        ({"a": -86400.0}, 0),
    ],
)
def test_a_clock_is_ahead_when_every_server_says_so(skews: dict[str, float], ahead: float) -> None:
    session = Session(Site())
    session.skews |= skews
    assert session.ahead() == ahead


def test_one_session_serves_many_threads(server: WebServer) -> None:
    contents = [hashlib.sha256(bytes([i])).digest() for i in range(40)]
    urls = {server.file(f"file{i}", content): content for i, content in enumerate(contents)}
    session = Session(Site())
    assert dict(in_parallel(lambda url: ask(url, session), urls)) == urls
    assert threading.active_count() < 100


# Words

REASONS: dict[str, tuple[Exception, str]] = {
    "a limit": (requests.ReadTimeout("x"), "no answer in time"),
    "the system": (
        OSError(113, "No route to host"), "cannot be reached (no route to host)",
    ),
    "nothing": (requests.ConnectionError(), "cannot be reached (ConnectionError)"),
}  # fmt: skip


@pytest.mark.parametrize(("problem", "said"), REASONS.values(), ids=list(REASONS))
def test_a_reason_is_a_part_of_a_sentence(problem: Exception, said: str) -> None:
    assert reason(problem) == said


def test_a_name_that_nobody_knows_does_not_heal() -> None:
    problem = requests.ConnectionError("[Errno -2] Name or service not known")
    assert reason(problem) == "cannot be reached (name or service not known)"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://ci:hunter2@files.test:8443/a?token=1#x", "https://files.test:8443/a"),
        ("https://ci:hunter2@[files/a?b", "[files/a"),
        ("not a URL?x", "not a URL"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, text: str) -> None:
    assert shown(url) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (55_100_000, "55.1 MB"), (10**13, "10000.0 GB")],
)
def test_bytes_are_written_as_people_read_them(count: int, text: str) -> None:
    assert readable(count) == text
