"""What README.md, CONTRIBUTING.md and docs/ say of the library and the house is so."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bakestone.cli.app import main
from bakestone.cli.views import library as show_library
from bakestone.core.documents.patterns import compare, version_key
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.render import family
from bakestone.jobs.library import browse
from bakestone.project import Project
from tests.support.samples import ROOT, project

DOCUMENTS = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(p.relative_to(ROOT).as_posix() for p in sorted((ROOT / "docs").rglob("*.md"))),
]
PACKAGE = ROOT / "generator" / "bakestone"
FLOOR = r'(jobs|clients|core|cli)\["<b>.*<br/>(?:.*: )?(.*)"\]'
"""A floor in the picture of the house, and the rooms on its last line."""
README = (ROOT / "README.md").read_text("utf-8")
NAMES = {
    "Ubuntu": "ubuntu",
    "Debian": "debian",
    "Rocky Linux": "rocky",
    "AlmaLinux": "almalinux",
    "UBI": "ubi",
    "Amazon Linux": "amazonlinux",
    "CUDA": "cuda",
    "cuDNN": "cudnn",
    "NCCL": "nccl",
    "Open MPI": "openmpi",
    "Intel MPI": "intelmpi",
    "MPICH": "mpich",
    "PMIx": "pmix",
    "UCX": "ucx",
    "Miniconda": "miniconda",
    "Miniforge": "miniforge",
    "ONNX Runtime": "onnxruntime",
    "TensorRT": "tensorrt",
    "ROCm": "rocm",
    "GDRCopy": "gdrcopy",
    "libfabric": "libfabric",
    "AWS OFI NCCL": "aws-ofi-nccl",
    "NVSHMEM": "nvshmem",
    "cuSPARSELt": "cusparselt",
    "Intel oneAPI runtimes": "oneapi-runtime",
    "Python": "python",
    "git": "git",
}
"""How the table calls components."""
OTHERS = {
    ("CUDA", "as runtime libraries"): "cuda-runtime",
    ("", "for CUDA"): "onnxruntime-gpu",
    ("", "with OpenVINO"): "onnxruntime-openvino",
}
"""How it calls those that have no name of their own there."""
RANGE = (
    rf"({'|'.join(NAMES)}|) ?\b([0-9][0-9.]*) to ([0-9.]*[0-9])(?: (as runtime libraries|for"
    r" CUDA|with OpenVINO))?"
)


def section(title: str) -> str:
    return README.split(f"## {title}\n", 1)[1].split("\n## ")[0].split("\n### ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the lines of its tables, without the heads."""
    lines = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in cells]
        for cells in lines
        if not cells[0].strip().startswith("---")
    ][1:]


def test_the_size_of_the_library_is_told(library: Library) -> None:
    lines = sum(
        path.read_bytes().count(b"\n")
        for path in BUILT_IN.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    )
    counted = f"{round(lines, -3):,}".replace(",", " ")
    told = (
        f"{show_library.summary(browse.entries(library))}, each with its source: {counted} lines of"
        " data, templates and scripts."
    )
    assert section("The library").strip().splitlines()[0] == told


def test_the_table_has_every_slot_and_component_with_its_oldest_and_newest_version(
    library: Library,
) -> None:
    there = {e.component: e for e in browse.entries(library) if not e.retired}
    slots, told = [], {}
    for slot, text in rows(section("The library")):
        slots += slot.split(", ")
        for name, oldest, newest, more in re.findall(RANGE, text):
            key = OTHERS.get((name, more)) or NAMES[name]
            told[key] = (oldest, newest)
        for name, only in re.findall(rf"({'|'.join(NAMES)}) ([0-9.]+)(?=[,;])(?! to )", text):
            told[NAMES[name]] = (only, only)
    assert sorted(slots) == sorted({e.slot for e in there.values()})
    assert set(told) == set(there)
    for name, (oldest, newest) in told.items():
        component = library.get(name)
        assert component is not None
        numbers = sorted(
            (v.known("version") or v.version for v in component.versions.values()), key=version_key
        )
        for said, known in ((oldest, numbers[0]), (newest, numbers[-1])):
            assert compare(".".join(known.split(".")[: said.count(".") + 1]), said) == 0, (
                f"{name}: {said}, and the library has {known}"
            )


def test_the_seven_images_are_told_with_every_host_that_a_build_asks() -> None:
    text = section("The library") + README.split("### The seven images", 1)[1].split("\n## ")[0]
    made = Project(ROOT / "images.yaml", ROOT / "images.lock.yaml", ROOT / "dockerfiles", None, "")
    names = {v.name for v in made.matrix.variants if v.family.name == "azureml-2020"}
    table = rows(text.partition("| for |")[2].join(["| for |", ""]))
    written = (ROOT / "dockerfiles/azureml-2020/Dockerfile").read_text("utf-8")
    for name in names:
        assert sum(f"`{name}`" in who for who, _ in table) == 1, name
        dockerfile = family.reachable(written, name)
        assert dockerfile is not None
        needed = set(
            re.findall(
                r"https?://([a-z0-9.-]+)/",
                "\n".join(re.findall(r"^ADD .*$|^  'deb .*$", dockerfile, re.MULTILINE)),
            )
        )
        applies = [
            what
            for who, what in table
            if who.startswith("all seven")
            or f"`{name}`" in who
            or ("CUDA" in who and "cuda" in name)
        ]
        told = {
            host
            for what in applies
            for host in re.findall(
                r"[a-z0-9-]+(?:\.[a-z0-9-]+)+\.(?:com|org)|repo\.anaconda\.com", what
            )
        }
        assert {host for host in needed if not host.startswith("snapshot.")} == told, name
        assert {
            f"`{ref}`"
            for ref in re.findall(r"^FROM docker\.io/library/(\S+?)@", dockerfile, re.MULTILINE)
        } <= set(re.findall(r"`[a-z]+:[0-9.]+`", " ".join(applies)))


@pytest.mark.parametrize("name", [d for d in DOCUMENTS if d != "CHANGELOG.md"])
def test_what_a_document_points_at_is_there(name: str) -> None:
    """The changelog aside, which tells of what is gone."""
    path = ROOT / name
    text = path.read_text("utf-8")
    for link in re.findall(r"\]\((?!#|https?:)([^)#]+)", text):
        assert (path.parent / link).exists(), link
    for module in re.findall(r"`((?:generator|schemas|scripts|tests)/[A-Za-z0-9_./-]+)`", text):
        assert (ROOT / module).exists(), module
    for module in re.findall(r"`((?:core|clients|jobs|cli)/[A-Za-z0-9_./-]*)`", text):
        assert (PACKAGE / module).exists(), module
    for module in re.findall(r"python -m (tests[a-z_.]+[a-z])", text):
        assert (ROOT / (module.replace(".", "/") + ".py")).exists(), module


def command_lines(text: str) -> Iterator[list[str]]:
    """The words after `bakestone` of each command line in a text, without `--debug` before them."""
    text = text.replace("\\\n", " ")
    spans = re.findall(r"^\$ bakestone (.*)$|`bakestone ([^`]+)`", text, re.MULTILINE)
    for line in map("".join, spans):
        alone = re.split(r"\s#\s| \| | > | && ", line.replace("\n", " "))[0]
        words = shlex.split(alone.removeprefix("--debug "))
        if words[:1] != ["COMMAND"]:
            yield words


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_command_line_in_a_document_is_one_that_bakestone_takes(name: str) -> None:
    for words in command_lines((ROOT / name).read_text("utf-8")):
        command: click.Command = main
        rest, context = words, click.Context(main, info_name="bakestone")
        while isinstance(command, click.Group) and rest:
            found = command.get_command(context, rest[0])
            assert found is not None, words
            command, rest = found, rest[1:]
        if rest:  # else the command is only named
            command.make_context(command.name, rest, parent=context)  # parses, runs nothing


def test_command_lines_of_documents_are_found() -> None:
    text = "a `bakestone lock\n--check` and\n$ bakestone list 'a=*' \\\n  --at X  # why\nbakestone"
    assert list(command_lines(text)) == [["lock", "--check"], ["list", "a=*", "--at", "X"]]


def rooms(folder: str) -> set[str]:
    return {p.name for p in (PACKAGE / folder).iterdir() if (p / "__init__.py").is_file()}


def test_the_picture_of_the_house_has_every_room() -> None:
    picture = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("```")[1]
    lines = {name: re.split(r" · |, | &lt; ", text) for name, text in re.findall(FLOOR, picture)}
    for floor in ("jobs", "clients", "core"):
        assert set(lines[floor]) == rooms(floor), floor
    modules = {p.stem for p in (PACKAGE / "cli").glob("*.py")} - {"__init__", "options", "terminal"}
    assert set(lines["cli"]) == modules | {"views/"}


def test_the_trees_name_every_folder_of_tests() -> None:
    folders = {p.parent.name for p in (ROOT / "tests").glob("*/__init__.py")}
    for name in ("docs/architecture.md", "CONTRIBUTING.md"):
        tree = (ROOT / name).read_text("utf-8").partition("\ntests/ ")[2].split("```")[0]
        assert {f for f in folders if f"{f}/" not in tree} == set(), name


MATRICES = [
    (document, text)
    for document in ("README.md", "docs/content.md")  # others name components of a team
    for text in re.findall(r"```yaml\n(.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL)
    if text.startswith("version: 1\n") and "\nfamilies:\n" in text
]


@pytest.mark.parametrize(("document", "text"), MATRICES, ids=[name for name, _ in MATRICES])
def test_an_example_of_images_yaml_is_right_as_it_stands(
    document: str, text: str, library: Library, tmp_path: Path
) -> None:
    for name in re.findall(r"from: (files/[^,}]+)", text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x\n", "utf-8")
    assert len(project(tmp_path, text, library=library).matrix.variants) > 1, document


def test_there_are_such_examples() -> None:
    assert {"README.md", "docs/content.md"} <= {document for document, _ in MATRICES}
