"""The registries of the conformance suite: real ones, and stand-ins with vendors' manners."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bakestone.clients.site.site import Site
from tests.support import certificates, dockerlogin, realregistry, tokenservice, vendorregistry
from tests.support.certificates import Certificate
from tests.support.realregistry import Login, debian, newest
from tests.support.runningregistry import Place
from tests.support.tokenservice import PASSWORD, REFRESH, USER
from tests.support.vendorregistry import Manners

NAME = "registry.test"
"""A host that is not loopback for the client, and is on loopback all the same: over TLS."""


@dataclass(frozen=True)
class Real:
    """A real registry of the table."""

    program: Callable[[], str]
    login: str = ""
    tls: bool = False
    life: float = 300


_KINDS: dict[str, dict[str, Any]] = {
    "open": {},
    "htpasswd": {"login": "password"},
    "token": {"login": "token"},
    "short-token": {"login": "token", "life": 2},
    "tls": {"tls": True},
    "tls-htpasswd": {"login": "password", "tls": True},
    "tls-token": {"login": "token", "tls": True},
}
REAL = {
    f"{name}-{kind}": Real(program, **about)
    for name, program in (("debian", debian), ("v3", newest))
    for kind, about in _KINDS.items()
}
BEARER = 'Bearer realm="{realm}",service="{service}",scope="{scope}"'
BASIC = 'Basic realm="Registry, Realm"'
VENDORS = {
    "quay: a repository that is not there is 401": Manners("bearer", absent=401),
    "artifactory: a repository that is not there is 403": Manners("basic", BASIC, absent=403),
    "harbor: two challenges in two headers": Manners("bearer basic", f"{BASIC}\n{BEARER}"),
    "nexus: two challenges in one header": Manners("bearer basic", f"{BASIC}, {BEARER}"),
    "gitea: parameters without quotes": Manners(
        "bearer", "Bearer realm={realm},service={service},scope={scope}"
    ),
    "ghcr: the challenge always says pull": Manners(
        "bearer", BEARER.replace("{scope}", "repository:user/image:pull")
    ),
    "no scope in the challenge": Manners("bearer", 'Bearer realm="{realm}",service="{service}"'),
    "acr: a refresh token, and a Location without a host": Manners("bearer", location="rooted"),
    "gitlab: a Location with a query": Manners("bearer", location="query"),
    "a Location that is relative": Manners("basic", BASIC, location="relative"),
    "a Location on another host": Manners("bearer", location="elsewhere"),
    "a front that refuses HEAD (405)": Manners("bearer", head=405),
    "a front that refuses HEAD (501)": Manners(head=501),
    "docker hub: tags in pages": Manners("bearer", page=2),
    "gar: no tag is deleted": Manners("basic", BASIC, deletes=405),
    "no index": Manners(index=400),
}


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificates.make(tmp_path_factory.mktemp("tls"), NAME)


@pytest.fixture(autouse=True)
def _on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def found(host: Any, *rest: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host == NAME else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.fixture(scope="module", params=[*REAL, *VENDORS])
def running(
    request: pytest.FixtureRequest, tls: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A registry of the table, once for all promises."""
    folder = tmp_path_factory.mktemp("registry")
    with ExitStack() as stack:
        if request.param in REAL:
            yield _real(REAL[request.param], folder, tls, stack)
        else:
            yield _vendor(request.param, folder, stack)


@pytest.fixture
def place(running: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The same, with somebody logged in."""
    config = dockerlogin.write(tmp_path / "docker", auths={running.address: running.login})
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    return running


def _real(about: Real, folder: Path, tls: Certificate, stack: ExitStack) -> Place:
    program = about.program()
    secured, host = (tls, NAME) if about.tls else (None, "localhost")
    tokens = None
    if about.login == "token":
        serving = tokenservice.serving(folder, secured, host)
        tokens = stack.enter_context(serving)
        tokens.life = about.life
    login = Login(about.login == "password", tokens)
    port = stack.enter_context(realregistry.running(program, folder, login, secured))
    site = Site(files={"ca": tls.certificate}) if about.tls else Site()
    account = {"auth": dockerlogin.basic(USER, PASSWORD)} if about.login else {}
    place = Place(f"{host}:{port}", account, site, tokens, wants_login=bool(about.login))
    place.deletes_tags = about.program is newest
    return place


def _vendor(name: str, folder: Path, stack: ExitStack) -> Place:
    manners = VENDORS[name]
    tokens = None
    if "bearer" in manners.login:
        tokens = stack.enter_context(tokenservice.serving(folder))
    vendor = stack.enter_context(vendorregistry.serving(manners, tokens))
    login: dict[str, Any] = {"auth": dockerlogin.basic(USER, PASSWORD)} if manners.login else {}
    if name.startswith("acr"):
        login = {"auth": dockerlogin.basic("0" * 8, ""), "identitytoken": REFRESH}
    return Place(
        vendor.address,
        login,
        tokens=tokens,
        vendor=vendor,
        wants_login=bool(manners.login),
        deletes_tags=manners.deletes == 202,
        takes_index=not manners.index,
    )
