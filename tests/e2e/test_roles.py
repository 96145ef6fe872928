"""Images with compilers and without, from one matrix: what is compiled in one runs in the other."""

from __future__ import annotations

from tests.e2e.workspace import Workspace

MPI = "openmpi5.0.10-debian12"
CUDA = {"cuda": "13.0.2", "cudnn": "9.14.0.64", "nccl": "2.27.7"}
PROGRAM = (
    "#include <mpi.h>\n#include <stdio.h>\nint main(void) { int n; MPI_Init(0, 0);"
    ' MPI_Comm_size(MPI_COMM_WORLD, &n); printf("%d\\n", n); MPI_Finalize(); return 0; }\n'
)


def test_a_program_of_the_devel_image_runs_in_the_runtime_image(workspace: Workspace) -> None:
    axes = {"distro": ["debian@12"], "mpi": ["openmpi@5.0.10"]}
    two = {"name": "two", "roles": ["devel", "runtime"], "axes": axes}
    lean = {
        "name": "lean",
        "roles": ["runtime"],
        "axes": {"distro": ["debian@12"], "gpu": [CUDA]},
        "methods": {"cuda": "wheel"},
        "accept": ["nvidia-eula"],
    }
    workspace.images(two | {"methods": {"openmpi": "wheel"}}, lean)
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    images = {image["name"]: image for image in workspace.release()["images"]}
    assert set(images) == {f"{MPI}-devel", f"{MPI}-runtime", "cuda13.0.2-cudnn9-debian12"}
    assert images[f"{MPI}-runtime"]["size"] < 0.7 * images[f"{MPI}-devel"]["size"]
    layers = images[f"{MPI}-runtime"]["layers"]
    assert sum(layer["size"] for layer in layers) == images[f"{MPI}-runtime"]["size"]
    what = [layer["what"] for layer in layers]
    assert [w for w in what if w != "base"] == ["packages", "user", "mpi", "user", "measured"]

    run, registry = workspace.engine.run, workspace.registry
    source = workspace.folder / "hello.c"
    source.write_text(PROGRAM, "utf-8")
    workspace.folder.chmod(0o777)
    shared = ("--volume", f"{workspace.folder}:/shared", "--workdir", "/shared")
    run(f"{registry}/two:{MPI}-devel", "mpicc hello.c -o hello", *shared)
    runtime = f"{registry}/two:{MPI}-runtime"
    assert run(runtime, "mpirun --oversubscribe -n 2 ./hello", *shared).split() == ["2", "2"]

    gone = "for name in gcc g++ mpicc nvcc make; do command -v $name && exit 1; done; ls {}; true"
    assert run(runtime, gone.format("/opt/openmpi/include 2>&1")).startswith("ls: cannot access")
    cuda = f"{registry}/lean:cuda13.0.2-cudnn9-debian12"
    libraries = run(cuda, gone.format("/usr/local/cuda/lib64"))
    assert {"libcudart.so.13", "libcudnn.so.9", "libnccl.so.2"} <= set(libraries.split())
    there = "find /usr/local/cuda/ -name '*.h' -o -name '*.a' -o -name nvcc | head"
    assert run(cuda, there) == ""


def test_a_compiler_in_a_runtime_image_is_refused_by_its_gate(workspace: Workspace) -> None:
    axes = {"distro": ["debian@12"]}
    workspace.images({"name": "lean", "roles": ["runtime"], "axes": axes, "packages": ["gcc"]})
    workspace.lock_and_generate()
    said = workspace.bakestone("build", code=1)
    assert "role: expected no compiler, measured /usr/bin/gcc" in said.err
