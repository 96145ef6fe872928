"""Runtimes without a compiler:

CUDA 12's libraries, and ONNX Runtime and its OpenVINO provider, each at work in its image.
"""

from __future__ import annotations

from tests.e2e.engine import Engine
from tests.e2e.workspace import Workspace

CUDA, MINOR = "12.0.1", "12.0"
CPU, OPENVINO = "1.31.1", "1.24.1"


def test_cuda_12_runtime_comes_from_wheels(workspace: Workspace, engine: Engine) -> None:
    axes = {"distro": ["debian@12"], "cuda": [f"cuda-runtime@{CUDA}"]}
    workspace.images(
        {
            "name": "runtime",
            "axes": axes,
            "methods": {"cuda-runtime": "wheel"},
            "end_of_life": "ignore",
        }
    )
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    (image,) = workspace.release()["images"]
    measured = image["inventory"]["components"]["cuda"]["measured"]
    assert measured["version"] == MINOR
    assert image["inventory"]["driver"]["minimum"].startswith(">=525.")
    name = f"{image['repository']}:{image['tag']}"
    # a user's program, compiled without any flag but -l, in a shell that is neither a login shell
    # nor interactive
    program = (
        "#include <cuda_runtime_api.h>\\n#include <stdio.h>\\nint main(){int"
        ' v;cudaRuntimeGetVersion(&v);printf("%%d\\\\n",v);}'
    )
    compiled = (
        f"printf '{program}' > /tmp/a.c; gcc /tmp/a.c -I$CUDA_HOME/include -L$CUDA_HOME/lib64"
        " -lcudart -o /tmp/a && /tmp/a; echo $NVIDIA_REQUIRE_CUDA"
    )
    assert engine.run(name, compiled).split()[:2] == ["12000", "cuda>=12.0"]


def test_onnx_runtime_runs_a_model_on_the_cpu_and_by_openvino(
    workspace: Workspace, engine: Engine
) -> None:
    runtimes = [f"onnxruntime@{CPU}", f"onnxruntime-openvino@{OPENVINO}"]
    workspace.images({"name": "onnx", "axes": {"distro": ["debian@12"], "onnxruntime": runtimes}})
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    images = {image["slots"]["onnxruntime"]: image for image in workspace.release()["images"]}
    assert set(images) == set(runtimes)
    cpu, openvino = (
        images[name]["inventory"]["components"]["onnxruntime"]["measured"] for name in runtimes
    )
    assert (cpu["version"], cpu["python"]) == (CPU, "3.11")
    assert (openvino["version"], openvino["python"]) == (OPENVINO, "3.11")
    assert "OpenVINOExecutionProvider" in openvino["providers"].split("+")
    for image in images.values():
        said = engine.run(
            f"{image['repository']}:{image['tag']}",
            'python3 -c "import onnxruntime, numpy; print(onnxruntime.__version__)"',
        )
        assert said.strip() in (CPU, OPENVINO)
