"""The time of a snapshot is asked of its service; where nobody answers, the lock says that nobody
verified it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bakestone.clients.http.ask import Asker, Pace
from bakestone.clients.http.session import Session
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.lock.needs import Distro
from bakestone.errors import BakestoneError
from bakestone.jobs.lock import snapshot
from tests.support.samples import refused
from tests.support.webserver import Answer, WebServer, body, first, serving, status

NOW = datetime(2026, 11, 22, 13, 37, 5, tzinfo=UTC)
SUITES = (
    "debian/{time}/dists/bookworm",
    "debian/{time}/dists/bookworm-updates",
    "debian-security/{time}/dists/bookworm-security",
)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as web:
        yield web


@pytest.fixture
def asker(server: WebServer) -> Asker:
    """Asks a stand-in for Debian's snapshot service, as a site's mirror."""
    site = Site(urls={"http://snapshot.debian.org/": server.url})
    return Asker(Session(site, give_up=1), Pace(idle=0.3, total=0.6))


def distro(library: Library, text: str = "debian@12") -> Distro:
    name, _, version = text.partition("@")
    component = library.get(name)
    assert component
    return Distro(component, component.versions[version], text)


def serve(server: WebServer, time: str, answer: Answer | None = None) -> None:
    """Serve the suites of Debian 12 as of a time."""
    for suite in SUITES:
        name = suite.rpartition("/")[2]
        release = (
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nCodename:"
            f" {name}\n".encode()
        )
        server.on(f"archive/{suite.format(time=time)}/InRelease", answer or body(release))


def test_last_midnight_is_taken_when_the_service_has_every_suite_of_it(
    server: WebServer, asker: Asker, library: Library
) -> None:
    serve(server, "20261122T000000Z")
    found = snapshot.choose(distro(library), NOW, asker)
    assert (found.snapshot, found.resolved_from, found.note) == ("20261122T000000Z", "snapshot", "")
    assert len(server.asked) == 3


def test_a_service_that_lags_behind_is_asked_for_the_day_before(
    server: WebServer, asker: Asker, library: Library
) -> None:
    serve(server, "20261121T000000Z")
    found = snapshot.choose(distro(library), NOW, asker)
    assert (found.snapshot, found.resolved_from, found.note) == ("20261121T000000Z", "snapshot", "")


def test_a_suite_that_is_not_there_is_an_error_and_no_time_is_invented(
    server: WebServer, asker: Asker, library: Library
) -> None:
    (found,) = refused(lambda: snapshot.choose(distro(library), NOW, asker), code=3)
    assert (
        "the snapshot service has no"
        " http://snapshot.debian.org/archive/debian/20261120T000000Z/dists/bookworm/InRelease"
        in found.message
    )
    assert "choose `versions` under `pins` in the site file" in found.hint


SAYS_NOTHING: dict[str, tuple[Answer, str]] = {
    "an error": (status(503), "it answers 503"),
    "a login page": (
        body(b"<html>log in</html>", "text/html"),
        "what it answers is no Release file of that suite",
    ),
    "another suite": (
        body(b"Origin: Debian\nCodename: trixie\n"),
        "what it answers is no Release file of that suite",
    ),
    "too many requests": (status(429, Retry_After="3600"), "it answers 429"),
}


@pytest.mark.parametrize(("answer", "why"), SAYS_NOTHING.values(), ids=list(SAYS_NOTHING))
def test_where_the_service_says_nothing_the_lock_says_so(
    answer: Answer, why: str, server: WebServer, asker: Asker, library: Library
) -> None:
    serve(server, "20261122T000000Z", answer)
    found = snapshot.choose(distro(library), NOW, asker)
    assert (found.snapshot, found.resolved_from) == ("20261122T000000Z", "clock")
    assert found.note == f"nobody verified that this time is there: snapshot.debian.org: {why}"


def test_a_service_that_hangs_is_given_up_and_not_asked_again(
    server: WebServer, asker: Asker, library: Library
) -> None:
    serve(server, "20261122T000000Z", server.hang())
    for _ in range(2):
        assert snapshot.choose(distro(library), NOW, asker).note.endswith("no answer in time")
    assert len(server.asked) == 1


def test_a_page_that_trickles_is_given_up(
    server: WebServer, asker: Asker, library: Library
) -> None:
    serve(server, "20261122T000000Z", server.trickle(b"x" * 100, 0.1))
    assert snapshot.choose(distro(library), NOW, asker).note.endswith("it came too slowly")


@pytest.mark.parametrize("text", ["ubuntu@16.04", "ubuntu@18.04", "rocky@9"])
def test_a_distro_without_such_a_service_is_refused(
    text: str, asker: Asker, library: Library
) -> None:
    with pytest.raises(BakestoneError, match=f"{text} has no snapshot service"):
        snapshot.choose(distro(library, text), NOW, asker)


@pytest.mark.parametrize(
    "text", ["ubuntu@20.04", "ubuntu@22.04", "ubuntu@24.04", "debian@11", "debian@13"]
)
def test_the_urls_are_those_of_the_documented_services(text: str, library: Library) -> None:
    urls = list(snapshot.releases(distro(library, text), "20261122T000000Z"))
    assert len(urls) == 3
    host = (
        "https://snapshot.ubuntu.com/ubuntu/20261122T000000Z/"
        if text.startswith("ubuntu")
        else "http://snapshot.debian.org/archive/debian"
    )
    assert all(
        url.startswith(host) and "/20261122T000000Z/dists/" in url and url.endswith("/InRelease")
        for url in urls
    )


def test_a_size_is_what_the_server_says_and_nothing_else_is_believed(server: WebServer) -> None:
    asker = Asker(Session(Site()))
    server.heads["/file"] = body(b"x" * 42)
    server.heads["/page"] = body(b"<html>", "text/html")
    server.heads["/odd"] = status(200, Content_Length="12x")
    server.heads["/moved"] = first(status(302, Location="/file"))
    assert [
        asker.size(server.url + name) for name in ("file", "page", "odd", "absent", "moved")
    ] == [42, 0, 0, 0, 42]


def test_a_folder_is_not_needed_for_a_question(tmp_path: Path) -> None:
    assert Asker(Session(Site())).size("http://127.0.0.1:9/nobody-listens-here") == 0
