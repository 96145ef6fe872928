"""`frameworks` of a family: what their wheels ask for is in the lock, and what the images have
otherwise is told (rule python.environment).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bakestone.core.lock import frameworks, lockfile, survey
from bakestone.core.lock.lock import Lock, LockedFramework
from bakestone.jobs.explain import explain
from bakestone.project import Project
from tests.support import webserver
from tests.support.command import Command
from tests.support.packageindex import TORCH, Index
from tests.support.samples import NOW, locked, refused, stale
from tests.support.samples import project as project_of

MATRIX = """\
version: 1
registry: localhost:5000
accept: [nvidia-eula, anaconda-terms]
families:
  - name: torch
    frameworks: [torch==2.9.1]
    axes:
      distro: [ubuntu@24.04]
      gpu: [none, {cuda: "12.8.1", cudnn: "9.10.2.21", nccl: "2.27.3"}]
    name_slots: [cuda, distro]
    end_of_life: ignore
"""
ASKS = (
    "nvidia-cuda-runtime-cu12==12.8.90",
    "nvidia-cudnn-cu12==9.10.2.21",
    "nvidia-nccl-cu12==2.27.5",
)
PINS = LockedFramework(
    "torch-2.9.1-cp312-cp312-manylinux_2_28_x86_64.whl",
    "0" * 64,
    ">=3.10",
    ("3.10", "3.11", "3.12"),
    ASKS,
    "index",
    NOW,
)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with webserver.serving() as server:
        yield Index(server, tmp_path)


def made(folder: Path, text: str = MATRIX, pins: LockedFramework | None = PINS) -> Project:
    """A project whose lock has what torch asks for."""
    project = locked(folder, text)
    lock = lockfile.load(project.lock_path)
    lock.frameworks = {"torch==2.9.1": pins} if pins else {}
    lockfile.write(lock, project.lock_path)
    return Project(project.matrix_path, project.lock_path, project.output)


def test_the_lock_has_what_a_wheel_asks_for(tmp_path: Path) -> None:
    project = made(tmp_path)
    assert project.lock.frameworks == {"torch==2.9.1": PINS}
    assert "requires:\n    - nvidia-cuda-runtime-cu12==12.8.90\n" in project.lock_path.read_text()


@pytest.mark.parametrize(
    ("text", "lock", "said"),
    [
        (MATRIX, Lock(), "what torch==2.9.1 asks for is not in it"),
        (
            MATRIX.replace("    frameworks: [torch==2.9.1]\n", ""),
            Lock(frameworks={"torch==2.9.1": PINS}),
            "the framework torch==2.9.1 is no longer used",
        ),
    ],
)
def test_a_lock_of_other_frameworks_is_stale(
    text: str, lock: Lock, said: str, tmp_path: Path
) -> None:
    project = made(tmp_path, text, None)
    needs = survey.collect(project.matrix.variants, project.matrix.library)
    before = lockfile.load(project.lock_path)
    before.frameworks = lock.frameworks
    found = [finding.message for finding in stale(before, needs, project.lock_path)]
    assert found == [f"the lock is stale: {said}"]


def test_what_the_images_have_otherwise_is_told_with_its_source(tmp_path: Path) -> None:
    project = made(tmp_path)
    (finding,) = [f for f in project.warnings() if frameworks.RULE in f.message]
    assert finding.severity == "warning"
    assert finding.message.startswith(
        "torch==2.9.1 asks for nvidia-nccl-cu12==2.27.5, and the image has nccl@2.27.3"
    )
    assert f"METADATA of {PINS.wheel}, sha256:{PINS.sha256}" in finding.message
    assert finding.message.endswith("1 variant of torch")
    assert finding.where
    assert (finding.where.line, finding.where.column) == (6, 18)
    _, lines = explain(project, "cuda12.8.1-ubuntu24.04")
    topics = {line.topic: line for line in lines}
    assert topics["framework"].pin == f"torch==2.9.1: {', '.join(ASKS)}"
    assert "nccl@2.27.3" in topics["differs"].pin
    assert topics["differs"].origin.startswith("rule python.environment; source: METADATA of")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('nccl: "2.27.3"', 'nccl: "2.27.5"'), []),
        (
            ("ubuntu@24.04]", "ubuntu@24.04]\n      conda: [miniforge@26.3.2-3]"),
            ["nccl@2.27.3", "wheels for Python 3.10 to 3.12, and the image has 3.13"],
        ),
    ],
)
def test_the_same_is_not_told_and_another_python_is(
    change: tuple[str, str], said: list[str], tmp_path: Path
) -> None:
    project = made(tmp_path, MATRIX.replace(*change))
    (*_, variant) = project.matrix.variants
    found = list(frameworks.differences(variant, project.lock))
    assert len(found) == len(said)
    assert all(text in difference.message for text, difference in zip(said, found, strict=True))


def test_a_wheel_for_every_python_says_which_it_takes(tmp_path: Path) -> None:
    pins = LockedFramework(PINS.wheel, PINS.sha256, ">=3.13", (), ASKS, "index", NOW)
    project = made(tmp_path, pins=pins)
    (empty, _) = project.matrix.variants
    (difference,) = frameworks.differences(empty, project.lock)
    assert difference.message == "torch==2.9.1 asks for Python >=3.13, and the image has 3.12"


def test_without_a_lock_it_is_told_that_it_is_not_known(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.lock_path.unlink()
    (finding,) = [f for f in project.warnings() if "torch" in f.message]
    assert finding.message == "the lock does not have what torch==2.9.1 asks for"


def test_lock_asks_the_index_once(
    bakestone: Command, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = index.wheel("torch", "2.9.1", *TORCH)
    project = made(tmp_path, pins=None)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        shown = bakestone("lock", "--site", str(index.site))
        assert shown.exit_code == 0, shown.output
    assert index.server.asked.count(f"{path}.metadata") == 1
    locked_now = lockfile.load(project.lock_path).frameworks["torch==2.9.1"]
    assert (locked_now.requires, locked_now.python, locked_now.pythons) == (
        ASKS,
        ">=3.10",
        ("3.12",),
    )
    again = Project(project.matrix_path, project.lock_path, project.output)
    assert not [f for f in again.warnings() if "does not have" in f.message]


def test_a_framework_that_the_index_does_not_have_is_told_and_nothing_written(
    bakestone: Command, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.wheel("torch", "2.9.0", *TORCH)
    project = made(tmp_path, pins=None)
    before = project.lock_path.read_bytes()
    monkeypatch.chdir(tmp_path)
    shown = bakestone("lock", "--site", str(index.site))
    assert shown.exit_code == 1
    assert "the package index has no wheel of torch==2.9.1" in shown.output
    assert project.lock_path.read_bytes() == before


@pytest.mark.parametrize(
    "text", ["torch", "torch>=2.9", "torch==2.*", "torch==2.9.1; python_version > '3'", "a b==1"]
)
def test_a_framework_is_one_version(text: str, tmp_path: Path) -> None:
    changed = MATRIX.replace("[torch==2.9.1]", f'["{text}"]')
    (shown,) = refused(lambda: project_of(tmp_path, changed).matrix)
    assert shown.message.startswith("frameworks cannot be")
    assert "torch==2.13.0" in shown.hint
