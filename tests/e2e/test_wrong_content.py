"""What has the right name and number and is not what they say is refused by the gate, or by the
stage that makes it.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.e2e import components
from tests.e2e.workspace import Workspace

NCCL = "2.27.7"
CUDNN = "9.14.0.64"


def refused(workspace: Workspace, component: str, versions: dict[str, Any], version: str) -> str:
    """What the build of an image with CUDA 13.0.2 and this version of a component says."""
    components.write_versions(component, workspace.components, versions)
    workspace.images(
        {
            "name": "wrong",
            "axes": {"distro": ["debian@12"], "gpu": [{"cuda": "13.0.2", component: version}]},
            "methods": {"cuda": "wheel", component: "wheel"},
            "accept": ["nvidia-eula"],
        }
    )
    workspace.lock_and_generate()
    return workspace.bakestone("build", code=1).err


def test_the_nccl_of_another_cuda_is_refused(workspace: Workspace) -> None:
    """As it was when `component add` lost the condition that tells the two wheels apart."""
    versions = components.copy_component("nccl", workspace.components)
    method = versions["versions"][NCCL]["methods"]["wheel"]
    method["wheels"] = [wheel for wheel in method["wheels"] if wheel["name"].endswith("cu12")]
    assert method["wheels"][0].pop("when") == {"cuda": ">=12,<13"}
    said = refused(workspace, "nccl", versions, NCCL)
    assert f"nccl: nccl {NCCL} does not work in this image: nccl: it was built for CUDA" in said
    assert "and the image has CUDA 13.0.2" in said


def test_two_wheels_that_bring_one_file_with_other_bytes_end_their_stage(
    workspace: Workspace,
) -> None:
    """The wheels of one library for two CUDAs, both without the condition."""
    versions = components.copy_component("nccl", workspace.components)
    for wheel in versions["versions"][NCCL]["methods"]["wheel"]["wheels"]:
        del wheel["when"]
    said = refused(workspace, "nccl", versions, NCCL)
    assert re.search(
        r"bakestone: wheels: /wheels/\S*/nvidia/nccl/lib/libnccl\.so\.2 is in"
        rf" nvidia_nccl_cu1[23]-{NCCL} and, with other bytes, in nvidia_nccl_cu1[23]-{NCCL}:"
        " one would overwrite the other",
        said,
    ), said


def test_a_fourth_number_and_files_of_others_are_refused(workspace: Workspace) -> None:
    """The library tells three numbers of its version, its package all. One file that it brings is
    CUDA's as well, and one is a package's of the distro.
    """
    versions = components.copy_component("cudnn", workspace.components)
    wrong = f"{CUDNN.rpartition('.')[0]}.99"
    versions["versions"] = {wrong: versions["versions"][CUDNN], **versions["versions"]}
    template = workspace.components / "cudnn" / "install.wheel.j2"
    taken = "/usr/share/debconf/confmodule"
    added = f"mkdir -p /out/usr/share/debconf\necho >/out{taken}\necho >$dest/include/cuda.h\n"
    text = template.read_text("utf-8").replace("chmod -R", f"{added}chmod -R")
    template.write_text(text, "utf-8")
    said = refused(workspace, "cudnn", versions, wrong)
    assert f"cudnn: cudnn version: expected {wrong}, measured {CUDNN}" in said
    twice = r"files: \S*/include/cuda\.h is brought by cuda@13\.0\.2 cudnn@"
    assert re.search(twice + re.escape(wrong), said), said
    assert f"files: {taken} is brought by cudnn@{wrong} and by a package of the distro" in said


def test_a_folder_in_the_environment_that_is_not_there_is_refused(workspace: Workspace) -> None:
    """As the stubs were, which CUDA's wheels do not have."""
    components.copy_component("cuda", workspace.components)
    path = workspace.components / "cuda" / "component.yaml"
    text = path.read_text("utf-8").replace("'' if method == 'wheel' else ", "")
    path.write_text(text.replace("/usr/local/nvidia/lib64, ", "/opt/elsewhere/lib, "), "utf-8")
    versions = components.copy_component("nccl", workspace.components)
    said = refused(workspace, "nccl", versions, NCCL)
    assert "the image does not work for every user" in said
    for missing in ("/usr/local/cuda-13.0/lib64/stubs", "/opt/elsewhere/lib"):
        assert f"the environment names {missing}, which is not there" in said


def test_an_onnx_runtime_for_another_accelerator_is_refused(workspace: Workspace) -> None:
    """The wheel for OpenVINO in the place of the one for CPUs: both are called 1.24.1."""
    versions = components.copy_component("onnxruntime", workspace.components)
    text = (components.LIBRARY / "onnxruntime-openvino" / "versions.yaml").read_text("utf-8")
    foreign = yaml.safe_load(text)["versions"]["1.24.1"]
    versions["versions"] = {"1.24.1": foreign}
    components.write_versions("onnxruntime", workspace.components, versions)
    axes = {"distro": ["debian@12"], "onnxruntime": ["onnxruntime@1.24.1"]}
    workspace.images({"name": "wrong", "axes": axes, "name_slots": ["onnxruntime", "distro"]})
    workspace.lock_and_generate()
    said = workspace.bakestone("build", code=1).err
    assert "it was built for OpenVINOExecutionProvider" in said


@pytest.mark.skipif(
    not shutil.which("gcc"),
    reason="needs a C compiler to make the library that is wrong: apt-get install gcc",
)
def test_a_library_that_lacks_a_symbol_is_refused(workspace: Workspace) -> None:
    """As where the files of two releases were mixed: each has the right name, and all libraries
    that it asks for are there.
    """
    library = workspace.temporary / "libmixed.so"
    command = ["gcc", "-shared", "-fPIC", "-nostdlib", "-Wl,-z,noseparate-code", "-x", "c", "-"]
    text = "int there(void); int needs(void) { return there(); }"
    subprocess.run([*command, "-o", str(library)], input=text, text=True, check=True)
    versions = components.copy_component("nccl", workspace.components)
    template = workspace.components / "nccl" / "install.wheel.j2"
    before, rest = template.read_text("utf-8").split("ln -sf", 1)
    place = "$dest/lib/libmixed.so"
    coded = base64.encodebytes(library.read_bytes()).decode()
    added = f"base64 -d >\"{place}\" <<'LIBRARY'\n{coded}LIBRARY\n"
    template.write_text(f"{before}{added}ln -sf{rest}", "utf-8")
    said = refused(workspace, "nccl", versions, NCCL)
    assert re.search(r"not found: there of /usr/local/cuda-13\.0/\S*/lib/libmixed\.so", said), said
