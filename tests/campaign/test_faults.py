"""Killed, or told that the disk is full, at each system call that writes: what was there stays or
is new, whole, and the next run ends as if nothing had been.

strace (Debian's package) counts the calls and does the harm.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from tests.campaign.tally import Tally
from tests.support.samples import MANY, locked

BAKESTONE = Path(sys.executable).with_name("bakestone")
STRACE = shutil.which("strace")
CALLS = "write,rename,unlink,mkdir,rmdir,fsync,ftruncate,link,symlink,fchmod,chmod"
"""What changes files. A file that is opened for writing is empty until `write`."""
HARM = ["signal=SIGKILL", "error=ENOSPC", "error=EIO", "error=EROFS"]
OTHER = MANY.replace("openmpi@5.0.10", "openmpi@5.0.9")


def _traces() -> bool:
    """Whether strace is there, and may trace: a container can forbid it."""
    command = [STRACE or "strace", "-qq", "-o", os.devnull, "true"]
    return bool(STRACE) and subprocess.run(command, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not _traces(), reason="strace cannot trace here: apt-get install strace, allow ptrace"
)


def fresh(folder: Path, library: Library) -> None:
    """A lock, and nothing generated."""
    locked(folder, MANY, library=library)


def changed(folder: Path, library: Library) -> None:
    """Dockerfiles of another matrix, one of a family that is gone, and a lock of this one."""
    fresh(folder, library)
    run(folder, "generate")
    (folder / "dockerfiles" / "gone").mkdir()
    shutil.copy(folder / "dockerfiles/cpu/Dockerfile", folder / "dockerfiles/gone/Dockerfile")
    locked(folder, OTHER, library=library)


def unlocked(folder: Path, library: Library) -> None:
    """A lock that an edit of images.yaml has made stale."""
    fresh(folder, library)
    (folder / "images.yaml").write_text(OTHER, "utf-8")


@dataclass(frozen=True)
class Trial:
    """A command, what it begins with, and the files that it writes."""

    words: tuple[str, ...]
    prepare: Callable[[Path, Library], None]
    files: str


TRIALS = {
    "generate from nothing": Trial(("generate",), fresh, "dockerfiles/**/*"),
    "generate after a change": Trial(("generate",), changed, "dockerfiles/**/*"),
    "lock": Trial(("lock",), unlocked, "images.lock.yaml"),
    "lock --update": Trial(("lock", "--update", "git"), fresh, "images.lock.yaml"),
    "bump": Trial(("bump", "git", "2.52.0"), fresh, "images.yaml"),
}


def run(
    folder: Path, *words: str, tracer: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """One command in a folder, with no site file and nobody to ask."""
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment |= {"BAKESTONE_SITE": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*tracer, str(BAKESTONE), *words]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def contents(folder: Path, pattern: str) -> dict[str, bytes]:
    """The files that a command writes, without the times at which entries came in; what begins with
    a dot is not among them.
    """
    return {
        str(path.relative_to(folder)): re.sub(rb"resolved: '[^']*'", b"", path.read_bytes())
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not path.name.startswith(".")
    }


def harmed(folder: Path, trial: Trial, harm: str, number: int) -> subprocess.CompletedProcess[str]:
    """The command with harm done at its call of that number."""
    inject = f"inject={CALLS}:{harm}:when={number}"
    tracer = (str(STRACE), "-f", "-qq", "-o", "/dev/null", "-e", f"trace={CALLS}", "-e", inject)
    return run(folder, *trial.words, tracer=tracer)


def counted(folder: Path, trial: Trial) -> int:
    """How many calls of these a whole run makes, in the process that makes the most."""
    log = folder.parent / "trace"
    tracer = (str(STRACE), "-f", "-qq", "-o", str(log), "-e", f"trace={CALLS}")
    done = run(folder, *trial.words, tracer=tracer)
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        if re.match(r"\d+ +[a-z]+\(", line):
            counts[line.split()[0]] = counts.get(line.split()[0], 0) + 1
    return max(counts.values())


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", TRIALS)
def test_harm_at_each_call_leaves_whole_files_and_the_next_run_ends_well(
    name: str, harm: str, library: Library, tmp_path: Path, tally: Tally, inputs_of_each: int
) -> None:
    trial = TRIALS[name]
    start = tmp_path / "start"
    start.mkdir()
    trial.prepare(start, library)
    before = contents(start, trial.files)
    whole = tmp_path / "whole"
    shutil.copytree(start, whole)
    calls = counted(whole, trial)
    after = contents(whole, trial.files)
    assert after != before or name == "lock --update", "the command writes nothing: what is tried?"
    most = inputs_of_each
    step = max(1, calls // (1 if most > 1000 else 3))  # a slice has three of each
    for number in range(1, calls + 1, step if most <= 1000 else 1):
        folder = tmp_path / f"{number}"
        shutil.copytree(start, folder)
        done = harmed(folder, trial, harm, number)
        said = done.stdout + done.stderr
        assert "Traceback" not in said, said
        assert "a fault of bakestone" not in said, said
        if harm == "signal=SIGKILL":
            assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), said
        else:
            assert done.returncode in (0, 3), said
            assert done.returncode == 0 or "hint:" in said, said
        found = contents(folder, trial.files)
        for path in {*before, *after, *found}:
            states = (before.get(path), after.get(path))
            assert found.get(path) in states, f"{path} is half written at call {number}"
        again = run(folder, *trial.words)
        if name == "bump" and found == after:
            assert again.returncode in (0, 1, 2)  # it is there already
        else:
            assert again.returncode == 0, f"after call {number}: {again.stderr}"
        assert contents(folder, trial.files) == after, f"after call {number}"
        shutil.rmtree(folder)
        tally("harmed" if done.returncode else "went on")
