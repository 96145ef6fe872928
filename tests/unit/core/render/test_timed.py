"""What a RUN makes or changes is as old as the image says: tools/timed.sh, run in a folder instead
of the root file system.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bakestone.core.render.frames import tool

EPOCH = 1_000_000_000
"""SOURCE_DATE_EPOCH of these tests."""
OLDER, YOUNGER = EPOCH - 1000, EPOCH + 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system that an image began with: a file that is younger than the image, and a folder
    with one that is older.
    """
    made = tmp_path / "root"
    (made / "etc").mkdir(parents=True)
    for path, time in ((made / "kept", YOUNGER), (made / "etc" / "old", OLDER)):
        path.write_text("before", "utf-8")
        os.utime(path, (time, time))
    os.utime(made / "etc", (OLDER, OLDER))
    return made


def run(root: Path, script: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A script that begins as a RUN does, in this root."""
    began = root.parent / "began"
    text = tool("timed.sh").replace("/dev/shm/began", str(began))
    text = text.replace("find / -xdev", f"find '{root}' -xdev")
    assert text.count(str(root.parent)) == 2
    return subprocess.run(
        ["sh", "-c", f"{text}\n{script}"],
        cwd=root,
        env={"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": str(EPOCH), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def time_of(path: Path) -> float:
    return path.lstat().st_mtime


def test_what_was_made_or_changed_has_the_time_of_the_image(root: Path) -> None:
    done = run(
        root, "mkdir -p opt/new && echo x > opt/new/file && ln -s file opt/new/link\n: >etc/old"
    )
    assert done.returncode == 0, done.stderr
    changed = ["opt", "opt/new", "opt/new/file", "opt/new/link", "etc/old"]
    assert {time_of(root / path) for path in changed} == {EPOCH}
    assert time_of(root) == EPOCH, "a folder has the time of the last entry that it got"


def test_what_was_there_and_is_as_it_was_keeps_its_time(root: Path) -> None:
    assert run(root, "echo x > etc/new").returncode == 0
    assert time_of(root / "kept") == YOUNGER
    assert time_of(root / "etc" / "old") == OLDER


def test_what_came_with_an_older_time_keeps_that(root: Path) -> None:
    """Compiled Python modules know the time of their source."""
    assert run(root, f"echo x > module.py; touch -d @{OLDER} module.py").returncode == 0
    assert time_of(root / "module.py") == OLDER


def test_a_link_is_not_followed(root: Path) -> None:
    outside = root.parent / "outside"
    outside.write_text("of others", "utf-8")
    os.utime(outside, (YOUNGER, YOUNGER))
    assert run(root, "ln -s ../outside link").returncode == 0
    assert time_of(root / "link") == EPOCH
    assert time_of(outside) == YOUNGER


@pytest.mark.parametrize("script", ["exit 7", "(exit 7)", "sh -c 'exit 7'"])
def test_a_script_that_fails_fails_the_step(root: Path, script: str) -> None:
    assert run(root, f"echo x > new\n{script}\n").returncode == 7


def test_a_stage_that_says_no_time_is_told_before_anything_is_done(root: Path) -> None:
    done = run(root, "echo x > new", SOURCE_DATE_EPOCH="")
    assert done.returncode == 2
    assert "ARG SOURCE_DATE_EPOCH" in done.stderr
    assert not (root / "new").exists()


def test_times_that_cannot_be_set_fail_the_step(root: Path) -> None:
    assert run(root, "touch() { :; }; PATH=/nowhere; : >new").returncode != 0
