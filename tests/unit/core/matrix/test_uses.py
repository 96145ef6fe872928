"""What a build stage needs of a slot that it uses: packages besides, and what must be measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bakestone.core.lock.survey import Survey
from tests.support import team
from tests.support.samples import project, refused


def written(folder: Path, use: Any) -> None:
    """A component `solver` that uses the slot `blas`, and one that fills it."""
    team.distro(folder, v1={"glibc": "2.28"})
    source = {"methods": {"source": {"artifacts": [team.artifact("it.tar")]}}}
    method = {"summary": "the sources", "builder": "distro", "packages": {"smallos": ["gcc"]}}
    team.write(folder, team.tool("blas", "blas", {"source": method}), {"1.0": source})
    solver = {"source": {**method, "uses": {"blas": use}}}
    team.write(folder, team.tool("solver", "solver", solver), {"1.0": source})


AXES = '{distro: [smallos@1], solver: ["1.0"], blas: [none, "1.0"]}'


def test_packages_and_measures_of_a_use_count_where_the_slot_is_filled(tmp_path: Path) -> None:
    use = {"build": {"smallos": ["pkgconf"]}, "measure": {"blas": "yes"}}
    written(tmp_path, use)
    made = project(tmp_path, team.matrix(AXES, "    name_slots: [solver, blas, distro]\n"))
    without, with_blas = made.matrix.variants
    found = {}
    for variant in (without, with_blas):
        stages = {s.chosen.slot: s for s in Survey(made.matrix.library).stages(variant)}
        solver = variant.slots["solver"]
        found[variant.name] = (stages["solver"].packages.names, dict(variant.asked(solver)))
    assert list(found.values()) == [
        (("gcc",), {"version": "1.0"}),
        (("gcc", "pkgconf"), {"version": "1.0", "blas": "yes"}),
    ]


def test_a_distro_whose_packages_for_a_use_nobody_knows_is_refused_where_it_is_used(
    tmp_path: Path,
) -> None:
    written(tmp_path, {"build": {"otheros": ["pkgconf"]}})
    (found,) = refused(lambda: project(tmp_path, team.matrix(AXES)).matrix)
    assert found.message.startswith(
        "solver@1.0 cannot be installed here (source: its packages are known for otheros, not for"
    )


@pytest.mark.parametrize("use", [{"slots": ["cuda"], "measure": {"blas": "yes"}}, ["cuda"]])
def test_a_use_that_needs_another_slot_is_none_without_it(use: Any, tmp_path: Path) -> None:
    written(tmp_path, use)
    made = project(tmp_path, team.matrix(AXES, "    name_slots: [solver, blas, distro]\n"))
    for variant in made.matrix.variants:
        solver = variant.slots["solver"]
        assert solver.used(variant.slots) == {}
        assert dict(variant.asked(solver)) == {"version": "1.0"}


WRONG: dict[str, tuple[Any, str]] = {
    "a slot alone": ("cuda", "blas must be a list or a mapping (key: value)"),
    "an unknown key": ({"bild": {"smallos": ["gcc"]}}, "unknown key 'bild' in blas"),
    "nothing": ({}, "blas has too few entries"),
    "a number": ({"measure": {"blas": 1}}, "blas must be text, and 1 is a number in YAML"),
}


@pytest.mark.parametrize(("use", "message"), WRONG.values(), ids=list(WRONG))
def test_a_use_of_another_shape_is_told(use: Any, message: str, tmp_path: Path) -> None:
    written(tmp_path, use)
    (found,) = refused(lambda: project(tmp_path, team.matrix(AXES)).matrix)
    assert found.message == message
