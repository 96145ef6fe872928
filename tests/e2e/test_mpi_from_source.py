"""MPI from source with what clusters need under it: PMIx, CUDA, UCX; and MPICH from source."""

from __future__ import annotations

import pytest

from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.sources import LIBFABRIC, MPICH, OPENMPI4, OPENMPI5, PMIX, UCX, overlays
from tests.e2e.workspace import Workspace

pytestmark = pytest.mark.compiles

CROWDED = ("--env", "OMPI_MCA_rmaps_base_oversubscribe=1")
"""Two ranks of Open MPI on a machine with one core."""
PROGRAM = (
    "printf '#include <mpi.h>\\nint main(){MPI_Init(0,0);MPI_Finalize();}' >a.c;"
    " mpicc a.c -o a.out; mpirun -n 2 ./a.out && echo met"
)


def test_open_mpi_is_built_with_the_pmix_of_the_image_and_with_cuda(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    """One build has both: no GPU is here, so CUDA is what it was built with."""
    workspace.site(urls=overlays(workspace, vendor, tarballs))
    axes = {
        "distro": ["debian@12"],
        "cuda": ["13.0.2"],
        "pmix": [PMIX],
        "mpi": [{"openmpi": OPENMPI5, "with": ["cuda"]}],
    }
    workspace.images({"name": "mpi", "axes": axes, "name_slots": ["mpi", "pmix", "distro"]})
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    (image,) = workspace.release()["images"]
    assert image["name"] == f"openmpi{OPENMPI5}-pmix{PMIX}-debian12"
    found = {slot: c["measured"] for slot, c in image["inventory"]["components"].items()}
    for measured in found.values():
        measured.pop("bytes", None)
    assert found["pmix"] == {"version": PMIX}
    assert found["mpi"] == {
        "version": OPENMPI5,
        "ranks": "2",
        "ucx": "no",
        "cuda": "yes",
        "libfabric": "no",
        "fortran": "no",
        "pmix": "external",
    }
    # the library and the launcher have one PMIx, also where no variable leads to it
    linked = "env -u LD_LIBRARY_PATH ldd /opt/openmpi/lib/{} | grep -o '=> [^ ]*libpmix[^ ]*'"
    libraries = [linked.format(name) for name in ("libmpi.so", "libprrte.so")]
    said = engine.run(f"{image['repository']}:{image['tag']}", "; ".join(libraries))
    assert said.splitlines() == ["=> /opt/pmix/lib/libpmix.so.2"] * 2
    assert engine.run(f"{image['repository']}:{image['tag']}", PROGRAM, *CROWDED).split() == ["met"]


def test_open_mpi_4_1_is_built_with_ucx_from_source(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    """The gate sends messages of two ranks through UCX alone."""
    workspace.site(urls=overlays(workspace, vendor, tarballs))
    axes = {"distro": ["debian@12"], "ucx": [UCX], "mpi": [f"openmpi@{OPENMPI4}"]}
    workspace.images(
        {
            "name": "mpi",
            "axes": axes,
            "methods": {"openmpi": "source", "ucx": "source"},
            "name_slots": ["mpi", "ucx", "distro"],
        }
    )
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    (image,) = workspace.release()["images"]
    found = {slot: c["measured"] for slot, c in image["inventory"]["components"].items()}
    assert (found["ucx"]["version"], found["ucx"]["cuda"], found["ucx"]["verbs"]) == (
        UCX,
        "no",
        "yes",
    )
    found["mpi"].pop("bytes")
    assert found["mpi"] == {
        "version": OPENMPI4,
        "ranks": "2",
        "ucx": "yes",
        "cuda": "no",
        "libfabric": "no",
        "fortran": "no",
        "pmix": "internal",
    }
    assert engine.run(f"{image['repository']}:{image['tag']}", PROGRAM, *CROWDED).split() == ["met"]


def test_mpich_becomes_an_image_from_source(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    workspace.site(urls=overlays(workspace, vendor, tarballs))
    workspace.images(
        {
            "name": "mpi",
            "axes": {"distro": ["debian@12"], "mpi": [f"mpich@{MPICH}"]},
            "methods": {"mpich": "source"},
        }
    )
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    (image,) = workspace.release()["images"]
    measured = image["inventory"]["components"]["mpi"]["measured"]
    assert int(measured.pop("bytes")) > 10**6
    assert measured == {
        "version": MPICH,
        "ranks": "2",
        "device": "ch4:ofi",
        "abi": "libmpi.so.12",  # that of Intel MPI, and of the wheel
    }
    said = engine.run(f"{image['repository']}:{image['tag']}", PROGRAM)
    assert said.split() == ["met"]


def test_libfabric_becomes_an_image_from_source(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    workspace.site(urls=overlays(workspace, vendor, tarballs))
    axes = {"distro": ["debian@12"], "libfabric": [LIBFABRIC]}
    workspace.images({"name": "fabric", "axes": axes, "name_slots": ["libfabric", "distro"]})
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    (image,) = workspace.release()["images"]
    measured = image["inventory"]["components"]["libfabric"]["measured"]
    assert (measured["version"], measured["efa"], measured["verbs"]) == (LIBFABRIC, "yes", "yes")
    said = engine.run(f"{image['repository']}:{image['tag']}", "fi_info --version")
    assert f"libfabric: {LIBFABRIC}" in said
