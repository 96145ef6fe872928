"""Files are written whole, one writer at a time; what is temporary is gone afterwards."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from bakestone.errors import BakestoneError
from bakestone.files import alone, scratch, write_text
from tests.support.samples import ROOT


def test_a_file_is_replaced_whole_with_the_rights_that_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_text(path, "one\n", mode=0o600)
    write_text(path, "two\n", durable=False, mode=0o640)
    assert (path.read_text("utf-8"), path.stat().st_mode & 0o777) == ("two\n", 0o640)
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_is_told_with_its_cause_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(BakestoneError) as caught:
        write_text(tmp_path / "file", "text")
    assert caught.value.code == 3
    assert caught.value.findings[0].message.startswith(f"cannot write {tmp_path / 'file'}: ")
    assert isinstance(caught.value.__cause__, OSError)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


WRITING = """\
import os, pathlib, signal, sys
from bakestone import files
if sys.argv[2] == "killed":
    os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
else:
    replace = os.replace
    def wait(*paths):
        print("in", flush=True)
        input()
        replace(*paths)
    os.replace = wait
files.write_text(pathlib.Path(sys.argv[1]), sys.argv[2])
"""
"""Writes a file; killed before it is in its place, or waits there."""


def _writing(path: Path, text: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITING, str(path), text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT / "generator")},
    )


def test_what_a_killed_writer_left_is_removed_by_the_next_and_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "a[1].yaml"
    kept = [tmp_path / ".a[1].yaml.partial", tmp_path / ".a1.yaml.new-abcdefgh", tmp_path / "x"]
    for other in kept:
        other.write_text("kept", "utf-8")
    with _writing(path, "killed") as process:
        process.communicate(timeout=60)
    assert len(list(tmp_path.iterdir())) == len(kept) + 1
    write_text(path, "two")
    assert sorted(tmp_path.iterdir()) == sorted([*kept, path])
    assert path.read_text("utf-8") == "two"


def test_a_writer_takes_nothing_from_another_that_is_at_work(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with _writing(path, "first") as process:
        assert process.stdout
        assert process.stdout.readline() == b"in\n"
        write_text(path, "second")
        process.communicate(b"\n", timeout=60)
        assert process.returncode == 0
    assert path.read_text("utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_scratch_folder_is_gone_afterwards_also_when_the_work_failed(tmp_path: Path) -> None:
    def work() -> None:
        with scratch("test", tmp_path) as folder:
            assert folder.parent == tmp_path
            (folder / "file").write_text("x", "utf-8")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("inside", [True, False])
def test_what_a_killed_run_left_is_removed_and_nothing_of_one_that_is_at_work(
    inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = tmp_path if inside else None
    code = (
        "import pathlib, sys; from bakestone.files import scratch\n"
        "with scratch('x', pathlib.Path(sys.argv[1]) if sys.argv[1] else None) as folder:\n"
        "    (folder / 'gigabytes').touch(); print('in', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(place or "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT / "generator"), "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"in\n"
        (theirs,) = tmp_path.iterdir()
        with scratch("x", place):
            assert (theirs / "gigabytes").exists()
        process.kill()
        process.wait(60)
    assert (theirs / "gigabytes").exists()
    with scratch("y", place):
        assert theirs.exists()
    with scratch("x", place) as mine:
        assert list(tmp_path.iterdir()) == [mine]


@pytest.mark.parametrize("inside", [True, False])
def test_no_room_for_a_scratch_folder_is_a_sentence(
    inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(BakestoneError) as caught, scratch("x", tmp_path / "no" if inside else None):
        pass
    assert caught.value.code == 3
    assert "cannot write in " in str(caught.value)


def test_one_writer_at_a_time_works_in_a_folder_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    entered = threading.Event()

    def second() -> None:
        with alone(tmp_path / "a"):
            entered.set()

    with alone(tmp_path / "a"):
        other = threading.Thread(target=second)
        other.start()
        assert not entered.wait(0.2)
    other.join(60)
    assert entered.is_set()
    assert not list((tmp_path / "a").iterdir())


def test_a_writer_that_was_killed_keeps_nobody_away(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from bakestone.files import alone\n"
        "with alone(pathlib.Path(sys.argv[1])):\n    print('in', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT / "generator")},
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"in\n"
        process.kill()
        process.wait(60)
    with alone(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(BakestoneError) as caught, alone(tmp_path / "file" / "a"):
        pass
    assert caught.value.code == 3
