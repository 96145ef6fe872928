"""`bakestone versions --for torch==2.9.1`: what a wheel on the index asks for, and what the library
has of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import webserver
from tests.support.command import Command
from tests.support.packageindex import TORCH, Index, parts


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with webserver.serving() as server:
        yield Index(server, tmp_path)


@pytest.mark.parametrize("metadata", [True, False])
def test_what_a_wheel_pins_is_told_with_a_value_to_paste(
    *, metadata: bool, bakestone: Command, index: Index
) -> None:
    path = index.wheel("torch", "2.9.1", *TORCH, metadata=metadata)
    index.wheel("torch", "2.9.1", *TORCH, tag="cp310-cp310-manylinux_2_28_x86_64")
    index.wheel("torch", "2.10.0", "sympy")
    shown = bakestone("versions", "--for", "torch==2.9.1", "--site", str(index.site))
    assert shown.exit_code == 0, shown.output
    assert "torch==2.9.1: Python >=3.10, with wheels for 3.10 to 3.12" in shown.output
    assert 'an axis value: {cuda: "12.8.1", cudnn: "9.10.2.21", nccl: "2.27.5"}' in shown.output
    # of a file of some hundred megabytes, its end and no more
    assert index.server.asked.count(path) == (0 if metadata else 2)


def test_what_the_library_lacks_is_told_with_the_nearest(bakestone: Command, index: Index) -> None:
    index.wheel("torch", "9.0.0", "cuda-toolkit[cudart]==13.0.9", "nvidia-cudnn-cu13==9.14.0.65")
    shown = bakestone("versions", "--for", "torch", "--site", str(index.site), "--format", "json")
    found = json.loads(shown.output)
    assert found["framework"] == "torch==9.0.0"
    assert [(p["slot"], p["version"], p["nearest"]) for p in found["pins"]] == [
        ("cuda", "", "13.0.3"),
        ("cudnn", "", "9.14.0.64"),
    ]
    assert found["axis"] == '{cuda: "13.0.3", cudnn: "9.14.0.64"}'


def test_extras_ranges_and_what_is_asked_for_by_way_of_another_project(
    bakestone: Command, index: Index
) -> None:
    asks = {
        "tensorflow": 'nvidia-cudnn-cu12==9.3.0.75; extra == "and-cuda"',
        "jax": 'jax-cuda12-plugin[with-cuda]>=0.8.0; extra == "cuda12"',
        "jax-cuda12-plugin": 'nvidia-cudnn-cu12<9.9,>=9.8; extra == "with-cuda"',
        "vllm": "torch==2.9.1",
    }
    index.wheel("torch", "2.9.1", *TORCH)
    for name, asked in asks.items():
        index.wheel(name, "0.8.0", asked)
    found = {}
    for name in ("tensorflow", "jax", "vllm"):
        shown = bakestone("versions", "--for", name, "--site", str(index.site), "--format", "json")
        found[name] = json.loads(shown.output)["axis"]
    assert found == {
        "tensorflow": '{cuda: "12.9.1", cudnn: "9.3.0.75"}',
        "jax": '{cuda: "12.9.1", cudnn: "9.8.0.87"}',
        "vllm": '{cuda: "12.8.1", cudnn: "9.10.2.21", nccl: "2.27.5"}',
    }


def test_what_was_withdrawn_counts_where_its_number_is_asked_for(
    bakestone: Command, index: Index
) -> None:
    index.wheel("torch", "2.9.1", *TORCH)
    index.wheel("torch", "2.9.2", *TORCH, yanked="wrong pins")
    newest = bakestone("versions", "--for", "torch", "--site", str(index.site))
    assert "torch==2.9.1: " in newest.output
    assert "withdrew" not in newest.output
    exact = bakestone("versions", "--for", "torch==2.9.2", "--site", str(index.site))
    assert "torch==2.9.2: " in exact.output
    assert "its publisher withdrew this version: wrong pins" in exact.output


def test_what_can_be_pasted_is_told_with_where_it_can_be_built(
    bakestone: Command, index: Index
) -> None:
    index.wheel("torch", "2.9.1", *TORCH)
    shown = bakestone("versions", "--for", "torch", "--site", str(index.site), "--format", "json")
    assert "ubuntu@24.04" in json.loads(shown.output)["distros"]
    assert "debian@12" not in json.loads(shown.output)["distros"]  # nobody packaged CUDA 12.8 so


def test_nccl_alone_is_told_with_a_cuda_that_it_works_on(bakestone: Command, index: Index) -> None:
    index.wheel("xgboost", "3.0.0", "nvidia-nccl-cu12")
    shown = bakestone("versions", "--for", "xgboost", "--site", str(index.site), "--format", "json")
    assert [(p["slot"], p["wanted"]) for p in json.loads(shown.output)["pins"]] == [
        ("cuda", "cuda-toolkit==12.*"),
        ("nccl", "nvidia-nccl-cu12"),
    ]


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("torch==2.4.9", "it has 2.3.0, 2.4.0, 2.5.0, 2.6.0, 2.7.0"),
        ("torch==2.8.0", "it has 2.5.0, 2.6.0, 2.7.0, 2.8.0rc1, 2.9.0 (withdrawn)"),
        ("torch>=2.9", "it has 2.5.0, 2.6.0, 2.7.0, 2.8.0rc1, 2.9.0 (withdrawn)"),
        ("torch==2.7.0+cu130", "builds with a + are on an index of their own"),
        ("source", "it has its source alone"),
        ("windows", "it has wheels for other systems"),
        ("early", "it has 0.1.dev1: pre-releases alone, which count where one is named"),
    ],
)
def test_a_version_that_is_not_there_is_told_with_those_that_are_near(
    asked: str, hint: str, bakestone: Command, index: Index
) -> None:
    for minor in range(8):
        index.wheel("torch", f"2.{minor}.0", *TORCH)
    index.wheel("torch", "2.8.0rc1", *TORCH)
    index.wheel("torch", "2.9.0", *TORCH, yanked="broken")
    index.put("source", "source-1.0.tar.gz")
    index.show()
    index.wheel("windows", "1.0", tag="cp312-cp312-win_amd64")
    index.wheel("early", "0.1.dev1", *TORCH)
    shown = bakestone("versions", "--for", asked, "--site", str(index.site))
    assert shown.exit_code == 1, shown.output
    assert hint in " ".join(shown.output.split())


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ("torch ==", 2, "--for cannot be 'torch =='"),
        ("", 2, "--for cannot be ''"),
        ("torch @ http://127.0.0.1/x.whl", 2, "--for takes a name and a version alone"),
        ("nothing==1.0", 1, "the package index has no project nothing"),
        ("torch==7.7.7", 1, "the package index has no wheel of torch==7.7.7"),
        ("plain", 1, "plain 1.0 asks for no CUDA"),
        ("odd", 3, "odd: its METADATA cannot be read"),
        ("bomb", 3, "bomb: it is no wheel"),
        ("nowhere", 3, "nowhere: the server answers 404 Not Found, and gives no parts of the file"),
    ],
)
def test_what_cannot_be_answered_has_a_reason_and_a_code(
    asked: str, code: int, said: str, bakestone: Command, index: Index
) -> None:
    index.wheel("torch", "2.9.1", *TORCH)
    index.wheel("plain", "1.0", "sympy")
    index.wheel("odd", "1.0", "===")
    index.server.on(index.wheel("bomb", "1.0", metadata=False).lstrip("/"), parts(b"PK" * 99))
    index.server.answers.pop(index.wheel("nowhere", "1.0", metadata=False))
    shown = bakestone("versions", "--for", asked, "--site", str(index.site))
    assert shown.exit_code == code, shown.output
    assert said in shown.output
    assert isinstance(shown.exception, SystemExit)


def test_a_component_and_a_framework_exclude_each_other(bakestone: Command) -> None:
    shown = bakestone("versions", "cuda", "--for", "torch")
    assert shown.exit_code == 2
    assert "--for stands alone" in shown.output
