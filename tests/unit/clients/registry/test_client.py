"""The client before registries with manners of their own: it goes on, or a sentence says why."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import urllib3

from bakestone.clients.http.session import Request, Session, UnreachableError, host_of
from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    TRIES,
    ImmutableTagError,
    Registry,
)
from bakestone.clients.site.site import Site
from bakestone.errors import ENVIRONMENT, BakestoneError
from tests.support import dockerlogin, mirror, vendorregistry, webserver
from tests.support.httpserver import Server
from tests.support.vendorregistry import Manners, VendorRegistry
from tests.support.webserver import Answer, WebServer, body, first, serving, status

CONTENT = b"a blob"


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def manifest(mark: str = "") -> bytes:
    data = {"config": {"digest": digest(CONTENT), "size": len(CONTENT)}, "layers": [], "m": mark}
    return json.dumps(data).encode()


INDEX = json.dumps({"manifests": []}).encode()
Start = Callable[..., VendorRegistry]


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a stand-in with these manners, that has the blob of the manifests already."""
    with ExitStack() as stack:

        def run(**manners: object) -> VendorRegistry:
            wanted = Manners(**manners)  # type: ignore[arg-type]
            vendor = stack.enter_context(vendorregistry.serving(wanted))
            vendor.blobs[digest(CONTENT)] = CONTENT
            return vendor

        yield run


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as found:
        yield found


def repository(server: WebServer) -> str:
    return f"{server.url.removeprefix('http://')}base/a"


@pytest.mark.parametrize("answer", [200, 202, 204, 400, 404, 409, 500])
def test_a_put_that_is_not_201_is_an_error(answer: int, start: Start) -> None:
    vendor = start(put=answer)
    with pytest.raises(BakestoneError) as caught:
        Registry(Site()).push_manifest(f"{vendor.address}/a:x", manifest(), MANIFEST_TYPES[0])
    assert caught.value.code == ENVIRONMENT
    assert "a" in str(caught.value)


def test_a_blob_whose_put_is_refused_is_an_error(start: Start) -> None:
    vendor = start()
    with pytest.raises(BakestoneError, match="answered 400 for a"):
        blobs.push(Registry(Site()), f"{vendor.address}/a", b"x", digest(b"another"), 1)


def test_who_makes_no_repository_says_so(start: Start) -> None:
    client, where = Registry(Site()), f"{start(post=404).address}/a"
    with pytest.raises(BakestoneError, match="takes no uploads to a") as caught:
        client.probe(where)
    assert "created first" in str(caught.value)
    with pytest.raises(BakestoneError, match="takes no uploads to a"):
        blobs.push(client, where, b"x", digest(b"x"), 1)


@pytest.mark.parametrize("denied", [401, 403])
def test_a_denied_repository_is_not_there_when_an_upload_may_begin(
    denied: int, start: Start
) -> None:
    vendor = start(absent=denied)
    client = Registry(Site())
    names = [f"{vendor.address}/a:{number}" for number in range(20)]
    assert set(client.heads(names).values()) == {None}
    assert not client.has_blob(names[0], digest(CONTENT))
    assert sum(line.startswith("POST") for line in vendor.asked) == 1, "asked once a repository"


@pytest.mark.parametrize("denied", [401, 403])
def test_a_refusal_that_passes_is_not_taken_for_absence(denied: int) -> None:
    with serving() as web:
        host = web.url.removeprefix("http://").rstrip("/")
        for end in ("", "one"):
            web.answers[f"/v2/a/blobs/uploads/{end}"] = mirror.upload
        path = "/v2/a/manifests/x"
        web.answers[path] = body(manifest(), MANIFEST_TYPES[0])
        web.heads[path] = first(status(denied), web.answers[path])
        assert Registry(Site()).head(f"{host}/a:x") == digest(manifest())


@pytest.mark.parametrize(("tail", "code"), [(":x", 1), (f"@{digest(b'x')}", ENVIRONMENT)])
def test_what_a_registry_named_itself_and_has_no_more_is_its_own_fault(
    tail: str, code: int, start: Start
) -> None:
    place = f"{start().address}/a{tail}"
    with pytest.raises(BakestoneError, match="is not in the registry") as caught:
        Registry(Site()).need(place)
    assert caught.value.code == code
    assert caught.value.findings[0].hint


@pytest.mark.parametrize("denied", [401, 403])
def test_a_denied_repository_is_an_error_when_no_upload_may_begin(
    denied: int, start: Start
) -> None:
    vendor = start(absent=denied, post=denied)
    with pytest.raises(BakestoneError, match=rf"refuses access to a \({denied}\)"):
        Registry(Site()).head(f"{vendor.address}/a:x")


WORDS = {
    "harbor": (412, "Failed to process request due to 'a:x' configured as immutable."),
    "ecr": (400, "the tag already exists and cannot be overwritten because the tag is immutable"),
    "gar": (400, "manifest invalid: cannot update tag x. The repository has tag immutability"),
    "nexus": (400, "repository does not allow updating assets: not allowed"),
    "acr": (405, "The operation is disallowed on this registry, repository or image."),
    "quay": (409, "TAG_IMMUTABLE"),
    "no words": (409, ""),
}


@pytest.mark.parametrize(("answer", "words"), WORDS.values(), ids=list(WORDS))
@pytest.mark.parametrize("kind", [MANIFEST_TYPES[0], INDEX_TYPES[0]])
def test_a_tag_that_may_not_move_has_an_error_of_its_own(
    answer: int, words: str, kind: str, start: Start
) -> None:
    vendor = start(fixed=answer, words=words)
    client, reference = Registry(Site()), f"{vendor.address}/a:x"
    before = client.push_manifest(reference, manifest(), MANIFEST_TYPES[0])
    raw = manifest("another") if kind in MANIFEST_TYPES else INDEX
    with pytest.raises(ImmutableTagError, match="does not let the tag a:x move") as caught:
        client.push_manifest(reference, raw, kind)
    assert (caught.value.reference, caught.value.code) == (reference, ENVIRONMENT)
    assert "fp-*" in str(caught.value)
    assert client.head(reference) == before


@pytest.mark.parametrize(("answer", "words"), WORDS.values(), ids=list(WORDS))
def test_a_tag_that_is_there_already_need_not_move(answer: int, words: str, start: Start) -> None:
    vendor = start(fixed=answer, words=words)
    client, reference = Registry(Site()), f"{vendor.address}/a:x"
    pushed = client.push_manifest(reference, manifest(), MANIFEST_TYPES[0])
    assert client.push_manifest(reference, manifest(), MANIFEST_TYPES[0]) == pushed
    assert client.tag(f"{vendor.address}/a@{pushed}", "x") == pushed


def test_a_manifest_that_is_refused_is_not_called_immutable(start: Start) -> None:
    vendor = start(fixed=400, words="MANIFEST_INVALID")
    client, reference = Registry(Site()), f"{vendor.address}/a:x"
    client.push_manifest(reference, manifest(), MANIFEST_TYPES[0])
    with pytest.raises(BakestoneError, match="answered 400 for a: MANIFEST_INVALID") as caught:
        client.push_manifest(reference, manifest("another"), MANIFEST_TYPES[0])
    assert not isinstance(caught.value, ImmutableTagError)


@pytest.mark.parametrize("answer", [400, 405, 415, 501])
def test_a_registry_that_refuses_an_index_names_the_option(answer: int, start: Start) -> None:
    vendor = start(index=answer)
    with pytest.raises(BakestoneError, match=rf"no index of images \({answer}\)") as caught:
        Registry(Site()).push_manifest(f"{vendor.address}/a:x", INDEX, INDEX_TYPES[0])
    assert "--no-attest" in str(caught.value)


def told(request: Request, answer: tuple[str, int, Mapping[str, str]]) -> requests.Response:
    url, code, headers = answer
    response = requests.Response()
    response.url, response.status_code = url or request.url, code
    response.headers.update(headers)
    response.raw = urllib3.HTTPResponse(io.BytesIO(), headers, preload_content=False)
    return response


class Told(Session):
    """A session that gives these answers, one after the other."""

    def __init__(self, *answers: tuple[str, int, Mapping[str, str]]) -> None:
        super().__init__(Site())
        self.answers = list(answers)
        self.requests: list[Request] = []

    def send(self, request: Request) -> requests.Response:
        self.requests.append(request)
        return told(request, self.answers.pop(0))


@pytest.mark.parametrize("code", [301, 302, 307, 308, 304])
def test_a_redirect_of_an_upload_is_no_place_for_it(code: int) -> None:
    client = Registry(
        Site(), Told(("", code, {"Location": "https://other.example.com/u?key=secret"}))
    )
    with pytest.raises(BakestoneError, match=f"answered {code} for a") as caught:
        client.probe("registry.example.com/a")
    assert caught.value.code == ENVIRONMENT
    assert "it leads to https://other.example.com/u\n" in str(caught.value)


PLACES = {
    "absent": ({}, "no place"),
    "empty": ({"Location": ""}, "no place"),
    "a file": ({"Location": "file:///etc/passwd"}, "no place"),
    "a port that is none": ({"Location": "https://a:b/"}, "no place"),
    "half an address": ({"Location": "https://[a/"}, "no place"),
    "an account": ({"Location": "https://me:secret@registry.example.com/x"}, "no place"),
    "from https to http": ({"Location": "http://registry.example.com/x"}, "over plain http"),
    "http elsewhere": ({"Location": "http://other.example.com/x"}, "over plain http"),
}


@pytest.mark.parametrize(("headers", "reason"), PLACES.values(), ids=list(PLACES))
def test_an_upload_that_has_no_good_place_is_one_sentence(
    headers: Mapping[str, str], reason: str
) -> None:
    client = Registry(Site(), Told(("", 202, headers)))
    with pytest.raises(BakestoneError, match=reason) as caught:
        client.probe("registry.example.com/a")
    assert caught.value.code == ENVIRONMENT
    assert "secret" not in str(caught.value)


FOLLOWED = {
    "absolute": ("https://registry.example.com/u/1", "https://registry.example.com/u/1?digest="),
    "rooted": ("/u/1", "https://registry.example.com/u/1?digest="),
    "relative": ("1", "https://registry.example.com/v2/a/blobs/uploads/1?digest="),
    "without a scheme": ("//other.example.com/1", "https://other.example.com/1?digest="),
    "with a query": ("/u/1?s=a%2Fb%3D", "https://registry.example.com/u/1?s=a%2Fb%3D&digest="),
    "with a fragment": ("/u/1#top", "https://registry.example.com/u/1?digest="),
}


@pytest.mark.parametrize(("location", "url"), FOLLOWED.values(), ids=list(FOLLOWED))
def test_a_location_is_followed_as_it_was_meant(location: str, url: str) -> None:
    session = Told(("", 404, {}), ("", 202, {"Location": location}), ("", 201, {}))
    blobs.push(Registry(Site(), session), "registry.example.com/a", b"x", digest(b"x"), 1)
    assert session.requests[-1].url == url + digest(b"x")


def test_an_upload_is_begun_anew_from_where_its_stream_was_when_a_login_is_asked_for(
    tmp_path: Path,
) -> None:
    auth = {"auth": dockerlogin.basic("me", "secret")}
    dockerlogin.write(tmp_path, auths={"registry.example.com": auth})
    sent = []

    class Reading(Told):
        def send(self, request: Request) -> requests.Response:
            if request.data is not None and not isinstance(request.data, bytes):
                sent.append(request.data.read())
            return super().send(request)

    refused = ("", 401, {"WWW-Authenticate": "Basic"})
    begun = ("", 202, {"Location": "/u"})
    stream = io.BytesIO(b"..rest")
    stream.seek(2)
    client = Registry(Site(), Reading(("", 404, {}), begun, refused, begun, ("", 201, {})))
    blobs.push(client, "registry.example.com/a", stream, digest(b"rest"), 4)
    assert sent == [b"rest", b"rest"]


def test_an_upload_to_another_host_takes_no_secret_along(tmp_path: Path) -> None:
    auth = {"auth": dockerlogin.basic("me", "secret")}
    dockerlogin.write(tmp_path, auths={"registry.example.com": auth})
    session = Told(
        ("", 401, {"WWW-Authenticate": "Basic"}),
        ("", 404, {}),
        ("", 202, {"Location": "https://other.example.com/u"}),
        ("", 201, {}),
    )
    blobs.push(Registry(Site(), session), "registry.example.com/a", b"x", digest(b"x"), 1)
    sent = [bool(request.authorization) for request in session.requests]
    assert sent == [False, True, True, False]
    assert session.requests[-1].authorization is not None  # nor does the account of the site file


def breaking(request: Request) -> requests.Response:
    raise UnreachableError(host_of(request.url), "cannot be reached (connection reset by peer)")


HALFWAY: dict[str, Callable[[Request], requests.Response]] = {
    "it is forgotten": lambda request: told(request, ("", 404, {})),
    "half of it is there": lambda request: told(request, ("", 416, {})),
    "it is busy": lambda request: told(request, ("", 429, {})),
    "a front fails": lambda request: told(request, ("", 502, {})),
    "the connection breaks": breaking,
}


@pytest.mark.parametrize("halfway", HALFWAY.values(), ids=list(HALFWAY))
def test_an_upload_that_ends_halfway_is_begun_anew(
    halfway: Callable[[Request], requests.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakestone.clients.registry.client.PAUSE", 0)
    places = [("", 202, {"Location": f"/upload/{number}"}) for number in (1, 2)]
    session, sent = Told(("", 404, {}), *places, ("", 201, {})), []

    def send(request: Request) -> requests.Response:
        if request.method != "PUT":
            return Told.send(session, request)
        assert request.data is not None
        assert not isinstance(request.data, bytes)
        sent.append((urlsplit(request.url).path, request.data.read()))
        return halfway(request) if len(sent) == 1 else Told.send(session, request)

    monkeypatch.setattr(session, "send", send)
    blobs.push(Registry(Site(), session), "registry.example.com/a", b"x", digest(b"x"), 1)
    assert sent == [("/upload/1", b"x"), ("/upload/2", b"x")]


@pytest.mark.parametrize(("code", "times"), [(400, 1), (413, 1), (301, 1), (200, 1), (503, TRIES)])
def test_an_upload_that_is_refused_is_begun_anew_no_more(
    code: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakestone.clients.registry.client.PAUSE", 0)
    turns = [("", 202, {"Location": "/u"}), ("", code, {})] * times
    session = Told(("", 404, {}), *turns)
    with pytest.raises(BakestoneError, match=f"answered {code} for a"):
        blobs.push(Registry(Site(), session), "registry.example.com/a", b"x", digest(b"x"), 1)
    assert session.answers == []


def test_a_registry_that_asks_to_wait_for_long_is_not_sent_the_upload_again() -> None:
    begun, busy = ("", 202, {"Location": "/u"}), ("", 503, {"Retry-After": "3600"})
    session = Told(("", 404, {}), begun, busy)
    with pytest.raises(BakestoneError, match="answered 503"):
        blobs.push(Registry(Site(), session), "registry.example.com/a", b"x", digest(b"x"), 1)


@pytest.mark.parametrize("content", [b"", io.BytesIO()])
def test_an_empty_blob_is_sent_with_a_length_alone(
    content: bytes | io.BytesIO, start: Start
) -> None:
    vendor = start()
    blobs.push(Registry(Site()), f"{vendor.address}/a", content, digest(b""), 0)
    assert vendor.blobs[digest(b"")] == b""
    assert vendor.encodings == [None]


def test_nothing_is_deleted_on_another_host() -> None:
    elsewhere = ("", 202, {"Location": "https://other.example.com/all"})
    session = Told(elsewhere, ("", 202, {"Location": "/u"}), ("", 204, {}))
    client = Registry(Site(), session)
    client.probe("registry.example.com/a")
    assert [request.method for request in session.requests] == ["POST"]
    client.probe("registry.example.com/a")
    assert [request.method for request in session.requests] == ["POST", "POST", "DELETE"]


def headed(raw: bytes, name: str, value: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header(name, value)
        request.send_header("Content-Length", str(len(raw)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(raw)

    return answer


@pytest.mark.parametrize("answer", [400, 405, 501])
def test_a_registry_that_deletes_no_tags_says_so(answer: int, start: Start) -> None:
    vendor = start(deletes=answer)
    with pytest.raises(BakestoneError, match=rf"deletes no tags \({answer}\)"):
        Registry(Site()).delete_tag(f"{vendor.address}/a:x")


@pytest.mark.parametrize("text", ["", f":x@sha256:{'0' * 64}", f"@sha256:{'0' * 64}"])
def test_what_is_no_tag_is_not_deleted(text: str) -> None:
    session = Told()
    with pytest.raises(BakestoneError, match="is no tag"):
        Registry(Site(), session).delete_tag(f"registry.example.com/a{text}")
    assert session.requests == []


def test_what_unpacks_to_a_lot_is_not_read(web: WebServer) -> None:
    packed = gzip.compress(b" " * (64 * 2**20))

    def bomb(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", str(len(packed)))
        request.end_headers()
        request.wfile.write(packed)

    web.otherwise = bomb
    with pytest.raises(BakestoneError, match="is longer than"):
        Registry(Site()).manifest(f"{repository(web)}:x")


@pytest.mark.parametrize(
    ("limit", "stated", "reason"),
    [(3, CONTENT, "is longer than the 3 bytes"), (99, b"another", "does not have its digest")],
)
def test_a_blob_that_is_another_is_refused(
    limit: int, stated: bytes, reason: str, web: WebServer
) -> None:
    web.otherwise = body(CONTENT)
    with pytest.raises(BakestoneError, match=reason):
        blobs.fetch(Registry(Site()), repository(web), digest(stated), io.BytesIO(), limit)


def test_a_config_of_an_index_is_one_sentence(start: Start) -> None:
    vendor = start()
    client = Registry(Site())
    client.push_manifest(f"{vendor.address}/a:x", INDEX, INDEX_TYPES[0])
    with pytest.raises(BakestoneError, match="it is an index of images"):
        client.config(f"{vendor.address}/a:x", client.need(f"{vendor.address}/a:x"))


def test_a_stated_digest_that_is_none_is_worked_out(web: WebServer) -> None:
    raw = manifest()
    web.heads["/v2/base/a/manifests/x"] = status(200, Docker_Content_Digest="sha256:x")
    web.otherwise = body(raw)
    assert Registry(Site()).head(f"{repository(web)}:x") == digest(raw)


@pytest.mark.parametrize("stated", ["sha512:{0}", "sha256:{1}"])
def test_a_registry_may_prefer_another_digest(stated: str, web: WebServer) -> None:
    raw = manifest()
    told = stated.format(hashlib.sha512(raw).hexdigest(), hashlib.sha256(raw).hexdigest())
    web.otherwise = headed(raw, "Docker-Content-Digest", told)
    web.heads["/v2/base/a/manifests/x"] = web.otherwise
    assert Registry(Site()).head(f"{repository(web)}:x") == digest(raw)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5"])
def test_what_does_not_have_its_digest_is_refused(algorithm: str, web: WebServer) -> None:
    web.otherwise = body(CONTENT)
    wrong = hashlib.new(algorithm, b"another").hexdigest()
    with pytest.raises(BakestoneError, match="does not have its digest"):
        Registry(Site()).blob(f"{repository(web)}@{algorithm}:{wrong}")


@pytest.mark.parametrize("kind", ["application/json", "", "text/plain\r\n X: y", INDEX_TYPES[0]])
def test_a_manifest_is_sent_on_as_what_it_is(kind: str, start: Start, web: WebServer) -> None:
    web.otherwise = headed(manifest(), "Content-Type", kind)
    found = Registry(Site()).need(f"{repository(web)}:x")
    assert found.media_type == MANIFEST_TYPES[0]
    web.otherwise = headed(manifest(), "Content-Type", MANIFEST_TYPES[1])
    assert Registry(Site()).need(f"{repository(web)}:x").media_type == MANIFEST_TYPES[1]


def test_the_first_words_of_a_long_error_are_said(web: WebServer) -> None:
    web.otherwise = webserver.raw(b"HTTP/1.1 400 No\r\n\r\nTAG_IMMUTABLE " + b"x" * 10**6)
    with pytest.raises(BakestoneError, match="answered 400 for base/a: TAG_IMMUTABLE x"):
        Registry(Site()).need(f"{repository(web)}:x")


def test_what_heals_is_asked_again(web: WebServer) -> None:
    raw = manifest()
    web.answers["/v2/base/a/manifests/x"] = first(status(503), body(raw))
    assert Registry(Site()).need(f"{repository(web)}:x").digest == digest(raw)


@pytest.mark.parametrize("host", ["localhost:x", "a b", "[::1", "localhost:99999"])
def test_an_address_that_is_none_is_one_sentence(host: str) -> None:
    with pytest.raises(BakestoneError):
        Registry(Site()).head(f"{host}/a:x")


def test_an_ipv6_host_is_a_host() -> None:
    class V6(Server):
        address_family = socket.AF_INET6

    try:
        probe = V6(BaseHTTPRequestHandler, "::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    probe.server_close()
    with serving() as web:
        server = V6(web.http.handler, "::1")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        web.otherwise = body(CONTENT)
        try:
            blob = f"[::1]:{server.server_port}/base/a@{digest(CONTENT)}"
            assert Registry(Site()).blob(blob) == CONTENT
        finally:
            server.shutdown()
            server.server_close()
