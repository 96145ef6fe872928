"""Variants that share stages are built together, in calls that the engine can take."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.jobs.publish.order import MAX_TARGETS, chunks, hit_by, order, stage_texts
from bakestone.project import Project
from tests.support.samples import locked

MATRIX = """\
version: 1
registry: localhost:5000
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: f
    axes:
      distro: [ubuntu@22.04, ubuntu@24.04]
      git: ["2.52.0", "2.53.0"]
      mpi: [openmpi@4.1.8, openmpi@5.0.10]
      conda: [miniforge@26.3.2-3]
    methods: {openmpi: source}
"""


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    return locked(tmp_path, MATRIX, library=library)


def test_the_stages_of_a_dockerfile_are_found_with_their_texts(made: Project) -> None:
    variant = made.matrix.variants[0]
    stages = stage_texts(made.dockerfiles[variant.name])
    assert set(stages) == {
        "openmpi-files",
        "openmpi",
        "git-files",
        "git",
        "miniforge-files",
        "miniforge",
        "base",
        "image",
        "inventory",
    }
    assert stages["openmpi"].startswith("FROM docker.io/library/ubuntu:22.04@sha256:")
    assert "\nFROM " not in stages["openmpi"]


def test_variants_with_equal_stages_are_neighbours(made: Project) -> None:
    texts = made.dockerfiles
    ordered = order(made.matrix.variants, texts)
    assert sorted(v.name for v in ordered) == sorted(v.name for v in made.matrix.variants)
    bases = [stage_texts(texts[v.name])["base"] for v in ordered]
    assert sum(a != b for a, b in pairwise(bases)) == len(set(bases)) - 1


def test_the_order_does_not_depend_on_the_order_before(made: Project) -> None:
    names = [v.name for v in order(made.matrix.variants, made.dockerfiles)]
    assert names == [v.name for v in order(list(reversed(made.matrix.variants)), made.dockerfiles)]


def test_equal_inputs_give_equal_stages_across_variants_and_distros(made: Project) -> None:
    texts = [stage_texts(t) for t in made.dockerfiles.values()]
    assert len({t["miniforge"] for t in texts}) == 1
    assert len({t["openmpi"] for t in texts}) == 4
    assert len({t["git"] for t in texts}) == 4
    assert len({t["inventory"] for t in texts}) == 8


def test_a_failed_stage_takes_the_variants_with_the_same_stage_along(made: Project) -> None:
    variants = made.matrix.variants
    first = variants[0]
    hit = hit_by("openmpi", first.name, variants, made.dockerfiles)
    assert {(v.slots["mpi"].text, v.distro.text) for v in hit} == {
        (first.slots["mpi"].text, first.distro.text)
    }
    assert len(hit) == 2
    assert hit_by("miniforge", first.name, variants, made.dockerfiles) == variants


@pytest.mark.parametrize("stage", ["inventory", "image", "stage-9", ""])
def test_a_failed_measurement_is_the_variants_own(made: Project, stage: str) -> None:
    variants = made.matrix.variants
    assert hit_by(stage, variants[0].name, variants, made.dockerfiles) == [variants[0]]


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_chunks_hold_each_variant_once(made: Project, size: int) -> None:
    parts = list(chunks(made.matrix.variants, size))
    assert [v for part in parts for v in part] == made.matrix.variants
    assert max(map(len, parts)) <= size


def test_no_call_has_more_targets_than_the_engine_takes(made: Project) -> None:
    many = made.matrix.variants * 40
    assert max(len(part) for part in chunks(many, 10_000)) == MAX_TARGETS
