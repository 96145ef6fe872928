"""`generate` writes the same bytes everywhere, removes what is left over, and nothing else."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.project import Project
from tests.support.samples import FIRST, MANY, ROOT, locked, made_up_lock, project, refused


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    return locked(tmp_path, MANY, library=library)


def test_every_family_has_its_file(made: Project) -> None:
    written, removed = made.generate()
    assert not removed
    assert sorted(p.relative_to(made.output).as_posix() for p in written) == [
        "cpu/Dockerfile",
        "docker-bake.json",
        "gpu/Dockerfile",
    ]


def test_a_second_run_writes_nothing(made: Project) -> None:
    made.generate()
    before = {p: p.stat().st_mtime_ns for p in made.output.rglob("*")}
    assert made.generate() == ([], [])
    assert {p: p.stat().st_mtime_ns for p in made.output.rglob("*")} == before
    assert made.drift() == []


def test_another_project_object_writes_the_same_bytes(
    made: Project, library: Library, tmp_path: Path
) -> None:
    made.generate()
    other = locked(tmp_path / "other", MANY, library=library)
    other.generate()
    assert contents(other.output) == contents(made.output)


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_another_process_with_another_hash_seed_writes_the_same_bytes(
    seed: str, made: Project, tmp_path: Path
) -> None:
    made.generate()
    again = tmp_path / "again"
    again.mkdir()
    for name in ("images.yaml", "images.lock.yaml"):
        (again / name).write_bytes((tmp_path / name).read_bytes())
    command = [sys.executable, "-m", "bakestone.cli.app", "generate"]
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": str(ROOT / "generator"),
        "LC_ALL": "C",
        "TZ": "Asia/Tokyo",
    }
    done = subprocess.run(
        command, cwd=again, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert contents(again / "dockerfiles") == contents(made.output)


def test_the_lock_of_another_process_with_another_hash_seed_is_the_same(
    made: Project, tmp_path: Path
) -> None:
    code = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from bakestone.core.lock import lockfile
from tests.support.samples import made_up_lock, project
made = project(Path(sys.argv[1]), Path(sys.argv[1], "images.yaml").read_text())
print(lockfile.dump(made_up_lock(made.matrix.variants, made.matrix.library)), end="")
"""
    texts = set()
    for seed in ("0", "99"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "generator")}
        command = [sys.executable, "-c", code, str(tmp_path), str(ROOT / "tests")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        texts.add(hashlib.sha256(done.stdout.encode()).hexdigest())
    assert texts == {hashlib.sha256(made.lock_path.read_bytes()).hexdigest()}


def test_check_names_each_file_that_is_not_up_to_date(
    made: Project, library: Library, tmp_path: Path
) -> None:
    made.generate()
    changed, missing = made.path_of(made.matrix.variants[0]), made.path_of(made.matrix.variants[-1])
    changed.write_text(changed.read_text("utf-8") + "RUN true\n", "utf-8")
    missing.unlink()
    found = refused(made.require_generated)
    told = {f.text.split(": ", 1)[0]: f.message for f in found}
    assert told == {
        str(changed): "it is not what images.yaml and the lock say",
        str(missing): "it is missing",
    }
    assert all("bakestone generate" in f.hint for f in found)
    assert "RUN true" in changed.read_text("utf-8")


def test_after_a_change_only_the_family_and_the_variants_concerned_change(
    made: Project, library: Library, tmp_path: Path
) -> None:
    made.generate()
    before = contents(made.output)
    changed = locked(tmp_path, MANY.replace("openmpi@4.1.8,", "openmpi@4.1.7,"), library=library)
    written, removed = changed.generate()
    assert {p.relative_to(made.output).as_posix() for p in written} == {
        "cpu/Dockerfile",
        "docker-bake.json",
    }
    assert removed == []
    assert contents(made.output)["gpu/Dockerfile"] == before["gpu/Dockerfile"]
    old, new = made.dockerfiles, changed.dockerfiles
    assert {name for name in new if new[name] != old.get(name)} == {"openmpi4.1.7-ubuntu22.04"}


def test_the_files_of_each_variant_that_were_before_are_removed(made: Project) -> None:
    made.generate()
    before = contents(made.output)
    old = made.output / "cpu" / "openmpi4.1.8-ubuntu22.04" / "Dockerfile"
    old.parent.mkdir()
    old.write_text("# Generated by bakestone from images.yaml; edits are lost.\n", "utf-8")
    assert [f.message for f in made.drift()] == ["no variant has this file"]
    assert made.generate() == ([], [old])
    assert not old.parent.exists()
    assert contents(made.output) == before


def test_leftovers_are_removed_with_their_empty_folders(
    made: Project, library: Library, tmp_path: Path
) -> None:
    made.generate()
    less = locked(tmp_path, MANY[: MANY.index("  - name: gpu")], library=library)
    assert [f.message for f in less.drift()] == [
        "it is not what images.yaml and the lock say",
        "no variant has this file",
    ]
    _, removed = less.generate()
    assert len(removed) == 1
    assert not (made.output / "gpu").exists()
    assert made.output.is_dir()
    assert less.drift() == []


def test_files_of_others_are_left_alone(made: Project, library: Library, tmp_path: Path) -> None:
    made.generate()
    own = {
        made.output / "README.md": "mine",
        made.output / "gpu" / "notes.txt": "mine",
        made.output / "mine" / "image" / "Dockerfile": "FROM scratch\n",
        made.output / "gpu" / "openmpi5.0.10-cuda13.0.2-cudnn9-debian12" / ".dockerignore": "*",
    }
    for path, text in own.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    less = locked(tmp_path, MANY[: MANY.index("  - name: gpu")], library=library)
    less.generate()
    assert {p: p.read_text("utf-8") for p in own} == own
    assert less.drift() == []


FOREIGN = ["notes.txt", "docker-bake.json", "mine/image/Dockerfile", "src/main.c", ".bashrc"]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_folder_that_is_somebody_elses_is_refused_and_left_as_it_is(
    name: str, made: Project
) -> None:
    file = made.output / name
    file.parent.mkdir(parents=True)
    file.write_text('{"group": {"default": {"targets": []}}}', "utf-8")
    (found,) = refused(made.generate)
    assert found.message == f"it has files that bakestone did not write, such as {file}"
    assert found.text.startswith(f"{made.output}: ")
    assert "-o" in found.hint
    assert list(contents(made.output)) == [name]


def test_an_empty_folder_and_what_a_killed_run_left_are_written_to(made: Project) -> None:
    made.output.mkdir()
    made.generate()
    (made.output / "docker-bake.json").rename(made.output / ".docker-bake.json.x1")
    written, _ = made.generate()
    assert written == [made.output / "docker-bake.json"]


def test_a_lock_for_a_selection_gives_the_selections_files(
    library: Library, tmp_path: Path
) -> None:
    from bakestone.core.lock import lockfile

    made = project(tmp_path, MANY, library=library)
    lock = made_up_lock(made.select(["family=gpu"]), library)
    lock.selection = ("family=gpu",)
    lockfile.write(lock, made.lock_path)
    made.generate()
    assert sorted(contents(made.output)) == ["docker-bake.json", "gpu/Dockerfile"]


def test_nothing_half_written_is_left_when_the_disk_refuses(made: Project, tmp_path: Path) -> None:
    blocked = tmp_path / "dockerfiles" / "cpu" / "Dockerfile"
    blocked.mkdir(parents=True)
    found = refused(made.generate, code=3)
    assert "cannot write" in found[0].message
    assert not list((tmp_path / "dockerfiles").rglob(".Dockerfile.*"))


def test_generate_needs_no_network(made: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_arguments: object, **_more: object) -> None:
        raise AssertionError("generate opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    written, _ = made.generate()
    assert written
    assert FIRST
