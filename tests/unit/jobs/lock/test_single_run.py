"""One run at a time: the second of two processes is told which is at work; a dead one is not in the
way.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bakestone.errors import ENVIRONMENT, BakestoneError
from bakestone.jobs.lock.single_run import single_run
from tests.support.samples import ROOT

HOLDING = """\
import pathlib, sys
from bakestone.jobs.lock.single_run import single_run
with single_run(pathlib.Path(sys.argv[1])):
    print("at work", flush=True)
    sys.stdin.read()
"""


@contextmanager
def at_work(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "generator")}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(lock)],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "at work\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_process_is_told_which_one_is_at_work(tmp_path: Path) -> None:
    lock = tmp_path / "images.lock.yaml"
    with at_work(lock) as process:
        with pytest.raises(BakestoneError) as caught, single_run(lock):
            pytest.fail("two runs at once")
        assert f"another `bakestone lock` (process {process.pid}) is at work" in str(caught.value)
        assert caught.value.code == ENVIRONMENT
        process.communicate("", timeout=60)
    with single_run(lock):
        pass
    assert not list(tmp_path.iterdir()), "a run that ends takes its mark away"


def test_what_a_killed_process_left_is_not_in_the_way(tmp_path: Path) -> None:
    lock = tmp_path / "images.lock.yaml"
    with at_work(lock) as process:
        process.kill()
        process.wait(timeout=60)
    mark = tmp_path / ".images.lock.yaml.running"
    assert mark.read_text("ascii") == f"{process.pid}\n"
    with single_run(lock):
        assert mark.read_text("ascii") == f"{os.getpid()}\n"
    assert not mark.exists()


def test_a_mark_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept", "utf-8")
    (tmp_path / ".images.lock.yaml.running").symlink_to(precious)
    with (
        pytest.raises(BakestoneError, match="cannot write"),
        single_run(tmp_path / "images.lock.yaml"),
    ):
        pytest.fail("it was followed")
    assert precious.read_text("utf-8") == "kept"


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with (
        pytest.raises(BakestoneError, match="cannot write"),
        single_run(tmp_path / "file" / "x.yaml"),
    ):
        pytest.fail("it was locked")
