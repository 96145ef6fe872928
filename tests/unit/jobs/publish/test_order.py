"""Variants that share stages are built together, in calls that the engine can take."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.render.plan import BuildPlan, PlannedVariant
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
OWN = ("image", "inventory")
"""Parts of a variant that are its own."""


@pytest.fixture
def made(library: Library, tmp_path: Path) -> BuildPlan:
    project = locked(tmp_path, MATRIX, library=library)
    return project.plan(project.matrix.variants)


def named(variant: PlannedVariant, name: str) -> str:
    """The identity of a variant's stage of this component, or this part of its own."""
    begin = f"{variant.stage}.{name}" if name in OWN else name
    found = re.compile(rf"{re.escape(begin)}(?:$|[0-9-])")
    others = {variant.stage, *(f"{variant.stage}.{one}" for one in OWN)} - {begin}
    (identity,) = {i for s, i in variant.stages.items() if found.match(s) and s not in others}
    return identity


def test_a_plan_has_the_stages_of_the_text_in_its_order(made: BuildPlan) -> None:
    for variant in made.variants:
        assert list(stage_texts(variant.dockerfile)) == list(variant.stages)
        assert list(variant.stages)[-1] == variant.stage


def test_stages_of_one_text_are_one_and_others_are_not(made: BuildPlan) -> None:
    identities: dict[str, str] = {}
    for variant in made.variants:
        for name, text in stage_texts(variant.dockerfile).items():
            assert identities.setdefault(variant.stages[name], text) == text
    assert len(set(identities.values())) == len(identities)


def test_variants_with_equal_stages_are_neighbours(made: BuildPlan) -> None:
    ordered = order(made.variants)
    assert sorted(v.name for v in ordered) == sorted(v.name for v in made.variants)
    bases = [v.variant.base.ref for v in ordered]
    assert sum(a != b for a, b in pairwise(bases)) == len(set(bases)) - 1
    shared = [v.shared for v in ordered]
    assert sum(a != b for a, b in pairwise(shared)) == len(set(shared)) - 1


def test_the_order_does_not_depend_on_the_order_before(made: BuildPlan) -> None:
    names = [v.name for v in order(made.variants)]
    assert names == [v.name for v in order(made.variants[::-1])]


def test_equal_inputs_give_equal_stages_across_variants_and_distros(made: BuildPlan) -> None:
    for name, number in (("miniforge", 1), ("openmpi", 4), ("git", 4), ("inventory", 8)):
        assert len({named(v, name) for v in made.variants}) == number, name


def test_a_failed_stage_takes_the_variants_with_the_same_stage_along(made: BuildPlan) -> None:
    variants = list(made.variants)
    first = variants[0]

    def hit(name: str) -> list[PlannedVariant]:
        identity = named(first, name)
        stages = {i: stage for stage, i in first.stages.items()}
        return hit_by(stages[identity], first, variants)

    assert {(v.variant.slots["mpi"].text, v.variant.distro.text) for v in hit("openmpi")} == {
        (first.variant.slots["mpi"].text, first.variant.distro.text)
    }
    assert len(hit("openmpi")) == 2
    assert hit("miniforge") == variants


@pytest.mark.parametrize("part", [".inventory", ".image", ""])
def test_a_failed_measurement_is_the_variants_own(made: BuildPlan, part: str) -> None:
    first = made.variants[0]
    assert first.stage + part in first.stages
    assert hit_by(first.stage + part, first, made.variants) == [first]


@pytest.mark.parametrize("stage", ["stage-9", ""])
def test_a_stage_that_nobody_has_is_the_variants_own(made: BuildPlan, stage: str) -> None:
    assert hit_by(stage, made.variants[0], made.variants) == [made.variants[0]]


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_chunks_hold_each_variant_once(made: BuildPlan, size: int) -> None:
    parts = list(chunks(made.variants, size))
    assert [v for part in parts for v in part] == list(made.variants)
    assert max(map(len, parts)) <= size


def test_no_call_has_more_targets_than_the_engine_takes(made: BuildPlan) -> None:
    many = made.variants * 40
    assert max(len(part) for part in chunks(many, 10_000)) == MAX_TARGETS
