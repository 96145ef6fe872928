"""Whole builds at registries that people have: with htpasswd and with a token service, of two
versions, from empty and again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.oci import Repository
from tests.e2e.password_registry import logged_in
from tests.e2e.workspace import Workspace
from tests.support import realregistry, tokenservice
from tests.support.realregistry import Login
from tests.support.tokenservice import PASSWORD, USER, TokenService

NAME = "greeting1.0-debian12"
PULL = ["repository:base/greeting:pull"]
REGISTRIES = {
    "docker-registry, htpasswd": (realregistry.debian, False),
    "docker-registry, tokens": (realregistry.debian, True),
    "distribution v3, htpasswd": (realregistry.newest, False),
    "distribution v3, tokens": (realregistry.newest, True),
}
"""Name -> which program, and whether it has a token service."""


class Token(AuthBase):
    """A token that may pull, newly signed for each request."""

    def __init__(self, service: TokenService) -> None:
        self._service = service

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._service.token(PULL, ("pull",))
        request.headers["Authorization"] = f"Bearer {token}"
        return request


@dataclass(frozen=True)
class Place:
    """A registry that was empty, and the environment of somebody who is logged in there."""

    address: str
    environment: dict[str, str]
    auth: AuthBase
    tokens: TokenService | None

    @property
    def repository(self) -> Repository:
        return Repository(f"{self.address}/base/greeting", self.auth)


@pytest.fixture(params=REGISTRIES.values(), ids=list(REGISTRIES))
def place(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Iterator[Place]:
    program: Callable[[], str]
    program, with_tokens = request.param
    path = program()
    with ExitStack() as stack:
        tokens = stack.enter_context(tokenservice.serving(tmp_path)) if with_tokens else None
        login = Login(password=not with_tokens, tokens=tokens)
        port = stack.enter_context(realregistry.running(path, tmp_path / "registry", login))
        address = f"localhost:{port}"
        environment = logged_in(tmp_path / "docker", address, PASSWORD)
        auth = Token(tokens) if tokens else HTTPBasicAuth(USER, PASSWORD)
        yield Place(address, environment, auth, tokens)
        engine.remove_images(address)


@pytest.fixture
def project(workspace: Workspace, vendor: FileServer) -> Workspace:
    """The greeting family, generated; its file is new, so something must be built."""
    content = components.greeting_archive("1.0", secrets.token_hex(8))
    vendor.files["/greeting-1.0.tar.gz"] = content
    components.write_greeting(workspace.components, {"1.0": components.from_source(content, "1.0")})
    workspace.site(urls={components.VENDOR: vendor.url})
    workspace.images(components.greeting_family("1.0"))
    workspace.lock_and_generate()
    return workspace


def test_a_whole_release_from_empty_again_and_after_a_change(
    project: Workspace, place: Place, engine: Engine
) -> None:
    push = ["build", "--push", "--registry", f"{place.address}/base"]
    first = project.bakestone(*push, env=place.environment)
    assert "1 built, 0 already there, 1 floating tags moved" in first.out
    (image,) = project.release()["images"]
    assert place.repository.floating == {NAME: image["digest"]}
    assert place.repository.fingerprints == {f"fp-{image['fingerprint']}"}
    kinds = [
        entry.get("annotations", {}).get("vnd.docker.reference.type")
        for entry in place.repository.get(f"manifests/{NAME}").json()["manifests"]
    ]
    assert (kinds[0], set(kinds[1:])) == (None, {"attestation-manifest"}), "it is attested"
    reference = f"{place.address}/base/greeting:{NAME}"
    said = engine.docker("run", "--rm", "--quiet", reference, "greet", env=place.environment)
    assert said == "1.0\n"

    assert "nothing to do" in project.bakestone(*push, env=place.environment).out
    assert project.release()["images"] == [image]

    project.images(components.greeting_family("1.0", user="worker"))
    project.lock_and_generate()
    again = project.bakestone(*push, env=place.environment)
    assert "1 built, 0 already there, 1 floating tags moved" in again.out
    assert len(place.repository.fingerprints) == 2
    assert place.repository.floating[NAME] == project.release()["images"][0]["digest"]
    assert PASSWORD not in first.text + again.text
    if place.tokens:
        assert place.tokens.strangers == 0
