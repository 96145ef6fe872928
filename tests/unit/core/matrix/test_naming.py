"""Names are as short as tells the variants of a family apart, and stay what they are otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from tests.support.samples import MANY, Marked, project, refused

HEAD = """\
version: 1
registry: localhost:5000/base
accept: [nvidia-eula]
families:
  - name: first
    axes:
      distro: [ubuntu@22.04]
      gpu:
"""


def family(*values: str) -> str:
    return HEAD + "".join(f"        - {{{value}}}\n" for value in values)


def second(name: str, value: str) -> str:
    return f"  - name: {name}\n    axes: {{distro: [ubuntu@22.04], gpu: [{{{value}}}]}}\n"


def names(text: str, library: Library, folder: Path) -> list[str]:
    return [v.name for v in project(folder, text, library=library).matrix.variants]


OLD, NEW = 'cuda: "12.8.1", cudnn: "9.8.0.87"', 'cuda: "12.8.1", cudnn: "9.10.2.21"'
OTHER = 'cuda: "13.0.0", cudnn: "9.12.0.46"'


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ((OLD, OTHER), ["cuda12.8.1-cudnn9-ubuntu22.04", "cuda13.0.0-cudnn9-ubuntu22.04"]),
        ((OLD, NEW), ["cuda12.8.1-cudnn9.8-ubuntu22.04", "cuda12.8.1-cudnn9.10-ubuntu22.04"]),
        (
            (OLD, OTHER, NEW),
            [
                "cuda12.8.1-cudnn9.8-ubuntu22.04",
                "cuda13.0.0-cudnn9-ubuntu22.04",  # nothing else is called so
                "cuda12.8.1-cudnn9.10-ubuntu22.04",
            ],
        ),
    ],
)
def test_two_cudnn_of_one_major_have_as_much_of_their_version_as_tells_them_apart(
    values: tuple[str, ...], wanted: list[str], library: Library, tmp_path: Path
) -> None:
    assert names(family(*values), library, tmp_path) == wanted


def test_roles_come_after_it(library: Library, tmp_path: Path) -> None:
    values = ('cuda: "13.0.2", cudnn: "9.14.0.64"', 'cuda: "13.0.2", cudnn: "9.13.1.26"')
    text = family(*values).replace("ubuntu@22.04", "debian@12") + "    roles: [devel, runtime]\n"
    assert names(text, library, tmp_path)[:2] == [
        "cuda13.0.2-cudnn9.14-debian12-devel",
        "cuda13.0.2-cudnn9.14-debian12-runtime",
    ]


def test_the_hint_for_a_slot_that_no_name_has_can_be_followed(
    library: Library, tmp_path: Path
) -> None:
    text = family(f'{OLD}, nccl: "2.25.1"', f'{OLD}, nccl: "2.26.2"')
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert found.message == (
        "two variants are named cuda12.8.1-cudnn9-ubuntu22.04: nccl is nccl@2.25.1 and nccl@2.26.2"
    )
    write = found.hint.partition("`")[2].partition("`")[0]
    assert write == "name_slots: [mpi, cuda, cudnn, nccl, distro]"
    assert names(text + f"    {write}\n", library, tmp_path) == [
        "cuda12.8.1-cudnn9-nccl2.25.1-ubuntu22.04",
        "cuda12.8.1-cudnn9-nccl2.26.2-ubuntu22.04",
    ]


def test_one_name_in_two_families_is_told_with_what_would_help(
    library: Library, tmp_path: Path
) -> None:
    text = family(OLD) + second("second", NEW)
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert "cudnn is cudnn@9.8.0.87 and cudnn@9.10.2.21" in found.message
    assert found.hint.startswith("write `suffix: WORD` in one of the families")


INCLUDE = f"    include:\n      - «{{distro: ubuntu@22.04, {OLD}, because: it is wanted}}»\n"
TWICE = {
    # what is said -> what is there twice, marked where it is added
    "they are in the families first and second": family(OLD) + second("«second»", OLD),
    "they are in the families first and third": family(OLD) + second("third", OTHER) + INCLUDE,
    "an include gives what is there already": family(OLD) + INCLUDE,
    "one value stands on an axis twice": family(OLD) + '      git: ["2.53.0", «git@2.53.0»]\n',
}


@pytest.mark.parametrize("said", TWICE)
def test_one_combination_twice_is_told_where_it_is_added(
    said: str, library: Library, tmp_path: Path
) -> None:
    marked = Marked.of(TWICE[said])
    (found,) = refused(lambda: project(tmp_path, marked.text, library=library).matrix)
    assert said in found.message
    assert (found.line, found.column) == (marked.line, marked.column)


def test_names_that_were_apart_stay_as_they_were(library: Library, tmp_path: Path) -> None:
    assert names(MANY, library, tmp_path)[-1] == "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"
