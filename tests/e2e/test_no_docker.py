"""Without Docker: one clear message, exit code 3, and nothing half-written; what needs no Docker
works.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import components
from tests.e2e.workspace import Workspace

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
COMMANDS = {"lock": ["lock"], "build": ["build"], "push": ["build", "--push"]}


@pytest.fixture
def generated(workspace: Workspace) -> Workspace:
    workspace.images(components.mpi_family())
    workspace.lock_and_generate()
    return workspace


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("lacking", ["engine", "client"])
def test_no_docker_is_one_message_with_a_hint(
    generated: Workspace, tmp_path: Path, lacking: str, command: str
) -> None:
    env = NO_ENGINE if lacking == "engine" else {"PATH": str(tmp_path)}
    if command == "lock":
        generated.lock.unlink()
    before = _files(generated.folder)
    said = generated.bakestone(*COMMANDS[command], code=3, env=env)
    assert said.err.count("hint: ") == 1
    assert "scripts/engine up" in said.err
    assert "Docker" in said.err
    after = _files(generated.folder)
    after.pop(".images.lock.yaml.partial", None)  # the base images, for the next run
    assert after == before


def test_everything_up_to_the_dockerfiles_needs_neither_docker_nor_network(
    generated: Workspace,
) -> None:
    wanted = generated.generated()
    for path in wanted:
        (generated.folder / "dockerfiles" / path).unlink()
    generated.site(mirrors={"registries": {"docker.io/library": "localhost:1/nothing"}})
    for command in (
        ["validate"],
        ["list"],
        ["explain", "openmpi5.0.10-debian12"],
        ["lock"],
        ["generate"],
        ["generate", "--check"],
    ):
        generated.bakestone(*command, env=NO_ENGINE)
    assert generated.generated() == wanted


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
