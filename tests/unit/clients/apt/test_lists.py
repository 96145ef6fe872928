"""Lists of packages: where a source has them, how they are packed, and what apt finds in them."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable, Iterator

import pytest

from bakestone.clients.apt import lists
from bakestone.clients.apt.lists import AptSource
from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import Session
from bakestone.clients.site.site import Site
from tests.support.webserver import WebServer, serving, status

TEXT = """\
Package: a
Architecture: all
Version: 1:2-3
Description: Version: no

Package: b
Provides: c (= 1), d:any,e
Version: 1
"""


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as web:
        yield web


@pytest.mark.parametrize(
    ("line", "folder", "number"),
    [
        (
            "deb [signed-by=/a b=c] http://h.test/debian/ bookworm main contrib",
            "http://h.test/debian/dists/bookworm",
            2,
        ),
        ("deb https://h.test/repos/x86_64 /", "https://h.test/repos/x86_64", 1),
        ("deb https://h.test/repos ./sub/", "https://h.test/repos/./sub", 1),
    ],
)
def test_a_source_says_where_its_lists_are(line: str, folder: str, number: int) -> None:
    source = AptSource.parse(line)
    assert source.folder == folder
    assert len(source.lists("amd64")) == number
    assert all(url.startswith(folder) for url in source.lists("amd64"))


@pytest.mark.parametrize(
    ("ending", "packed"), [(".xz", lzma.compress), (".gz", gzip.compress), ("", bytes)]
)
def test_a_list_is_read_however_it_is_packed(
    ending: str, packed: Callable[[bytes], bytes], server: WebServer
) -> None:
    server.file(f"Packages{ending}", packed(TEXT.encode()))
    assert lists.read(server.url + "Packages", Asker(Session(Site()))).text == TEXT


def test_what_is_no_list_is_told(server: WebServer) -> None:
    asker, url = Asker(Session(Site())), server.url + "Packages"
    assert lists.read(url, asker).answer.gone
    whole = gzip.compress(TEXT.encode())
    for content in (b"an error page", whole[:-20], whole + whole):
        server.file("Packages.gz", content)
        with pytest.raises(ValueError, match="unpacked"):
            lists.read(url, asker)
    server.file("Packages.gz", gzip.compress(b"<html>log in</html>"))
    with pytest.raises(ValueError, match="no list of packages"):
        lists.read(url, asker)
    server.on("Packages.gz", status(403))
    assert (lists.read(url, asker).answer.status, lists.read(url, asker).text) == (403, "")


def test_words_are_found_as_apt_finds_them() -> None:
    assert lists.pinned(TEXT) == {"a=1:2-3", "b=1"}
    words = {"a", "a=1:2-3", "a=2", "b", "c", "d", "e", "f", "Version"}
    assert lists.held(TEXT, words) == {"a", "a=1:2-3", "b", "c", "d", "e"}
