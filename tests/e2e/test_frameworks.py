"""An image for a framework: the newest CUDA, cuDNN and NCCL that a framework's wheel pins and that
come from package indexes alone, and JAX with all that it needs as a component of a team's own,
whose import is measured.
"""

from __future__ import annotations

from tests.e2e.engine import Engine
from tests.e2e.workspace import Workspace

FRAMEWORK, TRIPLE = ("torch==2.13.0", {"cuda": "13.0.3", "cudnn": "9.20.0.48", "nccl": "2.29.7"})
JAX = "0.9.2"
REQUIREMENTS = """\
# the wheels of JAX for Python 3.11 and linux/amd64
jax==0.9.2 \\
    --hash=sha256:822a8ae155ab42e7bc59f2ae7a28705bcfccb01a7e76abfc8ae996190cdc5598
jaxlib==0.9.2 \\
    --hash=sha256:9ac995b4ba1aaeedae0d69f319987d515dcaecd4505b642b6312f9e15439351f
ml_dtypes==0.6.0 \\
    --hash=sha256:6c8e39b53e90afda8ce52859c93de4dba3e02b76d85dcf091cc469f9184c6dae
numpy==2.4.6 \\
    --hash=sha256:89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93
scipy==1.17.1 \\
    --hash=sha256:43af8d1f3bea642559019edfe64e9b11192a8978efbd1539d7bc2aaa23d92de4
opt_einsum==3.4.0 \\
    --hash=sha256:69bb92469f86a1565195ece4ac0323943e83477171b91d24c35afe028a90d7cd
"""
PROGRAM = "import jax.numpy as n; print(int((n.arange(10) ** 2).sum()))"


def test_the_newest_triple_is_built_with_a_framework_whose_import_is_measured(
    workspace: Workspace, engine: Engine
) -> None:
    (workspace.folder / "requirements.txt").write_text(REQUIREMENTS, "utf-8")
    about = ("--homepage", "https://docs.jax.dev/", "--licence", "Apache-2.0")
    workspace.bakestone(
        "component", "python", "jax", "requirements.txt", "--python", "3.11", *about
    )
    workspace.images(
        {
            "name": "frameworks",
            "frameworks": [FRAMEWORK],
            "axes": {"distro": ["debian@12"], "gpu": [TRIPLE], "jax": [JAX]},
            "name_slots": ["jax", "cuda", "distro"],
            "end_of_life": "ignore",
        }
    )
    workspace.lock_and_generate()
    # what the index says of torch is what the image has
    assert "python.environment" not in workspace.bakestone("validate").text
    workspace.bakestone("build", "--push")

    (image,) = workspace.release()["images"]
    measured = {name: found["measured"] for name, found in image["inventory"]["components"].items()}
    assert (measured["jax"]["version"], measured["jax"]["python"]) == (JAX, "3.11")
    assert measured["cuda"]["version"] == "13.0"
    assert measured["cudnn"]["version"].startswith("9.20.0")
    assert measured["nccl"]["version"].startswith(TRIPLE["nccl"])
    name = f"{image['repository']}:{image['tag']}"
    assert engine.run(name, f'python3 -c "{PROGRAM}"').strip().splitlines()[-1] == "285"
