"""The archive's server, asked over loopback: a registry for base images, an index for wheels, URLs
as they were, and nothing else.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.jobs.archive.serve import serve
from bakestone.jobs.archive.serve.serve import LOOPBACK, TOLD, serving
from tests.support.archives import LIST, WHEEL_FILE, digest, filled
from tests.support.samples import refused


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, list[str], ArchiveLayout]]:
    layout, _ = filled(folder)
    missed: list[str] = []
    with serving(layout, [LOOPBACK], 0, missed.append) as port:
        yield port, missed, layout


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, list[str], ArchiveLayout]]:
    with served(tmp_path) as found:
        yield found


Served = tuple[int, list[str], ArchiveLayout]


def told(missed: list[str], count: int = 1) -> list[str]:
    """What was told as missing, once there is so much of it: it comes from another thread."""
    end = time.monotonic() + 60
    while len(missed) < count and time.monotonic() < end:
        time.sleep(0.01)
    return missed


def get(port: int, target: str, **headers: str) -> http.client.HTTPResponse:
    """A request with exactly this target: a path, or a URL as a proxy is sent it."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=20)
    connection.putrequest("GET", target, skip_host=True)
    for name, value in {"Host": "localhost", "Connection": "close", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def test_a_base_image_comes_over_the_registry_protocol_by_tag_and_by_digest(server: Served) -> None:
    port, _, _ = server
    registry = Registry(Site())
    name = f"{LOOPBACK}:{port}/docker.io/library/debian"
    assert registry.head(f"{name}:12") == digest(b"image")
    assert registry.blob(f"{name}@{digest(b'part')}") == b"part"
    assert registry.head(f"{name}:13") is None
    assert registry.head(f"{LOOPBACK}:{port}/docker.io/library/other:12") is None


@pytest.mark.parametrize(
    "target",
    [
        LIST,
        "/url/http/deb.example.com/debian/dists/bookworm/InRelease",
        f"http://deb.example.com/debian/dists/bookworm/main/by-hash/SHA256/{digest(b'index')[7:]}",
        "http://172.17.0.1:8650/url/http/deb.example.com/debian/dists/bookworm/InRelease",
    ],
)
def test_apt_gets_a_list_through_the_proxy_by_its_hash_and_from_a_mirror(
    server: Served, target: str
) -> None:
    assert get(server[0], target).read() == b"index"


@pytest.mark.parametrize(
    "name",
    [
        "git_2.39.5-0%2bdeb12u3_amd64.deb",
        "git_2.39.5-0%2Bdeb12u3_amd64.deb",
        "git_2.39.5-0+deb12u3_amd64.deb",
    ],
)
def test_a_url_is_found_however_it_is_spelled(server: Served, name: str) -> None:
    assert get(server[0], f"http://deb.example.com/debian/pool/g/{name}").read() == b"package"


def test_the_wheel_is_found_by_way_of_the_index_with_its_hash(server: Served) -> None:
    page = get(server[0], "/simple/bakestone-greeting/").read().decode()
    assert f'href="/wheel/{WHEEL_FILE}#sha256={digest(b"wheel")[7:]}"' in page
    assert get(server[0], f"/wheel/{WHEEL_FILE}").read() == b"wheel"
    assert get(server[0], "/simple/Bakestone_Greeting/").status == 200
    assert get(server[0], "/simple/another/").status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/../../etc/passwd",
        "/wheel/../index.json",
        "/wheel/..%2f..%2findex.json",
        "/v2/docker.io/library/debian/blobs/sha256:../../../index.json",
        "/v2/docker.io/library/debian/manifests/..",
        "/url/http/deb.example.com/../../x",
        "/url/file/etc/passwd",
        "http://127.0.0.1:1/else",
        "http://[::1/",
    ],
)
def test_what_the_catalog_does_not_name_is_not_there(server: Served, target: str) -> None:
    assert get(server[0], target).status == 404
    assert told(server[1]) == [target]


def test_a_miss_of_a_list_by_its_hash_is_not_told_since_apt_asks_by_name_next(
    server: Served,
) -> None:
    assert get(server[0], f"http://deb.example.com/debian/by-hash/SHA256/{'0' * 64}").status == 404
    get(server[0], "/next")
    assert told(server[1]) == ["/next"]


def test_it_is_no_way_to_other_hosts(server: Served) -> None:
    with socket.create_connection((LOOPBACK, server[0]), 20) as client:
        client.sendall(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 405 ")
    assert told(server[1]) == ["example.com:443"]


def test_nothing_can_be_written(server: Served) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = requests.request(
            method,
            f"http://{LOOPBACK}:{server[0]}/v2/docker.io/library/debian/manifests/12",
            data=b"x",
            timeout=20,
        )
        assert answer.status_code == 501


def test_a_download_goes_on_in_the_middle(server: Served) -> None:
    answer = get(server[0], LIST, Range="bytes=2-")
    assert (answer.status, answer.read(), answer.getheader("Content-Range")) == (
        206,
        b"dex",
        "bytes 2-4/5",
    )
    assert get(server[0], LIST, Range="bytes=0-1").read() == b"in"
    assert get(server[0], LIST, Range="bytes=9-").status == 416
    for odd in ("bytes=what", "bytes=3-1"):
        assert get(server[0], LIST, Range=odd).read() == b"index"


def test_a_blob_that_is_gone_is_told(server: Served) -> None:
    port, missed, layout = server
    layout.path(digest(b"index")).unlink()
    assert get(port, LIST).status == 404
    assert "cannot be read" in told(missed)[0]


def test_a_client_that_speaks_tls_is_told_in_the_clear(server: Served) -> None:
    with socket.create_connection((LOOPBACK, server[0]), 20) as client:
        client.sendall(b"\x16\x03\x01\x00\x05")
        assert client.recv(100).startswith(b"HTTP/1.0 400 ")


def test_a_port_that_is_taken_is_a_finding(server: Served, tmp_path: Path) -> None:
    def again() -> None:
        with serving(server[2], [LOOPBACK], server[0], print):
            pass

    (finding,) = refused(again, code=3)
    assert finding.message.startswith(f"cannot listen on {LOOPBACK}:{server[0]}: ")


@pytest.mark.parametrize("strange", ["link", "FIFO", "folder"])
def test_a_blob_that_is_no_regular_file_is_not_served_and_not_waited_for(
    server: Served, tmp_path: Path, strange: str
) -> None:
    port, missed, layout = server
    path, secret = layout.path(digest(b"index")), tmp_path / "secret"
    secret.write_text("of this machine", "utf-8")
    path.unlink()
    {"link": lambda: path.symlink_to(secret), "FIFO": lambda: os.mkfifo(path)}.get(
        strange, path.mkdir
    )()
    answer = get(port, LIST)
    assert (answer.status, answer.read()) == (404, b"the blob is gone\n")
    assert "cannot be read" in told(missed)[0]


def test_each_path_is_told_once_and_after_many_only_their_number(tmp_path: Path) -> None:
    layout, _ = filled(tmp_path)
    missed: list[str] = []
    with serving(layout, [LOOPBACK], 0, missed.append) as port:
        client = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
        for path in ["/same", "/same", *(f"/{number}" for number in range(TOLD + 6))]:
            client.request("GET", path)
            assert client.getresponse().read() == b"not in this archive\n"
        client.close()
    assert told(missed, TOLD + 1)[:2] == ["/same", "/0"]
    assert missed[TOLD:] == ["7 requests for other things"]


def test_a_listener_that_does_not_listen_holds_up_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "LAST_WORDS", 0)
    layout, _ = filled(tmp_path)
    deaf = threading.Event()

    def listen(_what: str) -> None:
        deaf.wait()

    try:
        with serving(layout, [LOOPBACK], 0, listen) as port:
            for number in range(5):
                assert get(port, f"/{number}").status == 404
            assert get(port, LIST).read() == b"index"
    finally:
        deaf.set()


def test_many_clients_that_ask_nothing_hold_up_no_other(server: Served) -> None:
    idle = [socket.create_connection((LOOPBACK, server[0]), 60) for _ in range(100)]
    try:
        idle[0].sendall(b"GET / HTTP/1.1\r\nHost: half a request")
        assert get(server[0], LIST).read() == b"index"
    finally:
        for client in idle:
            client.close()


def test_a_connection_without_a_word_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "IDLE", 0.2)
    layout, _ = filled(tmp_path)
    with (
        serving(layout, [LOOPBACK], 0, lambda _what: None) as port,
        socket.create_connection((LOOPBACK, port), 60) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while chunk := client.recv(1000):
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 200 "), "answered, kept open, then closed"
