"""Variants that share stages are built together, in calls that the engine can take."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.render.plan import BuildPlan
from bakestone.jobs.publish.order import MAX_TARGETS, chunks, hit_by, order
from tests.support.samples import locked
from tests.support.stages import stage_texts

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
def made(library: Library, tmp_path: Path) -> BuildPlan:
    project = locked(tmp_path, MATRIX, library=library)
    return project.plan(project.matrix.variants)


def test_a_plan_has_the_stages_of_the_text_in_its_order(made: BuildPlan) -> None:
    for variant in made.variants:
        assert list(stage_texts(variant.dockerfile)) == [name for name in variant.stages if name]


def test_stages_of_one_text_are_one_and_others_are_not(made: BuildPlan) -> None:
    """But for the variants' own stages, which begin alike and stand on other ones."""
    identities: dict[str, str] = {}
    for variant in made.variants:
        for name, text in stage_texts(variant.dockerfile).items():
            if name not in ("image", "inventory"):
                assert identities.setdefault(variant.stages[name], text) == text
    assert len(set(identities.values())) == len(identities)


def test_variants_with_equal_stages_are_neighbours(made: BuildPlan) -> None:
    ordered = order(made.variants)
    assert sorted(v.name for v in ordered) == sorted(v.name for v in made.variants)
    bases = [v.stages["base"] for v in ordered]
    assert sum(a != b for a, b in pairwise(bases)) == len(set(bases)) - 1


def test_the_order_does_not_depend_on_the_order_before(made: BuildPlan) -> None:
    names = [v.name for v in order(made.variants)]
    assert names == [v.name for v in order(made.variants[::-1])]


def test_equal_inputs_give_equal_stages_across_variants_and_distros(made: BuildPlan) -> None:
    stages = [v.stages for v in made.variants]
    assert len({s["miniforge"] for s in stages}) == 1
    assert len({s["openmpi"] for s in stages}) == 4
    assert len({s["git"] for s in stages}) == 4
    assert len({s["inventory"] for s in stages}) == 8


def test_a_failed_stage_takes_the_variants_with_the_same_stage_along(made: BuildPlan) -> None:
    variants = list(made.variants)
    first = variants[0]
    hit = [v.variant for v in hit_by("openmpi", first, variants)]
    assert {(v.slots["mpi"].text, v.distro.text) for v in hit} == {
        (first.variant.slots["mpi"].text, first.variant.distro.text)
    }
    assert len(hit) == 2
    assert hit_by("miniforge", first, variants) == variants


@pytest.mark.parametrize("stage", ["inventory", "image", "stage-9", ""])
def test_a_failed_measurement_is_the_variants_own(made: BuildPlan, stage: str) -> None:
    assert hit_by(stage, made.variants[0], made.variants) == [made.variants[0]]


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_chunks_hold_each_variant_once(made: BuildPlan, size: int) -> None:
    parts = list(chunks(made.variants, size))
    assert [v for part in parts for v in part] == list(made.variants)
    assert max(map(len, parts)) <= size


def test_no_call_has_more_targets_than_the_engine_takes(made: BuildPlan) -> None:
    many = made.variants * 40
    assert max(len(part) for part in chunks(many, 10_000)) == MAX_TARGETS
