"""Selectors name variants."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.project import Project
from tests.support.samples import MANY, project, refused

CASES = {
    (): 4,
    ("*",): 4,
    ("openmpi5*",): 3,
    ("openmpi4.1.8-ubuntu22.04",): 1,
    ("openmpi4.1.8-ubuntu22.04", "openmpi5.0.10-ubuntu24.04"): 2,
    ("mpi=openmpi",): 4,
    ("mpi=4.1.*",): 1,
    ("mpi=openmpi@5.*",): 3,
    ("cuda=13.*",): 1,
    ("cuda=none",): 3,
    ("cuda=>=12.0,<14",): 1,
    ("distro=ubuntu", "mpi=openmpi@5.*"): 2,
    ("distro=22.04", "distro=24.04"): 3,
    ("family=gpu",): 1,
    ("family=*",): 4,
    ("family=cpu", "openmpi5*"): 2,
    ("mpi!=4.1.*",): 3,
    ("cuda!=none",): 1,
    ("family!=gpu", "openmpi5*"): 2,
    ("mpi=4.1.*,5.*",): 4,
    ("distro=22.04,24.04", "cuda=none"): 3,
    ("openmpi4*,openmpi5*",): 4,
    ("role=devel",): 4,
}


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    return project(tmp_path, MANY, library=library)


@pytest.mark.parametrize(
    ("selectors", "count"),
    CASES.items(),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_selectors_name_variants(selectors: tuple[str, ...], count: int, made: Project) -> None:
    assert len(made.select(selectors)) == count


def test_the_order_stays_that_of_the_file(made: Project) -> None:
    names = [v.name for v in made.matrix.variants]
    chosen = [v.name for v in made.select(["distro=24.04", "distro=22.04"])]
    assert chosen == [n for n in names if n in chosen]


WRONG = {
    "openmpi6*": ("no variant is named openmpi6*", "did you mean openmpi"),
    "mpi=intelmpi": ("no variant has mpi=intelmpi", "there is openmpi@4.1.8, openmpi@5.0.10"),
    "mpii=openmpi": ("there is no slot 'mpii'", "did you mean mpi?"),
    "family=gpuu": ("no variant has family=gpuu", "there is cpu, gpu"),
    "cuda=>=": ("not a range", "write a range as >=12.0,<13"),
    "cuda=12.*": ("no variant has cuda=12.*", "there is cuda@13.0.2, none"),
    "cuda>=12": ("cuda>=12 is no selector: a range comes after =", "as 'cuda=>=12'"),
    "cuda<13": ("cuda<13 is no selector", "as 'cuda=<13'"),
    "mpi=openmpi,intelmpi": ("no variant has mpi=intelmpi", "leave it out: mpi=openmpi; there is"),
    "mpi!=mpich,openmpi@5.*": ("no variant has mpi=mpich", "leave it out: mpi!=openmpi@5.*; there"),
    "mpi!=intelmpi": ("no variant has mpi=intelmpi", "there is openmpi@4.1.8"),
    "mpi=openmpi,": ("no variant has mpi=", "there is openmpi@4.1.8"),
    "role=runtime": ("no variant has role=runtime", "there is devel"),
}


@pytest.mark.parametrize(("selector", "message", "hint"), [(k, *v) for k, v in WRONG.items()])
def test_a_selector_that_names_nothing_is_refused_with_what_there_is(
    selector: str, message: str, hint: str, made: Project
) -> None:
    (found,) = refused(lambda: made.select([selector]))
    assert message in found.message
    assert hint in found.hint


def test_selectors_that_only_fail_together_are_told_so(made: Project) -> None:
    (found,) = refused(lambda: made.select(["cuda=13.*", "distro=ubuntu"]))
    assert found.message == "no variant matches cuda=13.* distro=ubuntu"
    assert "not all of them together" in found.hint
