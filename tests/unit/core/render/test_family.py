"""The Dockerfile of a family: each stage once, each variant the same as alone, and a difference
where something changed.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.render.dockerfile import Renderer
from bakestone.core.render.family import GENERATED, FamilyFile, family_files, reachable
from bakestone.project import Project
from tests.support.samples import FIRST, MANY, ROOT, locked
from tests.support.stages import stage_texts

WIDE = """\
version: 1
registry: localhost:5000/base
accept: [nvidia-eula]
families:
  - name: wide
    axes:
      distro: [debian@12, ubuntu@22.04]
      mpi: [none, openmpi@4.1.8, openmpi@5.0.10]
      gpu: [none, {cuda: "13.0.1", cudnn: "9.12.0.46"}, {cuda: "13.0.2", cudnn: "9.14.0.64"}]
      git: ["2.53.0"]
    methods: {openmpi: source, cuda: wheel}
    name_slots: [mpi, cuda, git, distro]
"""


@pytest.fixture(scope="module", params=[MANY, WIDE], ids=["many", "wide"])
def made(
    request: pytest.FixtureRequest, library: Library, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    return locked(tmp_path_factory.mktemp("made"), request.param, library=library)


def test_each_stage_stands_once_in_the_file_and_after_those_that_it_needs(made: Project) -> None:
    for file in made.families.values():
        begun = re.findall(r"^FROM (\S+) AS (\S+)$", file.text, re.MULTILINE)
        names = [name for _, name in begun]
        assert len(set(names)) == len(names)
        assert set(names) == set(file.names.values())
        seen: set[str] = set()
        for name, text in stage_texts(file.text).items():
            used = re.findall(r"(?:--from=|,from=)([^ ,]+)", text)
            assert set(used) <= seen, name
            seen.add(name)


def test_a_variant_alone_has_the_stages_of_the_file_as_they_are(made: Project) -> None:
    for file in made.families.values():
        whole = stage_texts(file.text)
        together: set[str] = set()
        for name in file.stages:
            text = file.alone(name)
            assert text.startswith(f"{GENERATED}\n# The stages of {name}, ")
            own = stage_texts(text)
            assert list(own)[-1] == name
            assert own == {stage: whole[stage] for stage in own}
            assert len(re.findall(r"^FROM ", text, re.MULTILINE)) == len(own)
            assert set(own) == set(file.names_of(name))
            together |= set(own)
        assert together == set(whole)


def test_what_a_target_reaches_is_what_the_variant_has_alone(made: Project) -> None:
    for file in made.families.values():
        for name in file.stages:
            found = reachable(file.text, name)
            assert found is not None
            assert stage_texts(found) == stage_texts(file.alone(name))


def test_each_variant_is_a_target_and_in_the_table_of_contents(made: Project) -> None:
    for name, file in made.families.items():
        begin = file.text.partition("\nFROM ")[0]
        assert begin.startswith(f"{GENERATED}\n# {name}: ")
        numbered = re.findall(r"^# +(\d+) (\S+)$", begin, re.MULTILINE)
        assert [variant for _, variant in numbered] == list(file.stages)
        assert [number for number, _ in numbered] == [
            str(number) for number in range(1, len(file.stages) + 1)
        ]
        assert all(f"\nFROM {v}.image AS {v}\n" in file.text for v in file.stages)


def test_the_table_of_contents_has_each_stage_that_pins_something(made: Project) -> None:
    for file in made.families.values():
        table = file.text.partition("# STAGE ")[2].partition("\n\n")[0]
        rows = re.findall(r"^# (\S+) ", table, re.MULTILINE)
        stages = {s.identity: s for own in file.stages.values() for s in own}
        wanted = [file.names[i] for i, stage in stages.items() if stage.contents]
        assert sorted(rows) == sorted(wanted)
        for variant in made.locked_variants:
            for chosen in variant.slots.values():
                if variant.name in file.stages and chosen.staged:
                    assert chosen.text in table


def contents(file: FamilyFile) -> str:
    """The table of contents."""
    return file.text.partition("# STAGE ")[2].partition("\n\n")[0]


def test_the_table_of_contents_says_which_version_by_which_method_from_where(
    library: Library, tmp_path: Path
) -> None:
    text = """\
version: 1
registry: localhost:5000/base
accept: [nvidia-eula]
families:
  - name: told
    axes:
      distro: [ubuntu@22.04]
      mpi: [openmpi@5.0.10]
      gpu: [none, {cuda: "12.8.1", cudnn: "9.8.0.87", nccl: "2.25.1"}]
    methods: {openmpi: source, nccl: wheel}
  - name: packaged
    axes:
      distro: [ubuntu@16.04]
      gpu: [{cuda: "9.0", cudnn: "7.4.2.24", nccl: "2.4.2"}]
      git: ["2.7.4"]
"""
    families = locked(tmp_path, text, library=library).families
    rows = [re.split(r" {2,}", row[2:]) for row in contents(families["told"]).splitlines()]
    assert ["openmpi", "openmpi@5.0.10", "source", "download.open-mpi.org", "all"] in rows
    assert ["nccl", "nccl@2.25.1", "wheel", "package index: nvidia-nccl-cu12", "2"] in rows
    at = next(n for n, row in enumerate(rows) if row[0] == "ubuntu22.04-cuda")
    assert rows[at][1:] == ["ubuntu@22.04, cuda@12.8.1,", "image", "docker.io/nvidia/cuda:", "2"]
    assert rows[at + 1][1:] == ["cudnn@9.8.0.87", "12.8.1-cudnn-devel-ubuntu22.04"]
    vendors = "developer.download.nvidia.com"
    rows = [re.split(r" {2,}", row[2:]) for row in contents(families["packaged"]).splitlines()]
    at = next(n for n, row in enumerate(rows) if row[1] == "ubuntu@16.04")
    assert [row[1:] for row in rows[at : at + 5]] == [
        ["ubuntu@16.04", "image", "docker.io/library/ubuntu:16.04", "all"],
        ["git@2.7.4, packages", "apt", "frozen archive"],
        ["cuda@9.0", "apt", vendors],
        ["cudnn@7.4.2.24", "apt", vendors],
        ["nccl@2.4.2", "apt", vendors],
    ]


def test_the_table_of_contents_is_120_columns_wide_at_most(made: Project) -> None:
    own = [Project(ROOT / "images.yaml", ROOT / "images.lock.yaml", ROOT / "dockerfiles")]
    for project in (made, *own):
        for file in project.families.values():
            assert max(map(len, contents(file).splitlines())) <= 120


def test_a_base_with_cuda_in_it_is_called_by_its_cuda_not_by_what_changes_more_often(
    library: Library, tmp_path: Path
) -> None:
    text = """\
version: 1
registry: localhost:5000/base
accept: [nvidia-eula]
families:
  - name: bases
    axes:
      distro: [ubuntu@24.04]
      gpu:
        - none
        - {cuda: "12.8.1", cudnn: "9.8.0.87", nccl: "2.25.1"}
        - {cuda: "13.0.0", cudnn: "9.12.0.46", nccl: "2.27.7"}
"""
    names = locked(tmp_path, text, library=library).families["bases"].names.values()
    assert {"ubuntu24.04-cuda12", "ubuntu24.04-cuda13"} < set(names)
    assert {"ubuntu24.04", "ubuntu24.04.base"} < set(names), "a variant is called as its base"


def test_names_are_short(made: Project) -> None:
    """None has what tells it from nothing: no name is another one with more behind it, but where
    the shorter is a stage of the same kind.
    """
    for file in made.families.values():
        titles = {s.identity: s for own in file.stages.values() for s in own}
        for identity, name in file.names.items():
            stage = titles[identity]
            alone = [s for s in titles.values() if s.title == stage.title]
            assert name.startswith(stage.title)
            if stage.own or len(alone) == 1:
                assert name == stage.title


def identities(project: Project) -> dict[str, list[str]]:
    return {
        name: sorted(stage.identity for stage in stages)
        for file in project.families.values()
        for name, stages in file.stages.items()
    }


def test_identities_do_not_depend_on_the_order_of_families_and_axes(
    library: Library, tmp_path: Path
) -> None:
    head, _, families = MANY.partition("  - name: cpu\n")
    cpu, _, gpu = families.partition("  - name: gpu\n")
    cpu = cpu.replace("[ubuntu@22.04, ubuntu@24.04]", "[ubuntu@24.04, ubuntu@22.04]")
    cpu = cpu.replace("[openmpi@4.1.8, openmpi@5.0.10]", "[openmpi@5.0.10, openmpi@4.1.8]")
    other = f"{head}  - name: gpu\n{gpu}  - name: cpu\n{cpu}"
    one = locked(tmp_path / "one", MANY, library=library)
    two = locked(tmp_path / "two", other, library=library)
    assert identities(one) == identities(two)
    assert {v.name: one.fingerprint(v) for v in one.matrix.variants} == {
        v.name: two.fingerprint(v) for v in two.matrix.variants
    }


def test_a_family_s_file_does_not_depend_on_other_families(
    library: Library, tmp_path: Path
) -> None:
    """Not even by what its stages are called."""
    gpu = '{cuda: "13.0.2", cudnn: "9.14.0.64", nccl: "2.27.7"}'
    family = """\
  - name: NAME
    axes:
      distro: [debian@12]
      mpi: [openmpi@VERSION]
      gpu: [GPU]
    methods: {openmpi: wheel}
"""
    head = "version: 1\nregistry: localhost:5000\naccept: [nvidia-eula]\nfamilies:\n"
    own = family.replace("NAME", "own").replace("VERSION", "5.0.10").replace("GPU", f"none, {gpu}")
    other = family.replace("NAME", "other").replace("VERSION", "4.1.8").replace("GPU", gpu)
    alone = locked(tmp_path / "alone", head + own, library=library).families["own"]
    after = locked(tmp_path / "after", head + other + own, library=library).families["own"]
    assert {"debian12", "debian12-cuda"} <= set(alone.names.values())
    assert alone.text == after.text


BUMPS = {"nccl": ("2.27.7", "2.28.9"), "cudnn": ("9.14.0.64", "9.13.1.26")}


@pytest.mark.parametrize("slot", BUMPS)
def test_one_bumped_version_is_one_hunk_beside_the_table_of_contents(
    slot: str, library: Library, tmp_path: Path
) -> None:
    old, new = BUMPS[slot]
    text = MANY.partition("  - name: cpu\n")[0] + "  - name: gpu" + MANY.partition("- name: gpu")[2]
    text = text.replace("mpi: [openmpi@5.0.10]", "mpi: [openmpi@5.0.10, openmpi@4.1.8]")
    assert f'"{old}"' in text
    before = locked(tmp_path / "old", text, library=library).families["gpu"]
    after = locked(tmp_path / "new", text.replace(old, new), library=library).families["gpu"]
    assert list(before.stages) == list(after.stages)
    diff = list(difflib.unified_diff(before.text.splitlines(), after.text.splitlines(), n=3))
    starts = [int(found[1]) for line in diff if (found := re.match(r"@@ -(\d+)", line))]
    contents = before.text.partition("\nFROM ")[0].count("\n") + 1
    assert len([line for line in starts if line > contents]) == 1, "\n".join(diff)
    assert len(starts) == 2
    changed = [line for line in diff[2:] if line.startswith(("+", "-"))]
    assert all(old in line or new in line for line in changed if "sha256" not in line)


def test_a_target_that_is_not_there_reaches_nothing(library: Library, tmp_path: Path) -> None:
    (file,) = locked(tmp_path, FIRST, library=library).families.values()
    assert reachable(file.text, "openmpi5.0.10-ubuntu20.04") is None
    assert reachable("", "x") is None


TEXT = """\
# by hand
FROM scratch AS a
COPY <<'WORD' /x
FROM scratch AS no-stage
--from=c
WORD

FROM scratch AS a-amd64
FROM scratch AS a-arm64

FROM a-${TARGETARCH} AS b
RUN --mount=type=bind,from=a,target=/a true

FROM scratch AS c

FROM b AS d
COPY --from=docker.io/library/debian:12 / /
"""


def test_what_a_target_reaches_is_found_by_from_copy_and_mount() -> None:
    found = reachable(TEXT, "d")
    assert found is not None
    assert re.findall(r"^FROM \S+ AS (\S+)$", found, re.MULTILINE) == [
        "a",
        "no-stage",  # a line of a's file
        "a-amd64",
        "a-arm64",
        "b",
        "d",
    ]
    assert reachable(TEXT, "no-stage") is None
    alone = reachable(TEXT, "c")
    assert alone is not None
    assert alone.strip() == "FROM scratch AS c"


def test_ours_say_what_is_reached_as_the_renderer_does() -> None:
    """Every variant of the committed files."""
    made = Project(ROOT / "images.yaml", ROOT / "images.lock.yaml", ROOT / "dockerfiles")
    renderer = Renderer(made.matrix.library, made.lock)
    files = family_files((v, renderer.stages(v)) for v in made.locked_variants)
    for file in files.values():
        for name in file.stages:
            found = reachable(file.text, name)
            assert found is not None
            assert set(stage_texts(found)) == set(file.names_of(name))


ODD = """\
FROM scratch AS a
COPY <<'WORD' /x
one\x0ctwo\u2028three\x85four
WORD
COPY <<-ONE <<"TWO" /y/
FROM scratch AS c
\tONE
FROM scratch AS c
TWO
FROM scratch AS b
RUN --mount=from=a,target=/a true
FROM scratch AS c
FROM scratch AS d
COPY --from=b\\
  / /
"""


def test_what_a_target_reaches_is_told_whatever_its_files_hold() -> None:
    found = reachable(ODD, "d")
    assert found is not None
    assert found == ODD.replace("\nRUN", "\n\0RUN").replace(
        "true\nFROM scratch AS c\n", "true\n"
    ).replace("\0", "")
    assert reachable(ODD, "c") == "FROM scratch AS c"
