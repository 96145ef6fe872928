"""Logins: every form of a challenge is understood, and no secret goes where it does not belong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from bakestone.clients.registry import auth
from bakestone.clients.registry.auth import Challenge, challenges, merged
from bakestone.clients.registry.client import LOGINS, Registry
from bakestone.clients.site.site import Site
from bakestone.errors import ENVIRONMENT, BakestoneError
from tests.support import dockerlogin, tokenservice, vendorregistry
from tests.support.tokenservice import PASSWORD, REFRESH, USER, TokenService
from tests.support.vendorregistry import Manners, VendorRegistry
from tests.support.webserver import WebServer, body, first, redirect, serving, status

CONTENT = b"content"
DIGEST = "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
BEARER = {"realm": "https://a/t?x=1", "service": "s", "scope": "repository:a/b:pull,push"}
SAME = Challenge("bearer", BEARER)
BASIC = Challenge("basic", {"realm": "a, b"})
QUOTED = 'realm="https://a/t?x=1",service="s",scope="repository:a/b:pull,push"'

FORMS: dict[str, tuple[str, list[Challenge]]] = {
    "quotes": (f"Bearer {QUOTED}", [SAME]),
    "no quotes": ("Bearer realm=https://a/t?x=1,service=s,scope=repository:a/b:pull,push", [SAME]),
    "no quotes, scope first": (
        "bearer scope=repository:a/b:pull,push, service=s, realm=https://a/t?x=1", [SAME]),
    "spaces": (f"Bearer  {QUOTED.replace(',s', ' ,  s').replace('=', ' = ', 1)}", [SAME]),
    "another case": (f"BEARER {QUOTED.replace('realm', 'Realm')}", [SAME]),
    "Basic after": (f'Bearer {QUOTED}, Basic realm="a, b"', [SAME, BASIC]),
    "Basic before": (f'Basic realm="a, b", Bearer {QUOTED}', [BASIC, SAME]),
    "Basic alone": ("Basic", [Challenge("basic", {})]),
    "something with a token68": (
        f"Negotiate abc==, Bearer {QUOTED}", [Challenge("negotiate", {"abc": "="}), SAME]),
    "an escaped quote": (r'Basic realm="a \"b\" c"', [Challenge("basic", {"realm": 'a "b" c'})]),
    "nothing": ("", []),
    "a question": ("?", [Challenge("?", {})]),
    "parameters alone": ('realm="x"', []),
}  # fmt: skip


@pytest.mark.parametrize(("header", "expected"), FORMS.values(), ids=list(FORMS))
def test_every_form_of_a_challenge_is_understood(header: str, expected: list[Challenge]) -> None:
    assert challenges(header) == expected


@pytest.mark.parametrize("header", ['a="' * 50_000, '"\\' * 50_000, "a=,\t" * 50_000, " " * 10**6])
def test_a_hostile_header_takes_no_time_to_speak_of(header: str) -> None:
    assert len(challenges(header)) <= auth.MAX_HEADER


def test_scopes_are_merged_by_resource() -> None:
    assert merged("repository:a:pull", "repository:b:pull repository:a:push,pull", "") == (
        "repository:a:pull,push",
        "repository:b:pull",
    )


Login = Callable[..., None]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture
def tokens(tmp_path: Path, stack: ExitStack) -> TokenService:
    return stack.enter_context(tokenservice.serving(tmp_path / "service"))


@pytest.fixture
def vendor(tokens: TokenService, stack: ExitStack) -> VendorRegistry:
    return stack.enter_context(vendorregistry.serving(Manners("bearer"), tokens))


@pytest.fixture
def web(stack: ExitStack) -> WebServer:
    return stack.enter_context(serving())


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Login:
    """Be logged in at a host: by name and password when nothing else is said."""

    def write(host: str, **entry: Any) -> None:
        entry = entry or {"auth": dockerlogin.basic(USER, PASSWORD)}
        config = dockerlogin.write(tmp_path / "docker", auths={host: entry})
        monkeypatch.setenv("DOCKER_CONFIG", str(config))

    return write


def refusing(header: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return status(401, WWW_Authenticate=header)


def host(web: WebServer) -> str:
    return web.url.removeprefix("http://").rstrip("/")


def test_a_password_is_exchanged_for_a_token_of_the_scope_that_is_needed(
    tokens: TokenService, vendor: VendorRegistry, login: Login
) -> None:
    login(vendor.address)
    client = Registry(Site())
    assert client.head(f"{vendor.address}/base/a:x") is None
    client.probe(f"{vendor.address}/base/a")
    assert tokens.asked[:2] == [("repository:base/a:pull",), ("repository:base/a:pull,push",)]
    assert all(secret.startswith("Bearer ") for secret in vendor.secrets)


def test_a_refresh_token_is_posted_and_a_password_is_not_sent(
    tokens: TokenService, vendor: VendorRegistry, login: Login
) -> None:
    login(vendor.address, auth=dockerlogin.basic("0000", "x"), identitytoken=REFRESH)
    assert Registry(Site()).head(f"{vendor.address}/base/a:x") is None
    assert tokens.methods == ["POST"]


def test_a_helper_s_refresh_token_is_posted(
    tokens: TokenService, vendor: VendorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dockerlogin.write(tmp_path / "docker", credsStore="made-up")
    told = json.dumps({"Username": "<token>", "Secret": REFRESH})
    folder = dockerlogin.helper(tmp_path / "bin", "made-up", f"echo '{told}'")
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    Registry(Site()).probe(f"{vendor.address}/base/a")
    assert set(tokens.methods) == {"POST"}


def test_a_helper_that_is_of_no_use_is_asked_once_for_all_threads(
    vendor: VendorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dockerlogin.write(tmp_path / "docker", credsStore="made-up")
    folder = dockerlogin.helper(tmp_path / "bin", "made-up", 'echo asked >>"$0.log"; exit 3')
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    client = Registry(Site())
    for _ in range(2):
        with pytest.raises(BakestoneError, match=r"made-up failed \(exit status 3\)"):
            client.heads(f"{vendor.address}/base/a:{number}" for number in range(20))
    asked = (folder / "docker-credential-made-up.log").read_text("ascii")
    assert asked == "asked\n"


def test_nobody_gets_what_everybody_may_read(
    tokens: TokenService, vendor: VendorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.anonymous = ("pull",)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    client = Registry(Site())
    assert client.head(f"{vendor.address}/base/a:x") is None
    with pytest.raises(BakestoneError, match=r"refuses access to base/a \(401\)"):
        client.probe(f"{vendor.address}/base/a")


def test_a_bearer_token_of_the_configuration_is_sent_as_it_is(
    tokens: TokenService, vendor: VendorRegistry, login: Login
) -> None:
    token = tokens.token(["repository:base/a:pull,push"], ("pull", "push"))
    login(vendor.address, registrytoken=token)
    Registry(Site()).probe(f"{vendor.address}/base/a")
    assert tokens.asked == []


def test_one_token_serves_many_requests_in_parallel(
    tokens: TokenService, vendor: VendorRegistry, login: Login
) -> None:
    login(vendor.address)
    client = Registry(Site())
    client.heads(f"{vendor.address}/base/a:{number}" for number in range(40))
    assert len(tokens.asked) == 1


def test_a_token_that_is_never_believed_is_no_endless_story(
    tokens: TokenService, vendor: VendorRegistry, login: Login
) -> None:
    login(vendor.address)
    tokens.leeway = 10**6  # every token is too old from the start
    vendor.tokens = TokenService(tokens.signed, realm=tokens.realm, leeway=0)
    with pytest.raises(BakestoneError, match=r"refuses access to base/a \(401\)"):
        Registry(Site()).probe(f"{vendor.address}/base/a")
    assert len(tokens.asked) < LOGINS


UNFIT = {
    "no realm": ('Bearer service="s"', "its token service has no URL"),
    "a realm that is none": ('Bearer realm="x"', "its token service has no URL"),
    "a realm with a port that is none": ('Bearer realm="https://a:b/"', "has no URL"),
    "a file": ('Bearer realm="file:///etc/passwd"', "has no URL"),
    "plain http": ('Bearer realm="http://auth.example/t"', "auth.example is not encrypted"),
    "an account in the URL": ('Bearer realm="https://me:x@a/"', "has an account in it"),
    "another scheme": ("Negotiate", "neither Basic nor Bearer"),
    "none": ("?", "neither Basic nor Bearer"),
}


@pytest.mark.parametrize(("header", "reason"), UNFIT.values(), ids=list(UNFIT))
def test_a_challenge_that_cannot_be_followed_is_one_sentence(
    header: str, reason: str, web: WebServer, login: Login
) -> None:
    login(host(web))
    web.otherwise = refusing(header)
    web.answers["/v2/a/manifests/x"] = refusing(header)
    with pytest.raises(BakestoneError, match="in a way that cannot be followed") as caught:
        Registry(Site()).manifest(f"{host(web)}/a:x")
    assert reason in str(caught.value)
    assert caught.value.code == ENVIRONMENT


def test_where_a_token_service_is_unfit_basic_is_taken(web: WebServer, login: Login) -> None:
    login(host(web))
    header = 'Bearer realm="http://auth.example/t", Basic realm="x"'
    web.answers[f"/v2/a/blobs/{DIGEST}"] = first(refusing(header), body(CONTENT))
    assert Registry(Site()).blob(f"{host(web)}/a@{DIGEST}") == CONTENT


ANSWERS: dict[str, tuple[Callable[[BaseHTTPRequestHandler], None], str]] = {
    "500": (status(500), "answers 500"),
    "404": (status(404), "answers 404"),
    "a web page": (body(b"<!doctype html>"), "is not JSON"),
    "a list": (body(b"[]"), "is not a JSON object"),
    "deep": (body(b"[" * 100_000), "is not JSON"),
    "no token": (body(b"{}"), "gave no token"),
    "null": (body(b'{"token": null}'), "gave no token"),
    "a number": (body(b'{"token": 1}'), "gave no token"),
    "a line break": (body(b'{"token": "a\\r\\nX: y"}'), "gave no token"),
    "endless": (body(b'{"token": "' + b"a" * 2**20), "longer than"),
    "401": (status(401), "refuses access to a (401)"),
    "403": (status(403), "refuses access to a (403)"),
    "400": (status(400), "refuses access to a (401)"),
}


@pytest.mark.parametrize(("answer", "reason"), ANSWERS.values(), ids=list(ANSWERS))
def test_a_token_service_of_no_use_is_one_sentence(
    answer: Callable[[BaseHTTPRequestHandler], None], reason: str, web: WebServer, login: Login
) -> None:
    login(host(web))
    header = f'Bearer realm="{web.url}token",service="s"'
    web.answers["/v2/a/manifests/x"] = refusing(header)
    web.answers["/token?service=s&scope=repository%3Aa%3Apull"] = answer
    with pytest.raises(BakestoneError) as caught:
        Registry(Site()).manifest(f"{host(web)}/a:x")
    assert reason in str(caught.value)
    assert caught.value.code == ENVIRONMENT
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("life", ["null", '"soon"', "-5", "1e999", "true", "0", "300"])
def test_an_odd_life_of_a_token_is_no_trouble(life: str, web: WebServer, login: Login) -> None:
    login(host(web))
    web.answers[f"/v2/a/blobs/{DIGEST}"] = first(
        refusing(f'Bearer realm="{web.url}token"'), body(CONTENT)
    )
    web.answers["/token?scope=repository%3Aa%3Apull"] = body(
        f'{{"access_token": "t", "expires_in": {life}}}'.encode()
    )
    assert Registry(Site()).blob(f"{host(web)}/a@{DIGEST}") == CONTENT


def test_a_redirect_of_a_blob_takes_no_secret_along(
    web: WebServer, login: Login, stack: ExitStack
) -> None:
    other, sent = stack.enter_context(serving()), []
    login(host(web))

    def answer(request: BaseHTTPRequestHandler) -> None:
        sent.append(request.headers.get("Authorization"))
        body(CONTENT)(request)

    url = other.on("there", answer)
    path = f"/v2/a/blobs/{DIGEST}"
    web.answers[path] = first(refusing('Basic realm="x"'), redirect(url))
    assert Registry(Site()).blob(f"{host(web)}/a@{DIGEST}") == CONTENT
    assert sent == [None]


def test_a_redirect_s_target_that_asks_for_a_login_gets_none(
    web: WebServer, login: Login, stack: ExitStack
) -> None:
    other = stack.enter_context(serving())
    login(host(web))
    url = other.on("there", refusing(f'Bearer realm="{other.url}token"'))
    web.answers["/v2/a/manifests/x"] = redirect(url)
    with pytest.raises(BakestoneError, match=r"refuses access to a \(401\)"):
        Registry(Site()).manifest(f"{host(web)}/a:x")
    assert other.asked == ["/there"]


def test_nothing_is_taken_from_netrc(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n", "utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    sent: list[str | None] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        sent.append(request.headers.get("Authorization"))
        refusing(f'Bearer realm="{web.url}token"')(request)

    web.otherwise = answer
    with pytest.raises(BakestoneError):
        Registry(Site()).manifest(f"{host(web)}/a:x")
    assert sent
    assert set(sent) == {None}


def test_a_service_s_limit_on_requests_is_named(web: WebServer, login: Login) -> None:
    login(host(web))
    web.answers["/v2/a/manifests/x"] = refusing(f'Bearer realm="{web.url}token"')
    web.otherwise = status(429, Retry_After="3600")
    with pytest.raises(BakestoneError, match=r"no more requests for now \(429\).* 3600 seconds"):
        Registry(Site()).manifest(f"{host(web)}/a:x")
