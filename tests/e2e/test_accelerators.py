"""What stands beside NVIDIA's compilers, as whole images from package indexes alone: the libraries
of CUDA 13, NVSHMEM and Intel's runtimes; and images with a Python of their own.
"""

from __future__ import annotations

from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.workspace import Workspace

PYTHON = "3.13.5"
NVSHMEM = "3.3.20"
"""The smallest for CUDA 13."""


def test_an_image_has_the_python_that_its_name_says(workspace: Workspace, engine: Engine) -> None:
    axes = {"distro": ["debian@13"], "python": [PYTHON]}
    workspace.images({"name": "python", "axes": axes, "name_slots": ["python", "distro"]})
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    (image,) = workspace.release()["images"]
    assert image["tag"] == "python3.13-debian13"
    measured = image["inventory"]["components"]["python"]["measured"]
    assert (measured["version"], measured["python_minor"]) == (PYTHON, "3.13")
    ask = "command -v python3"
    said = engine.run(f"{image['repository']}:{image['tag']}", ask)
    assert said.strip() == "/usr/bin/python3"


def test_cuda_13_libraries_alone_and_the_nvshmem_that_was_built_for_them(
    workspace: Workspace, engine: Engine
) -> None:
    axes = {"distro": ["debian@12"], "cuda": ["cuda-runtime@13.0.2"], "nvshmem": [NVSHMEM]}
    workspace.images({"name": "cuda", "axes": axes, "methods": {"cuda-runtime": "wheel"}})
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    (image,) = workspace.release()["images"]
    found = {slot: part["measured"] for slot, part in image["inventory"]["components"].items()}
    assert (found["cuda"]["version"], found["cuda"]["cublas"]) == ("13.0", "13.1.0")
    assert found["cuda"]["nvrtc"] == "13.0", "it has compiled a kernel"
    assert (found["nvshmem"]["version"], found["nvshmem"]["toolkit"]) == (NVSHMEM, "13.0")
    there = engine.run(f"{image['repository']}:{image['tag']}", "command -v nvcc || echo no nvcc")
    assert there.strip() == "no nvcc"

    # the wheel for CUDA 12, whose library has the same name and says the same version
    versions = components.copy_component("nvshmem", workspace.components)
    method = versions["versions"][NVSHMEM]["methods"]["wheel"]
    (other,) = (wheel for wheel in method["wheels"] if wheel["name"].endswith("-cu12"))
    del other["when"]
    method["wheels"] = [other]
    components.write_versions("nvshmem", workspace.components, versions)
    workspace.lock_and_generate()
    said = workspace.bakestone("build", code=1)
    assert "it was built for CUDA 12.8, and the image has CUDA 13.0.2" in said.text


def test_intels_cpu_device_computes_for_opencl(workspace: Workspace, engine: Engine) -> None:
    workspace.images(
        {
            "name": "oneapi",
            "platforms": ["linux/amd64"],
            "axes": {"distro": ["debian@12"], "oneapi": ["2026.2.0"]},
            "name_slots": ["oneapi", "distro"],
        }
    )
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    (image,) = workspace.release()["images"]
    measured = image["inventory"]["components"]["oneapi"]["measured"]
    assert measured["version"] == "2026.2.0"
    assert measured["driver"].startswith("2026.22."), "the device itself has said so"
    said = engine.run(f"{image['repository']}:{image['tag']}", "echo $OCL_ICD_FILENAMES")
    assert said.strip() == "/opt/oneapi/lib/libintelocl.so"
