"""Registries that do not answer, or do not let us in: exit code 3, one message, a hint, no password
anywhere.
"""

from __future__ import annotations

import io
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site
from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.oci import Repository
from tests.e2e.password_registry import PasswordRegistry
from tests.e2e.workspace import Result, Workspace
from tests.support.tokenservice import PASSWORD, USER

NAME = "greeting1.0-debian12"
WRONG = "wrong-" + secrets.token_hex(6)


@pytest.fixture
def private(engine: Engine, tmp_path: Path) -> Iterator[PasswordRegistry]:
    with PasswordRegistry(engine, tmp_path) as registry:
        yield registry
    engine.remove_images(registry.address)


@pytest.fixture
def project(workspace: Workspace, vendor: FileServer) -> Workspace:
    """The greeting family, generated; its file is new, so something must be built."""
    content = components.greeting_archive("1.0", secrets.token_hex(8))
    vendor.files["/greeting-1.0.tar.gz"] = content
    components.write_greeting(workspace.components, {"1.0": components.from_source(content, "1.0")})
    workspace.site(urls={components.VENDOR: vendor.url})
    workspace.images(components.greeting_family("1.0"))
    workspace.lock_and_generate()
    vendor.asked.clear()  # the lock asks for sizes
    return workspace


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody listens, and which nobody else gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_unreachable_registry_is_one_message_before_anything_is_built(
    project: Workspace, vendor: FileServer, closed_port: int
) -> None:
    where = f"localhost:{closed_port}"
    said = project.bakestone("build", "--push", "--registry", f"{where}/base", code=3)
    _is_one_message(said, f"{where}: the registry {where} cannot be reached (connection refused)")
    assert vendor.asked == []


def test_lock_with_an_unreachable_mirror_fails_and_leaves_the_lock_alone(
    project: Workspace, closed_port: int
) -> None:
    where = f"localhost:{closed_port}"
    project.site(mirrors={"registries": {"docker.io/library": f"{where}/library"}})
    before = project.lock.read_bytes()
    _is_one_message(
        project.bakestone("lock", "--update", code=3),
        f"the registry {where} cannot be reached (connection refused)",
    )
    assert project.lock.read_bytes() == before
    project.lock.unlink()
    project.bakestone("lock", code=3)
    assert not project.lock.exists()
    assert not list(project.folder.glob(".images.lock*"))


@pytest.mark.parametrize("password", [WRONG, ""], ids=["wrong-password", "not-logged-in"])
def test_refused_push_is_one_message_before_anything_is_built(
    project: Workspace, vendor: FileServer, private: PasswordRegistry, password: str
) -> None:
    said = project.bakestone(
        "build",
        "--push",
        "--registry",
        f"{private.address}/base",
        code=3,
        env=private.login(password),
    )
    _is_one_message(said, f"the registry {private.address} refuses access to base/greeting (401)")
    assert f"docker login {private.address}" in said.err
    assert vendor.asked == []
    assert _files_with(project, WRONG) == []


def test_refused_mirror_is_an_error_not_an_absent_base(
    project: Workspace, private: PasswordRegistry
) -> None:
    project.site(mirrors={"registries": {"docker.io/library": f"{private.address}/library"}})
    said = project.bakestone("lock", "--update", code=3, env=private.login(WRONG))
    _is_one_message(said, f"the registry {private.address} refuses access to library/debian (401)")


def test_right_credentials_of_docker_login_publish(
    project: Workspace, private: PasswordRegistry
) -> None:
    registry = f"{private.address}/base"
    said = project.bakestone("build", "--push", "--registry", registry, env=private.login(PASSWORD))
    repository = Repository(f"{registry}/greeting", login=(USER, PASSWORD))
    assert set(repository.floating) == {NAME}
    assert project.release()["images"][0]["digest"] == repository.digest(NAME)
    assert PASSWORD not in said.text
    assert _files_with(project, PASSWORD) == []


def test_a_stream_reaches_a_registry_that_asks_for_a_password(
    private: PasswordRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", private.login(PASSWORD)["DOCKER_CONFIG"])
    content = secrets.token_bytes(5 * 2**20)
    digest = f"sha256:{components.digest(content)}"
    where, registry = f"{private.address}/base/stream", Registry(Site())
    blobs.push(registry, where, io.BytesIO(content), digest, len(content))
    sink = io.BytesIO()
    assert blobs.fetch(registry, where, digest, sink, len(content)) == len(content)
    assert sink.getvalue() == content


def test_registry_that_goes_away_during_the_build_is_one_message_and_the_next_run_goes_on(
    project: Workspace, vendor: FileServer, private: PasswordRegistry
) -> None:
    registry, env = f"{private.address}/base", private.login(PASSWORD)
    with vendor.hold("/greeting-1.0.tar.gz") as hold:
        running = project.start("build", "--push", "--registry", registry, env=env)
        try:
            running.wait_until(hold.reached.is_set, "the build waits for a file")
        except BaseException:
            running.kill()
            raise
        private.stop()
    try:
        code, out, err = running.ended()
    finally:
        running.kill()
    assert code == 3, out + err
    _is_one_message(Result(3, out, err, 0), "cannot be reached")
    assert private.address in err
    assert "Traceback" not in out + err
    assert not (project.folder / "release.json").exists()

    private.start()
    said = project.bakestone("build", "--push", "--registry", registry, env=env)
    assert "1 built, 0 already there, 1 floating tags moved" in said.out


def _is_one_message(said: Result, wanted: str) -> None:
    assert wanted in said.err
    assert said.err.count("hint: ") == 1
    assert WRONG not in said.text


def _files_with(workspace: Workspace, secret: str) -> list[Path]:
    return [
        p for p in workspace.folder.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()
    ]
