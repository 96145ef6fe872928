"""The Renovate preset reads the real images.yaml: its expressions find the versions that are there,
and nothing else.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bakestone.core.documents import edits
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.library.catalog import Library
from bakestone.jobs.freshness import occurrences
from tests.support.samples import ROOT

PRESET: dict[str, Any] = json.loads(
    (ROOT / ".github" / "renovate" / "bakestone.json").read_text("utf-8")
)
MANAGERS: list[dict[str, Any]] = PRESET["customManagers"]

FORMS = """\
families:
  - axes:
      distro: [ubuntu@22.04, 'debian@12', "rocky@9", ubi@9]
      mpi: [openmpi@4.1.8,openmpi@5.0.10, intelmpi@2018.3.222, "intelmpi@2021.16.1"] # openmpi@1.2?
      ucx:
        - ucx@1.20.0
        - "ucx@1.19.1"
      gpu:
        - none
        - {cuda: "12.8.1", cudnn: "9.8.0.87", nccl: "2.25.1"}
        - cuda: '13.0.2'
          nccl: '2.27.7'
        - {cuda: cuda@12.4.1}
      conda: [miniforge@26.3.2-3, miniconda@py313_26.5.3-1]
      onnxruntime: [onnxruntime@1.30.0, onnxruntime-gpu@1.29.0]
      git: ["2.53.0", '2.39.5', git@2.7.4]
    exclude:
      - {mpi: openmpi@4.1.*, cuda: 13.*, because: a pattern is not a version}
      - {git: "2.7.*", cuda: ">=12.0,<13", because: nor is a range}
"""


def python(pattern: str) -> re.Pattern[str]:
    """The expression as Python writes its named groups.

    RE2 and JavaScript have what is used here in common with it.
    """
    return re.compile(pattern.replace("(?<", "(?P<"))


def values(manager: dict[str, Any], text: str) -> list[tuple[int, str]]:
    """Where a manager finds a version, and which: as Renovate reads `matchStrings`, one after the
    other or each in the one before.
    """
    expressions = [python(p) for p in manager["matchStrings"]]
    if manager.get("matchStringsStrategy") == "recursive":
        outer, inner = expressions
        return [
            (o.start() + i.start("currentValue"), i["currentValue"])
            for o in outer.finditer(text)
            for i in inner.finditer(o[0])
        ]
    return [
        (m.start("currentValue"), m["currentValue"]) for e in expressions for m in e.finditer(text)
    ]


def found(text: str) -> dict[str, list[str]]:
    out: dict[str, list[tuple[int, str]]] = {}
    for manager in MANAGERS:
        out.setdefault(manager["depNameTemplate"], []).extend(values(manager, text))
    return {name: [value for _, value in sorted(set(at))] for name, at in out.items() if at}


def test_every_way_to_write_a_version_is_read() -> None:
    assert found(FORMS) == {
        "openmpi": ["4.1.8", "5.0.10"],
        "intelmpi": ["2021.16.1"],
        "ucx": ["1.20.0", "1.19.1"],
        "miniforge": ["26.3.2-3"],
        "onnxruntime": ["1.30.0", "1.29.0"],
        "git": ["2.53.0", "2.39.5", "2.7.4"],
        "cuda": ["12.8.1", "13.0.2", "12.4.1"],
        "nccl": ["2.25.1", "2.27.7"],
        "ubuntu": ["22.04"],
        "debian": ["12"],
        "rocky": ["9"],
    }


def test_in_the_committed_matrix_it_finds_what_bump_finds(library: Library) -> None:
    """But for old versions that no data source has: Intel MPI of 2018, CUDA in two parts."""
    path = ROOT / "images.yaml"
    document = yamldoc.load(path, "the matrix")
    read = found(path.read_text("utf-8"))
    for name, versions in read.items():
        built = [p.version for p in occurrences.find(document, library) if p.component.name == name]
        expected = [
            v
            for v in built
            if not (name == "intelmpi" and v.startswith("2018"))
            and not (name == "cuda" and v.count(".") == 1)
        ]
        assert versions == expected, name
    assert set(read) >= {
        "openmpi",
        "intelmpi",
        "miniforge",
        "git",
        "cuda",
        "nccl",
        "ubuntu",
        "debian",
    }


def test_an_update_by_renovate_is_the_update_by_bump(library: Library) -> None:
    """Renovate replaces the value where it found it; that changes the same bytes."""
    path = ROOT / "images.yaml"
    text = path.read_text("utf-8")
    openmpi = next(m for m in MANAGERS if m["depNameTemplate"] == "openmpi")
    renovated = text
    for start, value in sorted(values(openmpi, text), reverse=True):
        if value == "5.0.10":
            renovated = renovated[:start] + "5.0.11" + renovated[start + len(value) :]
    own = [
        p
        for p in occurrences.find(yamldoc.load(path, "the matrix"), library)
        if p.component.name == "openmpi" and p.version == "5.0.10"
    ]
    assert len(own) == 2
    assert renovated == edits.replaced(
        text, str(path), {p.path: p.with_version("5.0.11") for p in own}
    )


@pytest.mark.parametrize(
    "manager", MANAGERS, ids=lambda m: f"{m['depNameTemplate']}-{m['description'][-10:]}"
)
def test_every_manager_is_whole(manager: dict[str, Any]) -> None:
    for pattern in manager["matchStrings"]:
        assert not re.search(r"\(\?[=!]|\(\?<[=!]|\\\d", pattern), (
            "RE2 has no look-around and no back references"
        )
    assert sum("(?<currentValue>" in p for p in manager["matchStrings"]) >= 1
    assert manager["datasourceTemplate"] in {"github-tags", "docker", "pypi"}
    for key in ("extractVersionTemplate", "versioningTemplate"):
        python(manager.get(key, "").removeprefix("regex:"))
    (file_pattern,) = manager["managerFilePatterns"]
    assert file_pattern.startswith("/")
    assert file_pattern.endswith("/")
    wanted = re.compile(file_pattern[1:-1])
    assert wanted.search("images.yaml")
    assert wanted.search("team/images.yml")
    assert not wanted.search("images.lock.yaml")


@pytest.mark.parametrize(
    ("name", "tags", "wanted"),
    [
        ("openmpi", ["v5.0.11", "v5.0.11rc1"], ["5.0.11"]),
        ("nccl", ["v2.27.7-1", "v2.30.7-1"], ["2.27.7", "2.30.7"]),
        (
            "cuda",
            [
                "13.0.0-cudnn-devel-ubuntu24.04",
                "13.0.0-devel-ubuntu24.04",
                "13.0.0-cudnn-devel-ubi9",
            ],
            ["13.0.0"],
        ),
        ("git", ["v2.53.0", "v2.54.0-rc1"], ["2.53.0"]),
    ],
)
def test_tags_are_read_as_versions(name: str, tags: list[str], wanted: list[str]) -> None:
    for manager in (m for m in MANAGERS if m["depNameTemplate"] == name):
        expression = python(manager["extractVersionTemplate"])
        assert [m["version"] for m in map(expression.match, tags) if m] == wanted


def test_nothing_is_run_that_the_project_does_not_have() -> None:
    from bakestone.cli.app import main

    (tasks,) = [
        rule["postUpgradeTasks"] for rule in PRESET["packageRules"] if "postUpgradeTasks" in rule
    ]
    assert all(
        command.split()[0] == "bakestone" and command.split()[1] in main.commands
        for command in tasks["commands"]
    )
    assert Path(tasks["fileFilters"][0]).name == "images.lock.yaml"
