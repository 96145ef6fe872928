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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from tests.campaign import trials as registry_trials
from tests.campaign.tally import Tally
from tests.campaign.trials import WRITING, Place, Stage, ended, outcome
from tests.support.samples import MANY, locked

BAKESTONE = Path(sys.executable).with_name("bakestone")
STRACE = shutil.which("strace")
CALLS = "write,rename,unlink,mkdir,rmdir,fsync,ftruncate,link,symlink,fchmod,chmod"
"""What changes files. A file that is opened for writing is empty until `write`."""
NAMES = {
    "signal=SIGKILL": "killed at a system call",
    "error=ENOSPC": "disk full",
    "error=EIO": "disk broken",
    "error=EROFS": "read-only",
}
HARM = [*NAMES]
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
    environment["TMPDIR"] = str(folder.parent)  # what harm leaves there goes with the test
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
    tracer = traced(Path(os.devnull), "-e", inject, follow=("-f",))
    return run(folder, *trial.words, tracer=tracer)


def traced(log: Path, *more: str, follow: Sequence[str]) -> tuple[str, ...]:
    """What comes before a command whose calls are looked at."""
    quick = ("--seccomp-bpf",) if follow else ()  # it stops a process at these calls alone
    return (str(STRACE), *follow, *quick, "-qq", "-o", str(log), "-e", f"trace={CALLS}", *more)


def tried(calls: int, harms: Sequence[str], most: int) -> Iterator[tuple[str, int]]:
    """What is done at which call: each harm at as many calls as there are hundreds of inputs for
    each reader, as far apart as can be; a slice has one of each, at calls that differ.
    """
    count = min(calls, max(1, most // 100))
    for place, harm in enumerate(harms):
        first = place * calls // len(harms)
        for number in range(count):
            yield harm, 1 + (first + number * calls // count) % calls


def counted(folder: Path, trial: Trial) -> int:
    """How many calls of these a whole run makes, in the process that makes the most."""
    log = folder.parent / "trace"
    done = run(folder, *trial.words, tracer=traced(log, follow=("-f",)))
    assert done.returncode == 0, done.stderr
    return most_calls(log, follow=("-f",))


def most_calls(log: Path, *, follow: Sequence[str]) -> int:
    """How many calls the process or thread makes that makes the most."""
    counts: dict[str, int] = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        if re.match(r"(\d+ +)?[a-z]+\(", line):
            who = line.split()[0] if follow else ""
            counts[who] = counts.get(who, 0) + 1
    return max(counts.values())


@pytest.mark.parametrize("name", TRIALS)
def test_harm_at_each_call_leaves_whole_files_and_the_next_run_ends_well(
    name: str, library: Library, tmp_path: Path, tally: Tally, inputs_of_each: int
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
    for harm, number in tried(calls, HARM, inputs_of_each):
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
        assert not [path for path in folder.rglob(".*") if path.is_file()], f"left: {number}"
        shutil.rmtree(folder)
        made = {0: "went on", 3: "told"}.get(done.returncode, "killed")
        tally.fault(name, NAMES[harm], made)


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.usefixtures("at_once_and_alone")
def test_harm_at_each_call_of_what_speaks_with_a_registry_is_mended_by_the_next_run(
    name: str,
    places: Callable[[registry_trials.Trial], Place],
    library: Library,
    tmp_path: Path,
    tally: Tally,
    inputs_of_each: int,
) -> None:
    trial = registry_trials.TRIALS[name]
    stage = Stage(trial, places(trial), tmp_path, library)
    # what base starts are programs of others: only what its own thread does is harmed
    follow = () if name.startswith("base") else ("-f",)
    log = tmp_path / "trace"
    stage.begin()
    stage.place.proxy.plan()
    done = ended(stage.started(tracer=traced(log, follow=follow)))
    assert done.code == 0, done.said
    calls = most_calls(log, follow=follow)
    # what a builder exports is a stand-in's here, which says no sentence
    harms = HARM[:1] if name == "build --push" else HARM
    for harm, number in tried(calls, harms, inputs_of_each):
        stage.begin()
        inject = f"inject={CALLS}:{harm}:when={number}"
        tracer = traced(Path(os.devnull), "-e", inject, follow=follow)
        done = ended(stage.started(tracer=tracer))
        where = f"{name}: {harm} at call {number}\n{done.said}"
        try:
            made = outcome(trial, done)
            stage.settle()
        except AssertionError as problem:
            raise AssertionError(f"{where}\nthen: {problem}") from problem
        tally.fault(name, NAMES[harm], made)
