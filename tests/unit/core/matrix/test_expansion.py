"""Axes, linked axes, excludes and includes give exactly the variants that the file asks for."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakestone.core.library.catalog import Library
from bakestone.core.matrix import expansion, spec
from bakestone.core.matrix.expansion import Matrix
from bakestone.core.matrix.variant import Variant
from tests.support.samples import FIRST, MANY, ROOT, made_up, project, refused

TABLE = {
    # The documentation's columns: name -> MPI, CUDA, cuDNN, NCCL. Miniconda 4.5.11 and git 2.7.4
    # are in all of them.
    "intelmpi2018.3-ubuntu16.04": ("intelmpi@2018.3.222", None, None, None),
    "openmpi3.1.2-ubuntu16.04": ("openmpi@3.1.2", None, None, None),
    "intelmpi2018.3-cuda9.0-cudnn7-ubuntu16.04": ("intelmpi@2018.3.222", "9.0", "7.4", "2.4"),
    "intelmpi2018.3-cuda10.0-cudnn7-ubuntu16.04": ("intelmpi@2018.3.222", "10.0", "7.5", "2.4"),
    "openmpi3.1.2-cuda9.0-cudnn7-ubuntu16.04": ("openmpi@3.1.2", "9.0", "7.4", "2.4"),
    "openmpi3.1.2-cuda10.0-cudnn7-ubuntu16.04": ("openmpi@3.1.2", "10.0", "7.5", "2.4"),
    "openmpi3.1.2-cuda10.1-cudnn7-ubuntu16.04": ("openmpi@3.1.2", "10.1", "7.5", "2.4"),
}


@pytest.fixture(scope="module")
def committed(library: Library) -> Matrix:
    """The repository's own images.yaml."""
    return expansion.expand(spec.load(ROOT / "images.yaml"), library)


@pytest.fixture(scope="module")
def azureml(library: Library) -> dict[str, Variant]:
    """The variants of the family azureml-2020, by name."""
    loaded = spec.load(ROOT / "images.yaml")
    only = replace(loaded, families=tuple(f for f in loaded.families if f.name == "azureml-2020"))
    return {v.name: v for v in expansion.expand(only, library).variants}


def test_azureml_2020_is_the_table_no_more_and_no_fewer(azureml: dict[str, Variant]) -> None:
    assert len(azureml) == 7
    assert set(azureml) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_azureml_2020_has_what_the_table_says_in_each_cell(
    azureml: dict[str, Variant], name: str
) -> None:
    mpi, cuda, cudnn, nccl = TABLE[name]
    slots = azureml[name].slots
    assert slots["mpi"].text == mpi
    assert slots["conda"].text == "miniconda@4.5.11"
    assert slots["git"].text == "git@2.7.4"
    assert slots["distro"].text == "ubuntu@16.04"
    assert azureml[name].base.ref == "docker.io/library/ubuntu:16.04"
    assert azureml[name].platforms == ("linux/amd64",)
    assert azureml[name].family.user.name == "dockeruser"
    if cuda is None:
        assert set(slots) == {"distro", "mpi", "conda", "git"}
        return
    assert slots["cuda"].version.version == cuda
    assert slots["cudnn"].version.version.startswith(f"{cudnn}.")
    assert slots["cudnn"].version.major == "7"
    assert slots["nccl"].version.version.startswith(f"{nccl}.")
    assert {slots[slot].method for slot in ("cuda", "cudnn", "nccl")} == {
        "apt"
    }  # NVIDIA deleted the images that had them


def test_azureml_2020_leaves_out_intelmpi_with_cuda_10_1_and_says_why(committed: Matrix) -> None:
    left_out = [e for e in committed.excluded if e.family.name == "azureml-2020"]
    assert [e.name for e in left_out] == ["intelmpi2018.3-cuda10.1-cudnn7-ubuntu16.04"]
    assert left_out[0].rule.because == "the table lists CUDA 10.1 for OpenMPI only"


def test_the_family_ubuntu_is_what_a_team_wants_today(committed: Matrix) -> None:
    own = [v for v in committed.variants if v.family.name == "ubuntu"]
    assert {v.slots["distro"].version.version for v in own} == {"22.04", "24.04"}
    assert {v.slots["cuda"].version.major for v in own if "cuda" in v.slots} == {"12", "13"}
    assert {v.slots["mpi"].component.name for v in own} == {"openmpi", "intelmpi"}
    assert {v.slots["mpi"].version.minor for v in own} >= {"4.1", "5.0"}
    assert {v.slots["mpi"].method for v in own if v.slots["mpi"].component.name == "openmpi"} == {
        "source"
    }
    assert {v.slots["conda"].component.name for v in own} == {"miniconda", "miniforge"}
    assert all("git" in v.slots for v in own)


def test_the_family_debian_has_the_four_columns_from_package_indexes(committed: Matrix) -> None:
    own = [v for v in committed.variants if v.family.name == "debian"]
    assert sorted((v.slots["mpi"].component.name, "cuda" in v.slots) for v in own) == [
        ("intelmpi", False), ("intelmpi", True), ("openmpi", False), ("openmpi", True),
    ]  # fmt: skip
    assert {c.method for v in own for c in v.slots.values()} <= {"image", "wheel", "apt"}
    assert {v.base.ref for v in own} == {"docker.io/library/debian:12"}
    gpu = next(v for v in own if "cuda" in v.slots)
    assert (
        gpu.slots["cuda"].version.major,
        gpu.slots["cudnn"].version.major,
        gpu.slots["nccl"].version.major,
    ) == ("13", "9", "2")
    assert not any("conda" in v.slots for v in own)


def test_every_name_of_the_committed_matrix_is_a_tag_and_a_target(committed: Matrix) -> None:
    names = [v.name for v in committed.variants]
    targets = [v.target for v in committed.variants]
    assert len(set(names)) == len(names)
    assert len(set(targets)) == len(targets)
    assert all(
        name.replace(".", "").replace("-", "").replace("_", "").isalnum() and len(name) <= 128
        for name in names
    )


def test_an_axis_may_set_several_slots_or_none(library: Library, tmp_path: Path) -> None:
    text = FIRST.replace(
        "    methods:",
        '      gpu: [none, {cuda: "12.8.1", cudnn: "9.8.0.87", nccl: "2.25.1"}]\n    accept:'
        " [nvidia-eula]\n    methods:",
    )
    found = project(tmp_path, text, library=library).matrix.variants
    assert [(v.name, sorted(v.slots)) for v in found] == [
        ("openmpi5.0.10-ubuntu22.04", ["distro", "mpi"]),
        ("openmpi5.0.10-cuda12.8.1-cudnn9-ubuntu22.04", ["cuda", "cudnn", "distro", "mpi", "nccl"]),
    ]


def test_none_leaves_the_slot_of_a_plain_axis_empty(library: Library, tmp_path: Path) -> None:
    found = project(
        tmp_path, FIRST.replace("[openmpi@5.0.10]", "[none, openmpi@5.0.10]"), library=library
    ).matrix.variants
    assert [v.name for v in found] == ["ubuntu22.04", "openmpi5.0.10-ubuntu22.04"]


def test_an_axis_with_a_choice_is_appended_to_the_name(library: Library, tmp_path: Path) -> None:
    text = FIRST.replace(
        "    methods:",
        "      conda: [miniforge@26.3.2-3]\n      git: ['2.53.0', '2.52.0']\n    methods:",
    )
    assert [v.name for v in project(tmp_path, text, library=library).matrix.variants] == [
        "openmpi5.0.10-ubuntu22.04-git2.53.0",
        "openmpi5.0.10-ubuntu22.04-git2.52.0",
    ]


def test_name_slots_give_the_parts_of_the_name_in_order(library: Library, tmp_path: Path) -> None:
    text = FIRST + "    name_slots: [distro, mpi]\n"
    assert [v.name for v in project(tmp_path, text, library=library).matrix.variants] == [
        "ubuntu22.04-openmpi5.0.10"
    ]


def test_excludes_leave_out_and_includes_add(library: Library, tmp_path: Path) -> None:
    text = MANY.replace(
        "  - name: gpu",
        "    include:\n      - {distro: ubuntu@20.04, mpi: openmpi@4.1.8, because: one more}\n  -"
        " name: gpu",
    )
    made = project(tmp_path, text, library=library).matrix
    assert [v.name for v in made.variants if v.family.name == "cpu"] == [
        "openmpi4.1.8-ubuntu22.04",
        "openmpi5.0.10-ubuntu22.04",
        "openmpi5.0.10-ubuntu24.04",
        "openmpi4.1.8-ubuntu20.04",
    ]
    assert [e.name for e in made.excluded] == ["openmpi4.1.8-ubuntu24.04"]


def test_an_exclude_with_none_means_the_empty_slot(library: Library, tmp_path: Path) -> None:
    text = (
        FIRST.replace("[openmpi@5.0.10]", "[none, openmpi@5.0.10]")
        + "    exclude:\n      - {mpi: none, because: MPI is wanted}\n"
    )
    assert [v.name for v in project(tmp_path, text, library=library).matrix.variants] == [
        "openmpi5.0.10-ubuntu22.04"
    ]


def test_overlapping_excludes_are_all_alive(library: Library, tmp_path: Path) -> None:
    text = (
        FIRST.replace("[openmpi@5.0.10]", "[openmpi@4.1.8, openmpi@5.0.10]")
        + "    exclude:\n      - {mpi: openmpi@4.*, because: too old}\n      - {mpi: '<5', because:"
        " older than five}\n"
    )
    made = project(tmp_path, text, library=library).matrix
    assert len(made.variants) == 1
    assert made.excluded[0].rule.because == "too old"


def team(tmp_path: Path, version: str) -> None:
    folder = tmp_path / "components" / "tool"
    folder.mkdir(parents=True)
    (folder / "component.yaml").write_text(
        "component: tool\nslot: tool\ntitle: Tool\nhomepage: https://example.com\nlicence:"
        " MIT\nprefix: /opt/tool\nmethods:\n  source: {summary: from source, builder: distro}\n",
        "utf-8",
    )
    artifact = f"{{url: https://example.com/tool.tar.gz, sha256: {made_up('tool')}}}"
    (folder / "versions.yaml").write_text(
        f"versions:\n  '{version}':\n    methods:\n      source:\n        artifacts:"
        f" [{artifact}]\n",
        "utf-8",
    )


def test_a_team_adds_components_beside_its_matrix(tmp_path: Path) -> None:
    team(tmp_path, "1.2")
    text = FIRST.replace(
        "    methods:", "      tool: ['1.2']\n    name_slots: [tool, distro]\n    methods:"
    )
    (variant,) = project(tmp_path, text).matrix.variants
    assert variant.name == "tool1.2-ubuntu22.04"
    assert variant.slots["tool"].method == "source"


@pytest.mark.parametrize("version", ["1.2+local", "1.2~rc1"])
def test_a_name_that_cannot_be_a_tag_is_refused(version: str, tmp_path: Path) -> None:
    team(tmp_path, version)
    text = FIRST.replace(
        "    methods:", f"      tool: ['{version}']\n    name_slots: [tool, distro]\n    methods:"
    )
    (found,) = refused(lambda: project(tmp_path, text).matrix)
    assert f"tool{version}-ubuntu22.04 cannot be the tag of an image" in found.message
    assert found.hint


MPIS = ["openmpi@4.1.8", "openmpi@5.0.10", "openmpi@5.0.9", "none"]
DISTROS = ["ubuntu@22.04", "ubuntu@24.04", "ubuntu@20.04"]
GITS = ["2.53.0", "2.52.0", "none"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    mpis=st.lists(st.sampled_from(MPIS), min_size=1, unique=True),
    distros=st.lists(st.sampled_from(DISTROS), min_size=1, unique=True),
    gits=st.lists(st.sampled_from(GITS), min_size=1, unique=True),
)
def test_the_variants_are_the_product_of_the_axes(
    mpis: list[str], distros: list[str], gits: list[str], library: Library, tmp_path: Path
) -> None:
    text = (
        "version: 1\nregistry: localhost:5000\nfamilies:\n  - name: f\n    methods: {openmpi:"
        f" source}}\n    axes:\n      distro: [{', '.join(distros)}]\n      mpi:"
        f" [{', '.join(mpis)}]\n      git: [{', '.join(f'{chr(34)}{g}{chr(34)}' for g in gits)}]\n"
    )
    made = project(tmp_path, text, library=library).matrix
    wanted = {(d, m, g) for d, m, g in product(distros, mpis, gits)}

    def of(variant: Variant) -> tuple[str, str, str]:
        mpi, git = variant.slots.get("mpi"), variant.slots.get("git")
        return (
            variant.distro.text,
            mpi.text if mpi else "none",
            git.version.version if git else "none",
        )

    assert {of(v) for v in made.variants} == wanted
    assert len(made.variants) == len(wanted)
    assert len({v.name for v in made.variants}) == len(wanted)
