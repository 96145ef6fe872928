"""A component whose makers ask for terms is used only where images.yaml accepts them by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.matrix.checks import terms
from bakestone.project import Project
from tests.support import team
from tests.support.samples import Marked, locked, project, refused


def component(folder: Path, name: str, slot: str, **asking: Any) -> None:
    """A team's own component with two versions."""
    versions = {
        version: {"methods": {"archive": {"artifacts": [team.artifact(f"{name}-{version}.tar")]}}}
        for version in ("1.0", "2.0")
    }
    data = team.tool(name, slot, {"archive": {"summary": "the archive of its makers"}}, **asking)
    team.write(folder, data, versions, install_archive_j2="RUN true\n\n")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with three components: two ask for terms, one of them knows a free one."""
    of_solver = {
        "id": "solver-eula",
        "title": "Solver's licence",
        "because": "it is for one machine",
        "instead": "fresolv",
    }
    of_drawer = {
        "id": "drawer-terms",
        "title": "Drawer's terms",
        "because": "its pictures are watermarked",
    }
    component(
        tmp_path, "solver", "solver", terms={"url": "https://example.com/solver-eula", **of_solver}
    )
    component(tmp_path, "fresolv", "solver")
    component(
        tmp_path, "drawer", "drawer", terms={"url": "https://example.com/drawer-terms", **of_drawer}
    )
    return tmp_path


MATRIX = """\
version: 1
registry: localhost:5000/base
{top}families:
  - name: first
    axes:
      distro: [ubuntu@22.04, ubuntu@24.04]
      solver: [{solver}]
{family}"""


def matrix(folder: Path, *, top: str = "", solver: str = "solver@1.0", family: str = "") -> Project:
    return project(folder, MATRIX.format(top=top, solver=solver, family=family))


def test_terms_that_are_not_accepted_are_refused_with_what_they_ask_and_the_free_choice(
    place: Path,
) -> None:
    (found,) = refused(lambda: matrix(place).matrix)
    assert (
        found.message
        == "solver is used under Solver's licence, which images.yaml does not accept: it is for one"
        " machine"
    )
    assert (
        found.hint
        == "read https://example.com/solver-eula; then write `accept: [solver-eula]`, or use"
        " fresolv, which asks for none"
    )
    assert found.marked == "solver@1.0"


def test_without_a_free_choice_none_is_offered(place: Path) -> None:
    (found,) = refused(
        lambda: matrix(place, solver="fresolv@1.0", family='      drawer: ["1.0"]\n').matrix
    )
    assert (
        found.hint == "read https://example.com/drawer-terms; then write `accept: [drawer-terms]`"
    )


@pytest.mark.parametrize(
    "accept",
    [{"top": "accept: [solver-eula]\n"}, {"family": "    accept: [solver-eula]\n"}],
    ids=["of the file", "of the family"],
)
def test_either_list_is_enough(accept: dict[str, str], place: Path) -> None:
    variants = matrix(place, **accept).matrix.variants
    assert len(variants) == 2
    assert all(terms.accepted(v) == ("solver-eula",) for v in variants)


def test_what_one_family_accepts_holds_for_no_other(place: Path) -> None:
    other = "  - name: second\n    axes:\n      distro: [debian@12]\n      solver: [solver@2.0]\n"
    (found,) = refused(lambda: matrix(place, family="    accept: [solver-eula]\n" + other).matrix)
    assert found.marked == "solver@2.0"


def test_a_family_is_told_once_of_a_component_however_many_variants_use_it(place: Path) -> None:
    other = (
        "  - name: second\n    axes:\n      distro: [debian@12]\n      solver: [solver@2.0,"
        " solver@1.0]\n"
    )
    found = refused(
        lambda: (
            matrix(
                place,
                solver="solver@1.0, solver@2.0",
                family='      drawer: ["1.0", "2.0"]\n' + other,
            ).matrix
        )
    )
    assert [f.marked for f in found] == ["solver@1.0", '"1.0"', "solver@2.0"]


def test_a_combination_that_is_left_out_needs_no_terms(place: Path) -> None:
    leave = "    exclude:\n      - {solver: solver, because: the licence is not signed yet}\n"
    assert len(matrix(place, solver="solver@1.0, fresolv@1.0", family=leave).matrix.variants) == 2


def test_an_id_that_no_component_asks_for_is_marked_with_the_nearest(place: Path) -> None:
    marked = Marked.of(
        MATRIX.format(
            top="accept: [drawer-terms, «solvr-eula»]\n",
            solver="solver@1.0",
            family="    accept: [solver-eula]\n",
        )
    )
    (found,) = refused(lambda: project(place, marked.text).matrix)
    assert (found.line, found.column, found.marked) == (marked.line, marked.column, marked.marked)
    assert found.message == "no component asks to accept 'solvr-eula'"
    assert found.hint == "did you mean solver-eula?"


def test_an_unknown_id_of_the_file_is_told_once_not_once_a_family(place: Path) -> None:
    others = "".join(
        f"  - name: f{i}\n    axes: {{distro: [debian@{i}], solver: [fresolv@1.0]}}\n"
        for i in (11, 12, 13)
    )
    found = refused(
        lambda: matrix(place, top="accept: [zzz]\n", solver="fresolv@1.0", family=others).matrix
    )
    assert len(found) == 1
    assert "what can be accepted: " in found[0].hint
    assert "drawer-terms" in found[0].hint


def test_an_id_that_nothing_here_needs_is_no_mistake(place: Path) -> None:
    variant, _ = matrix(place, top="accept: [drawer-terms]\n", solver="fresolv@1.0").matrix.variants
    assert terms.accepted(variant) == ()


HOSTILE = {
    "a line break": '"solver-eula\\n"',
    "a dollar sign": "$(id)",
    "a quote": '"so\'lver"',
    "a space": "solver eula",
    "another list": "[solver-eula]",
    "a number": "1",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=list(HOSTILE))
def test_what_is_not_a_name_is_marked(value: str, place: Path) -> None:
    text = MATRIX.format(top=f"accept: [«{value}»]\n", solver="fresolv@1.0", family="")
    marked = Marked.of(text)
    found = refused(lambda: project(place, marked.text).matrix)
    assert (found[0].line, found[0].column) == (marked.line, marked.column)


HOSTILE_TERMS = {
    "a line break in the reason": ("because: it is for one machine", 'because: «"a\\nb"»'),
    "a secret in the address": (
        "url: https://example.com/solver-eula",
        "url: «https://me:secret@example.com/»",
    ),
    "an address that is none": (
        "url: https://example.com/solver-eula",
        "url: «javascript:alert(1)»",
    ),
    "a quote in the id": ("id: solver-eula", 'id: «"a\'b"»'),
    "a tag": ("title: Solver's licence", "title: «!!python/name:os.system x»"),
}


@pytest.mark.parametrize(("right", "wrong"), HOSTILE_TERMS.values(), ids=list(HOSTILE_TERMS))
def test_a_team_s_terms_are_checked_before_anything_is_made_of_them(
    right: str, wrong: str, place: Path
) -> None:
    path = place / "components" / "solver" / "component.yaml"
    marked = Marked.of(path.read_text("utf-8").replace(right, wrong))
    path.write_text(marked.text, "utf-8")
    found = refused(lambda: matrix(place).matrix)
    assert (found[0].line, found[0].column) == (marked.line, marked.column)
    assert f"{path.name}:{marked.line}:{marked.column}: " in found[0].text


def test_an_image_says_which_terms_were_accepted_for_it(place: Path) -> None:
    text = MATRIX.format(
        top="accept: [solver-eula, drawer-terms]\n",
        solver="solver@1.0, fresolv@1.0",
        family='      drawer: [none, "1.0"]\n',
    )
    files = locked(place, text).dockerfiles
    labels = [
        line.strip(" \\")
        for text in files.values()
        for line in text.splitlines()
        if "io.bakestone.accepted" in line
    ]
    asked = sorted(label.partition("=")[2].strip('"') for label in labels)
    assert asked == ["drawer-terms"] * 2 + ["drawer-terms,solver-eula"] * 2 + ["solver-eula"] * 2
    assert len(files) == 8  # and the two without either have no such label


def test_the_library_knows_whose_terms_there_are(library: Library) -> None:
    known = terms.known(library)
    assert set(known) == {"anaconda-terms", "intel-eula", "nvidia-eula"}
    assert known["anaconda-terms"] == ["miniconda"]
    assert "intelmpi" in known["intel-eula"]
    assert {"cuda", "cudnn"} <= set(known["nvidia-eula"])


def test_what_the_library_offers_instead_asks_for_nothing_and_fills_the_same_slot(
    library: Library,
) -> None:
    asking = [c for c in map(library.get, library.names) if c and c.terms]
    assert asking
    for component in asking:
        assert component.terms
        if component.terms.instead:
            other = library.get(component.terms.instead)
            assert other is not None, component.name
            assert other.terms is None
            assert other.slot == component.slot


def test_miniconda_is_refused_and_miniforge_is_not(tmp_path: Path) -> None:
    text = MATRIX.replace("solver: [{solver}]", "conda: [{solver}]").format(
        top="", solver="miniconda@py313_26.5.3-1", family=""
    )
    (found,) = refused(lambda: project(tmp_path, text, library=Library(BUILT_IN)).matrix)
    assert found.message.startswith(
        "miniconda is used under Anaconda's terms of service, which images.yaml does not accept: "
    )
    assert found.hint.endswith(
        "; then write `accept: [anaconda-terms]`, or use miniforge, which asks for none"
    )
    assert project(
        tmp_path / "free",
        text.replace("miniconda@py313_26.5.3-1", "miniforge@26.3.2-3"),
        library=Library(BUILT_IN),
    ).matrix.variants
