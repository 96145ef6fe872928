"""`bakestone bump`: one version in images.yaml becomes another one, and nothing else changes; or
nothing is written.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bakestone.core.documents import edits
from bakestone.core.library.catalog import Library
from bakestone.core.matrix import spec
from bakestone.core.matrix.expansion import expand
from bakestone.errors import BakestoneError
from bakestone.jobs.freshness import companions
from tests.support.command import Command
from tests.support.samples import FIRST, ROOT

HEAD = (
    "version: 1\nregistry: localhost:5000/base\naccept: [anaconda-terms, intel-eula, nvidia-eula]\n"
)

FAMILY = "families:\n  - name: f\n"
LAYOUTS = {
    "flow": FAMILY + "    axes: {distro: [debian@12], mpi: [«openmpi@5.0.9»]}\n",
    "block": (
        "families:\n- name: f\n  axes:\n    distro:\n    - debian@12\n    mpi:\n    # kept\n"
        "    - «openmpi@5.0.9»   # this one\n"
    ),
    "double quotes": FAMILY
    + '    axes:\n      distro: [debian@12]\n      mpi: [ "«openmpi@5.0.9»" ]\n',
    "single quotes": FAMILY
    + "    axes:\n      distro: [debian@12]\n      mpi: [ '«openmpi@5.0.9»' ]\n",
    "after text of other alphabets": (
        FAMILY + '    description: "größer ✓ 😀"  # ünïcode 漢字\n'
        "    axes: {distro: [debian@12], mpi: [«openmpi@5.0.9»]} # 漢\n"
    ),
    "a mapping": (
        FAMILY + "    axes:\n      distro: [debian@12]\n      parts:\n        - none\n"
        "        - mpi: «openmpi@5.0.9»\n          git: '2.39.5'\n"
    ),
    "an include": (
        FAMILY + "    axes: {distro: [debian@12]}\n    include:\n"
        "      - {distro: debian@12, mpi: «openmpi@5.0.9», because: one more}\n"
    ),
    "a tag": FAMILY + "    axes: {distro: [debian@12], mpi: [!!str «openmpi@5.0.9»]}\n",
    "an anchor": FAMILY + "    axes: {distro: [debian@12], mpi: [&v509 «openmpi@5.0.9»]}\n",
    "no line end at the end": FAMILY + "    axes: {distro: [debian@12], mpi: [«openmpi@5.0.9»]}",
    "a block scalar": (
        FAMILY + "    axes:\n      distro: [debian@12]\n      mpi:\n        - |-\n"
        "          «openmpi@5.0.9»\n"
    ),
    "twice": (
        FAMILY + "    axes: {distro: [debian@12], mpi: [«openmpi@5.0.9»]}\n"
        "  - name: g\n    axes: {distro: [debian@13], mpi: [«openmpi@5.0.9»]}\n"
    ),
    "an exclude of that version": (
        FAMILY + "    axes: {distro: [debian@12, debian@13], mpi: [«openmpi@5.0.9», none]}\n"
        "    exclude:\n      - {distro: debian@13, mpi: «openmpi@5.0.9», because: not there}\n"
    ),
}
"""images.yaml without its head; what stands between the marks is what changes."""


def marked(layout: str, version: str, *, end: str = "\n") -> bytes:
    text = LAYOUTS[layout].replace("«openmpi@5.0.9»", f"openmpi@{version}")
    return (HEAD + text).replace("\n", end).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_version_changes_and_every_other_byte_stays(
    layout: str, end: str, bakestone: Command, tmp_path: Path
) -> None:
    path = tmp_path / "images.yaml"
    path.write_bytes(marked(layout, "5.0.9", end=end))
    result = bakestone("bump", "openmpi", "5.0.10")
    assert result.exit_code == 0, result.output
    assert path.read_bytes() == marked(layout, "5.0.10", end=end)
    assert bakestone("bump", "openmpi", "5.0.9").exit_code == 0
    assert path.read_bytes() == marked(layout, "5.0.9", end=end)


def test_a_component_with_options_keeps_them(bakestone: Command, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    text = HEAD + FAMILY + (
        "    methods: {openmpi: source}\n    axes:\n      distro: [debian@13]\n      mpi:\n"
        "        - {openmpi: '5.0.9', with: [fortran]}\n        - openmpi@5.0.10\n"
        "    include:\n      - {distro: debian@12, mpi: {openmpi: '5.0.9', with: [libfabric]},"
        " because: one more}\n"
    )  # fmt: skip
    path.write_text(text, "utf-8")
    result = bakestone("bump", "openmpi", "5.0.10", "--from", "5.0.9")
    assert result.exit_code == 0, result.output
    assert path.read_text("utf-8") == text.replace("'5.0.9'", "'5.0.10'")
    path.write_text(text.replace("openmpi@5.0.10", "{openmpi: '5.0.10', with: [fortran]}"), "utf-8")
    result = bakestone("bump", "openmpi", "5.0.10", "--from", "5.0.9")
    assert "the axis mpi would have openmpi@5.0.10 (fortran) twice" in result.output


def test_what_is_printed_is_the_difference_and_the_next_command(
    bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "images.yaml").write_text(FIRST, "utf-8")
    said = bakestone("bump", "openmpi", "5.0.9").output
    assert "-      mpi: [openmpi@5.0.10]\n+      mpi: [openmpi@5.0.9]" in said
    assert said.endswith(
        "images.yaml: openmpi 5.0.10 -> 5.0.9, 1 variant\nnext: bakestone lock && bakestone"
        " generate\n"
    )


def test_for_programs(bakestone: Command, tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(FIRST, "utf-8")
    said = json.loads(bakestone("bump", "openmpi", "5.0.9", "--dry-run", "--format", "json").output)
    assert (said["component"], said["from"], said["to"], said["written"]) == (
        "openmpi",
        "5.0.10",
        "5.0.9",
        False,
    )
    assert said["changes"] == [
        {
            "line": 7,
            "column": 13,
            "family": "first",
            "before": "openmpi@5.0.10",
            "after": "openmpi@5.0.9",
        }
    ]
    assert said["variants"] == ["openmpi5.0.10-ubuntu22.04"]
    assert (tmp_path / "images.yaml").read_text("utf-8") == FIRST


def test_a_bare_number_gets_quotes_when_it_needs_them(bakestone: Command, tmp_path: Path) -> None:
    """2.53.0 is text in YAML; 12.10 would be a number."""
    components = tmp_path / "components" / "git"
    components.mkdir(parents=True)
    sum_ = "0" * 64
    entry = f"{{url: 'https://git.example.com/g.tar.gz', sha256: '{sum_}', source: x}}"
    (components / "versions.yaml").write_text(
        f'versions:\n  "12.10":\n    methods: {{source: {{artifacts: [{entry}]}}}}\n', "utf-8"
    )
    path = tmp_path / "images.yaml"
    path.write_text(
        HEAD + "families:\n  - name: f\n    axes: {distro: [debian@12], git: [2.53.0]}\n", "utf-8"
    )
    assert bakestone("bump", "git", "12.10").exit_code == 0
    assert '"12.10"' in path.read_text("utf-8")
    assert spec.load(path).families[0].axes[1].values[0].picks["git"].version == "12.10"


def test_the_committed_matrix(bakestone: Command, tmp_path: Path) -> None:
    before = (ROOT / "images.yaml").read_text("utf-8")
    path = tmp_path / "images.yaml"
    path.write_text(before, "utf-8")
    result = bakestone("bump", "cuda", "13.0.1", "--from", "13.0.0", "--together")
    assert result.exit_code == 0, result.output
    changed = [
        (a, b)
        for a, b in zip(before.splitlines(), path.read_text("utf-8").splitlines(), strict=True)
        if a != b
    ]
    (line,) = changed
    assert '{cuda: "13.0.0", cudnn: ' in line[0]
    assert '{cuda: "13.0.1", cudnn: ' in line[1]
    assert bakestone("validate", "--at", "2026-11-22").exit_code == 0


# ---- which version is meant


def test_several_versions_are_asked_about(bakestone: Command, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    text = (
        HEAD + "families:\n  - name: f\n    axes: {distro: [debian@12], mpi: [openmpi@4.1.8,"
        " openmpi@5.0.9]}\n"
    )
    path.write_text(text, "utf-8")
    result = bakestone("bump", "openmpi", "5.0.10")
    assert result.exit_code == 2
    assert (
        "images.yaml has several versions of openmpi: 5.0.9 (1 place), 4.1.8 (1 place)"
        in result.output
    )
    assert "say which one with --from: 5.0.9, 4.1.8" in result.output
    assert path.read_text("utf-8") == text
    assert bakestone("bump", "openmpi", "5.0.10", "--from", "5.0.9").exit_code == 0
    assert path.read_text("utf-8") == text.replace("5.0.9", "5.0.10")


def test_one_family_alone(bakestone: Command, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    path.write_bytes(marked("twice", "5.0.9"))
    assert bakestone("bump", "openmpi", "5.0.10", "--family", "g").exit_code == 0
    text = path.read_text("utf-8")
    assert text.index("5.0.9") < text.index("5.0.10")
    assert text.count("5.0.10") == 1


def test_it_is_there_already(bakestone: Command, tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(FIRST, "utf-8")
    result = bakestone("bump", "openmpi", "5.0.10")
    assert (result.exit_code, result.output) == (
        0,
        "images.yaml: openmpi is at 5.0.10 already; nothing to do\n",
    )


def test_without_a_version_it_is_the_newest_that_passes(bakestone: Command, tmp_path: Path) -> None:
    """The family asks for Open MPI from source, which the library has up to 5.0.10; as a wheel
    there is a newer one.
    """
    path = tmp_path / "images.yaml"
    text = (
        HEAD + "families:\n  - name: f\n    axes: {distro: [debian@12], mpi: [openmpi@5.0.8]}\n   "
        " methods: {openmpi: source}\n"
    )
    path.write_text(text, "utf-8")
    assert bakestone("bump", "openmpi").exit_code == 0
    assert path.read_text("utf-8") == text.replace("5.0.8", "5.0.10")
    path.write_text(text.replace("source", "wheel"), "utf-8")
    assert bakestone("bump", "openmpi").exit_code == 0
    assert "openmpi@5.0.11" in path.read_text("utf-8")


def test_lines_that_are_kept_side_by_side_stay_so(bakestone: Command, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    text = (
        HEAD + "families:\n  - name: f\n    axes: {distro: [debian@12], mpi: [openmpi@4.1.6,"
        " openmpi@5.0.9]}\n"
    )
    path.write_text(text, "utf-8")
    assert bakestone("bump", "openmpi", "--from", "4.1.6").exit_code == 0
    assert "[openmpi@4.1.8, openmpi@5.0.9]" in path.read_text("utf-8")


# ---- what comes along

CUDA = (
    HEAD + "families:\n  - name: f\n    axes:\n      distro: [ubuntu@22.04]\n      gpu:\n"
    '        - {cuda: "12.4.1", cudnn: "9.1.0.70", nccl: "2.21.5"}  # with its friends\n'
)


def test_a_refused_version_changes_nothing_and_what_would_help_is_offered(
    bakestone: Command, tmp_path: Path
) -> None:
    path = tmp_path / "images.yaml"
    path.write_text(CUDA, "utf-8")
    result = bakestone("bump", "cuda", "13.0.0")
    assert result.exit_code == 1
    assert path.read_text("utf-8") == CUDA
    assert "cudnn@9.1.0.70 does not go with cuda@13.0.0" in result.output
    assert "images.yaml: nothing is changed: cuda@13.0.0 does not pass here" in result.output
    assert (
        "nearest that passes: with cudnn@9.12.0.46 and nccl@2.27.7; add --together" in result.output
    )


def test_what_nobody_packaged_so_is_done_when_it_is_asked_for_and_told(
    bakestone: Command, tmp_path: Path
) -> None:
    path = tmp_path / "images.yaml"
    path.write_text(CUDA, "utf-8")
    result = bakestone("bump", "cuda", "12.8.1")
    assert result.exit_code == 0, result.output
    assert path.read_text("utf-8") == CUDA.replace("12.4.1", "12.8.1")
    assert "cudnn@9.1.0.70 is not packaged together with cuda@12.8.1" in result.output


def test_together_brings_them_along(bakestone: Command, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    path.write_text(CUDA, "utf-8")
    result = bakestone("bump", "cuda", "12.8.1", "--together")
    assert result.exit_code == 0, result.output
    assert path.read_text("utf-8") == CUDA.replace("12.4.1", "12.8.1").replace(
        "9.1.0.70", "9.8.0.87"
    ).replace("2.21.5", "2.25.1")
    assert "cuda 12.4.1 -> 12.8.1 with cudnn@9.8.0.87 and nccl@2.25.1, 1 variant" in result.output
    assert "instead of" not in result.output, (
        "NVIDIA has an image with these three: nothing is installed in another way"
    )
    assert bakestone("validate", "--at", "2026-11-22").exit_code == 0


def test_companions_can_be_named(bakestone: Command, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    path.write_text(CUDA, "utf-8")
    result = bakestone(
        "bump", "cuda", "12.8.1", "--with", "cudnn@9.8.0.87", "--with", "nccl@2.26.5"
    )
    assert result.exit_code == 0, result.output
    assert (
        '{cuda: "12.8.1", cudnn: "9.8.0.87", nccl: "2.26.5"}  # with its friends'
        in path.read_text("utf-8")
    )
    assert "instead of `image`" in result.output, "which is told, since no image has this NCCL"


def test_a_companion_on_an_axis_of_its_own(bakestone: Command, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    text = (
        HEAD + "families:\n  - name: f\n    axes:\n      distro: [ubuntu@22.04]\n      cuda:"
        ' ["12.4.1"]\n      cudnn: ["9.1.0.70"]\n'
    )
    path.write_text(text, "utf-8")
    assert bakestone("bump", "cuda", "13.0.0").exit_code == 1
    assert bakestone("bump", "cuda", "13.0.0", "--together").exit_code == 0
    assert bakestone("validate", "--at", "2026-11-22").exit_code == 0
    assert 'cuda: ["13.0.0"]\n      cudnn: ["9.' in path.read_text("utf-8")


# ---- every wrong input

WRONG: dict[str, tuple[str, list[str], int, str]] = {
    "unknown component": (
        FIRST,
        ["opnmpi", "5.0.9"],
        1,
        "unknown component 'opnmpi'\n    hint: did you mean openmpi?",
    ),
    "a slot": (FIRST, ["mpi", "5.0.9"], 1, "name what fills it: bakestone bump openmpi 5.0.9"),
    "a slot with several components": (
        FIRST.replace("[ubuntu@22.04]", "[ubuntu@22.04, debian@12]"),
        ["distro", "24.04"],
        1,
        "COMPONENT: distro is a slot, and no component\n    hint: name what fills it: bakestone"
        " bump ubuntu 24.04\n",
    ),
    "a slot that nothing fills": (
        FIRST,
        ["conda"],
        1,
        "no variant has one; it can be miniconda, miniforge",
    ),
    "written as one": (
        FIRST,
        ["openmpi@5.0.9"],
        1,
        "write them apart: bakestone bump openmpi 5.0.9",
    ),
    "not in the file": (
        FIRST,
        ["cuda", "12.8.1"],
        1,
        "images.yaml has no cuda\n    hint: it has openmpi, ubuntu",
    ),
    "not in the family": (
        FIRST,
        ["openmpi", "5.0.9", "--family", "second"],
        1,
        "there is no family 'second'\n    hint: one of: first",
    ),
    "unknown version": (
        FIRST,
        ["openmpi", "5.0.44"],
        1,
        "openmpi has no version 5.0.44\n    hint: did you mean 5.0.11?",
    ),
    "not the old version": (
        FIRST,
        ["openmpi", "5.0.9", "--from", "5.0.8"],
        1,
        "has no openmpi@5.0.8\n    hint: it has 5.0.10 (1 place)",
    ),
    "a version that cannot be one": (FIRST, ["openmpi", '5"\n'], 1, "openmpi has no version 5"),
    "no place beside it": (
        FIRST,
        ["openmpi", "5.0.9", "--with", "git@2.53.0"],
        1,
        "git does not come along with this openmpi",
    ),
    "a companion that is none": (
        FIRST,
        ["openmpi", "5.0.9", "--with", "git"],
        2,
        "'git' is not COMPONENT@VERSION",
    ),
    "a companion without a version": (
        FIRST,
        ["openmpi", "--with", "git@2.53.0"],
        2,
        "--with needs the VERSION that it goes with",
    ),
    "a file that is wrong as it is": (
        FIRST.replace("openmpi@5.0.10", "openmpi@5.0.44"),
        ["openmpi", "5.0.9"],
        1,
        "images.yaml:7:13: openmpi has no version",
    ),
    "not YAML": ("a: [", ["openmpi", "5.0.9"], 1, "not valid YAML"),
    "empty": ("", ["openmpi", "5.0.9"], 1, "the matrix is empty"),
    "there would be two": (
        FIRST.replace("openmpi@5.0.10", "openmpi@5.0.9, openmpi@5.0.10"),
        ["openmpi", "5.0.10", "--from", "5.0.9"],
        1,
        "images.yaml:7:13: the axis mpi would have openmpi@5.0.10 twice (also on line 7)",
    ),
    "two, written in two ways": (
        HEAD + "families:\n  - name: f\n    axes:\n      distro: [debian@12]\n      git:\n"
        '        - 2.52.0\n        - "git@2.53.0"\n',
        ["git", "2.53.0", "--from", "2.52.0"],
        1,
        "images.yaml:9:11: the axis git would have git@2.53.0 twice (also on line 10)",
    ),
    "an exclude that would match nothing": (
        HEAD + "families:\n  - name: f\n"
        "    axes: {distro: [debian@12, debian@13], mpi: [openmpi@4.1.8]}\n"
        "    exclude:\n      - {distro: debian@13, mpi: openmpi@4.*, because: not there}\n",
        ["openmpi", "5.0.9"],
        1,
        "images.yaml:8:9: this exclude matches no combination"
        " (distro: debian@13, mpi: openmpi@4.*)",
    ),
    "an alias elsewhere": (
        HEAD
        + "families:\n  - name: f\n    axes: {distro: [debian@12], mpi: [&mpi openmpi@5.0.9]}\n"
        "  - name: g\n    axes: {distro: [debian@13], mpi: [*mpi]}\n",
        ["openmpi", "5.0.10", "--family", "f"],
        1,
        "this value is shared: families.1.axes.mpi.0 is an alias of it",
    ),
    "escapes": (
        HEAD
        + 'families:\n  - name: f\n    axes: {distro: [debian@12], mpi: ["openmpi@5.0\\x2e9"]}\n',
        ["openmpi", "5.0.10"],
        1,
        "written in a form that cannot be edited with certainty\n",
    ),
    "forbidden by its end": (
        HEAD
        + "families:\n  - name: f\n    end_of_life: forbid\n    axes: {distro: [ubuntu@24.04]}\n",
        ["ubuntu", "20.04", "--at", "2026-11-22"],
        1,
        "which forbids what has ended",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_told_and_changes_nothing(
    case: str, bakestone: Command, tmp_path: Path
) -> None:
    text, arguments, code, expected = WRONG[case]
    path = tmp_path / "images.yaml"
    path.write_text(text, "utf-8")
    result = bakestone("bump", *arguments)
    assert result.exit_code == code, result.output
    assert expected in result.output
    assert path.read_text("utf-8") == text
    assert "Traceback" not in result.output


def test_a_missing_matrix(bakestone: Command) -> None:
    result = bakestone("bump", "openmpi", "5.0.9")
    assert result.exit_code == 1
    assert "the matrix not found: images.yaml" in result.output


def test_an_alias_changes_with_its_anchor(bakestone: Command, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    text = HEAD + (
        "families:\n  - name: f\n    axes: {distro: [debian@12], mpi: &mpi [openmpi@5.0.9]}\n"
        "  - name: g\n    axes: {distro: [debian@13], mpi: *mpi}\n"
    )
    path.write_text(text, "utf-8")
    assert bakestone("bump", "openmpi", "5.0.10").exit_code == 0
    assert path.read_text("utf-8") == text.replace("5.0.9", "5.0.10")


def test_variants_that_excludes_no_longer_leave_out_are_told(
    bakestone: Command, tmp_path: Path
) -> None:
    text = (
        HEAD
        + "families:\n  - name: f\n    axes: {distro: [debian@12, debian@13], mpi: [openmpi@4.1.8,"
        " openmpi@4.1.7]}\n    exclude:\n      - {distro: debian@13, mpi: openmpi@4.*, because:"
        " not there}\n"
    )
    (tmp_path / "images.yaml").write_text(text, "utf-8")
    said = bakestone("bump", "openmpi", "5.0.10", "--from", "4.1.8").output
    assert "note: 3 variants instead of 2: the excludes match other combinations now" in said


# ---- the file itself


def test_a_link_its_target_s_rights_and_a_byte_order_mark_stay(
    bakestone: Command, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere" / "real.yaml"
    target.parent.mkdir()
    target.write_bytes(b"\xef\xbb\xbf" + FIRST.encode())
    target.chmod(0o640)
    (tmp_path / "images.yaml").symlink_to(target)
    assert bakestone("bump", "openmpi", "5.0.9").exit_code == 0
    assert (tmp_path / "images.yaml").is_symlink()
    assert target.read_bytes() == b"\xef\xbb\xbf" + FIRST.replace("5.0.10", "5.0.9").encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.listdir(target.parent) == ["real.yaml"]


def test_an_edit_of_someone_else_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    path.write_text(FIRST, "utf-8")
    read = edits.read(path, "the matrix")
    path.write_text(FIRST + "# mine\n", "utf-8")
    with pytest.raises(BakestoneError) as caught:
        edits.replace(read, FIRST.replace("5.0.10", "5.0.9"))
    assert (
        "changed by someone else meanwhile; nothing was written" in caught.value.findings[0].message
    )
    assert path.read_text("utf-8") == FIRST + "# mine\n"
    path.unlink()
    with pytest.raises(BakestoneError):
        edits.replace(read, FIRST)
    assert not path.exists()


def test_a_folder_that_cannot_be_written_ends_with_3(
    bakestone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images.yaml").write_text(FIRST, "utf-8")

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bakestone.files.os.replace", full)
    result = bakestone("bump", "openmpi", "5.0.9")
    assert result.exit_code == 3
    assert "No space left on device" in result.output
    assert (tmp_path / "images.yaml").read_text("utf-8") == FIRST
    assert os.listdir(tmp_path) == ["images.yaml"]


def test_the_search_for_companions_is_bounded_and_leaves_alone_what_has_nothing_to_do_with_it(
    library: Library, tmp_path: Path
) -> None:
    """Every axis has a single value, so that everything could change along: some 2,000 combinations
    are tried, not millions.
    """
    path = tmp_path / "images.yaml"
    axes = {
        "mpi": "openmpi@5.0.10",
        "cuda": "12.4.1",
        "cudnn": "9.1.0.70",
        "nccl": "2.21.5",
        "conda": "miniforge@26.3.2-3",
        "git": "2.53.0",
    }
    lines = "".join(f'      {name}: ["{value}"]\n' for name, value in axes.items())
    path.write_text(
        HEAD + "families:\n  - name: f\n    axes:\n      distro: [ubuntu@22.04]\n" + lines, "utf-8"
    )
    matrix = expand(spec.load(path), library)

    class Counting(companions.Judge):
        asked = 0

        def passes(self, variants: Any, changes: Any) -> bool:
            self.asked += 1
            assert not {"git", "conda"} & set(changes)
            return False

    judge = Counting(matrix)
    known = library.get("cuda")
    assert known is not None
    cuda = replace(matrix.variants[0].slots["cuda"], version=known.versions["13.5.0"])
    assert (
        companions.find(
            judge, matrix.variants, {"cuda": cuda}, ["mpi", "cudnn", "nccl", "conda", "git"]
        )
        is None
    )
    assert 1000 < judge.asked < 3000
