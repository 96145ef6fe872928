"""Whole Dockerfiles and the bake file, as a reviewer sees them."""

from __future__ import annotations

import pytest

from bakestone.core.lock import lockfile
from bakestone.project import Project
from tests.support.golden import GOLDEN, HINT, Compare
from tests.support.samples import made_up_lock

NAMES = [
    "azureml/openmpi3.1.2-ubuntu16.04",
    "azureml/intelmpi2018.3-cuda9.0-cudnn7-ubuntu16.04",
    "ubuntu/openmpi5.0.10-cuda12.8.1-cudnn9-ubuntu22.04",
    "debian/openmpi5.0.10-debian12",
    "debian/openmpi5.0.10-cuda13.0.2-cudnn9-debian12",
    "both/miniforge26.3.2-3-debian12",
]
FAMILIES = list(dict.fromkeys(name.partition("/")[0] for name in NAMES))


def test_the_lock_is_the_one_that_the_library_asks_for(golden: Project) -> None:
    made = lockfile.dump(made_up_lock(golden.matrix.variants, golden.matrix.library))
    assert golden.lock_path.read_text("utf-8") == made, (
        f"the library asks for something else now; {HINT}"
    )
    assert {p.pins for p in golden.lock.packages.values()} == {"versions", "snapshot", "frozen"}


def test_the_variants_are_those_compared_here(golden: Project) -> None:
    assert [f"{v.family.name}/{v.name}" for v in golden.matrix.variants] == NAMES


@pytest.mark.parametrize("family", FAMILIES)
def test_a_dockerfile_is_written_as_it_was(family: str, golden: Project, compare: Compare) -> None:
    path = golden.output / family / "Dockerfile"
    compare(path, golden.texts[path])


def test_the_bake_file_is_written_as_it_was(golden: Project, compare: Compare) -> None:
    path = golden.output / "docker-bake.json"
    compare(path, golden.texts[path])


def test_nothing_else_is_kept_here(golden: Project) -> None:
    assert {p for p in (GOLDEN / "dockerfiles").rglob("*") if p.is_file()} == set(golden.texts)
