"""Open MPI from source with its options, measured in an image with compilers and in one without."""

from __future__ import annotations

import pytest

from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.sources import OPENMPI5, overlays
from tests.e2e.workspace import Workspace

OPTIONS = ["fortran", "pmix", "ucx", "libfabric"]
PROGRAM = """\
program sum
  use mpi_f08
  implicit none
  integer :: rank, total
  call MPI_Init()
  call MPI_Comm_rank(MPI_COMM_WORLD, rank)
  call MPI_Allreduce(rank + 1, total, 1, MPI_INTEGER, MPI_SUM, MPI_COMM_WORLD)
  if (rank == 0) print *, 'total', total
  call MPI_Finalize()
end program
"""


@pytest.mark.compiles
def test_open_mpi_has_the_options_that_it_was_asked_for(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    workspace.site(urls=overlays(workspace, vendor, tarballs))
    workspace.images(
        {
            "name": "mpi",
            "axes": {"distro": ["debian@13"], "mpi": [{"openmpi": OPENMPI5, "with": OPTIONS}]},
            "methods": {"openmpi": "source"},
            "roles": ["devel", "runtime"],
        }
    )
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    images = {image["name"]: image for image in workspace.release()["images"]}
    # one value has them: the name need not tell
    name = f"openmpi{OPENMPI5}-debian13"
    assert sorted(images) == [f"{name}-devel", f"{name}-runtime"]
    for image in images.values():
        assert image["slots"]["mpi"] == f"openmpi@{OPENMPI5}"
        measured = image["inventory"]["components"]["mpi"]["measured"]
        assert int(measured.pop("bytes")) > 5 * 10**6
        assert measured == {
            "version": OPENMPI5,
            "ranks": "2",
            "ucx": "yes",
            "cuda": "no",
            "libfabric": "yes",
            "fortran": "yes",
            "pmix": "external",
        }
    references = {n.rpartition("-")[2]: f"{i['repository']}:{i['tag']}" for n, i in images.items()}

    # a Fortran program that mpifort compiled, in a shell that is neither a login shell nor
    # interactive
    build = f"cat >sum.f90 <<'EOF'\n{PROGRAM}EOF\nmpifort sum.f90 -o sum && "
    said = engine.run(references["devel"], f"{build}mpirun --oversubscribe -n 3 ./sum")
    assert said.split() == ["total", "6"]
    said = engine.run(references["runtime"], "command -v mpifort gfortran || echo no compiler")
    assert said.strip() == "no compiler"
