"""Where secrets lie, and who removes them when their process cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bakestone.clients.engine import secrets
from tests.support.samples import ROOT

HOLD = """
import sys
from bakestone.clients.engine import secrets
with secrets.folder() as folder:
    (folder / "apt").write_text("a secret")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own."""
    monkeypatch.setattr(secrets, "MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def hold() -> tuple[subprocess.Popen[str], Path]:
    """Another process that holds secrets, and where they are."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "generator")}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_swept_by_the_next_run() -> None:
    process, folder = hold()
    try:
        assert folder.stat().st_mode & 0o777 == 0o700
        with secrets.folder():
            assert (folder / "apt").is_file(), "its process is alive"
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        assert (folder / "apt").is_file(), "nobody could remove it"
        with secrets.folder():
            assert not folder.exists()
    finally:
        process.kill()
        process.communicate()


def test_secrets_lie_in_memory_where_the_system_has_such_a_place(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = place / "memory"
    memory.mkdir()
    monkeypatch.setattr(secrets, "MEMORY", memory)
    for kind, where in (("tmpfs", memory), ("ext4", place)):
        (place / "mounts").write_text(f"none {memory} {kind} rw 0 0\n", "utf-8")
        with secrets.folder() as folder:
            assert folder.parent == where
        assert list(memory.iterdir()) == []


def test_folders_of_others_are_left_alone(place: Path) -> None:
    with secrets.folder() as folder:
        mine = folder.name.removeprefix(secrets.PREFIX).split("-")
    space, _, born, *_ = mine
    dead = f"{secrets.PREFIX}{space}-999999999-{born}-x"
    names = {
        "of another namespace": f"{secrets.PREFIX}{int(space) + 1}-999999999-{born}-x",
        "of no such form": f"{secrets.PREFIX}mine",
        "of somebody else": "bakestone-export-x",
    }
    for name in (*names.values(), dead):
        (place / name).mkdir()
    (place / f"{dead}-link").symlink_to(place / names["of somebody else"])
    assert [path.name for path in secrets.sweep(place)] == [dead]
    assert (place / names["of somebody else"]).is_dir()
    assert all((place / name).is_dir() for name in names.values())


def test_a_number_that_another_process_has_now_is_no_sign_of_life(place: Path) -> None:
    with secrets.folder() as folder:
        space, pid, born, *_ = folder.name.removeprefix(secrets.PREFIX).split("-")
    old = place / f"{secrets.PREFIX}{space}-{pid}-{int(born) - 1}-x"
    old.mkdir()
    assert secrets.sweep(place) == [old]


def test_threads_have_folders_of_their_own(place: Path) -> None:
    with secrets.folder() as one:
        found: list[Path] = []

        def work() -> None:
            with secrets.folder() as other:
                found.append(other)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert found[0] != one
        assert one.is_dir()
        assert not found[0].exists()
