"""The registries of the conformance suite at work, once for all promises."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bakestone.clients.site.site import Site
from tests.support import certificates, dockerlogin, realregistry, tokenservice, vendorregistry
from tests.support.certificates import Certificate
from tests.support.realregistry import Login
from tests.support.registrysetups import SETUPS, Setup
from tests.support.runningregistry import Place
from tests.support.tokenservice import PASSWORD, REFRESH, USER

NAME = "registry.test"
"""A host that is not loopback for the client, and is on loopback all the same: over TLS."""


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificates.make(tmp_path_factory.mktemp("tls"), NAME)


@pytest.fixture(autouse=True)
def _on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def found(host: Any, *rest: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host == NAME else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.fixture(scope="module", params=[*SETUPS])
def running(
    request: pytest.FixtureRequest, tls: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A registry of the table, once for all promises."""
    setup, folder = SETUPS[request.param], tmp_path_factory.mktemp("registry")
    with ExitStack() as stack:
        yield _real(setup, folder, tls, stack) if setup.program else _vendor(setup, folder, stack)


@pytest.fixture
def place(running: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The same, with somebody logged in."""
    config = dockerlogin.write(tmp_path / "docker", auths={running.address: running.login})
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    return running


def _real(setup: Setup, folder: Path, tls: Certificate, stack: ExitStack) -> Place:
    assert setup.program
    program = setup.program()
    secured, host = (tls, NAME) if setup.tls else (None, "localhost")
    tokens = None
    if setup.login == "bearer":
        tokens = stack.enter_context(tokenservice.serving(folder, secured, host))
        tokens.life = setup.life
    login = Login(setup.login == "basic", tokens)
    port = stack.enter_context(realregistry.running(program, folder, login, secured))
    site = Site(files={"ca": tls.certificate}) if setup.tls else Site()
    account = {"auth": dockerlogin.basic(USER, PASSWORD)} if setup.login else {}
    return Place(f"{host}:{port}", account, site, tokens, deletes_tags=setup.deletes_tags)


def _vendor(setup: Setup, folder: Path, stack: ExitStack) -> Place:
    tokens = None
    if "bearer" in setup.login:
        tokens = stack.enter_context(tokenservice.serving(folder))
    vendor = stack.enter_context(vendorregistry.serving(setup.manners, tokens))
    login: dict[str, Any] = {"auth": dockerlogin.basic(USER, PASSWORD)} if setup.login else {}
    if setup.refresh:
        login = {"auth": dockerlogin.basic("0" * 8, ""), "identitytoken": REFRESH}
    return Place(
        vendor.address,
        login,
        tokens=tokens,
        vendor=vendor,
        deletes_tags=setup.deletes_tags,
        takes_index=not setup.manners.index,
    )
