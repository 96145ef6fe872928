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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from tests.campaign.projects import changed, contents, fresh, run, unlocked
from tests.campaign.tally import Tally
from tests.campaign.trials import WRITING, Stage, ended, outcome

STRACE = shutil.which("strace")
CALLS = "write,rename,unlink,mkdir,rmdir,fsync,ftruncate,link,symlink,fchmod,chmod"
"""What changes files. A file that is opened for writing is empty until `write`."""
KILL = "signal=SIGKILL"
NAMES = {
    KILL: "killed at a system call",
    "error=ENOSPC": "disk full",
    "error=EIO": "disk broken",
    "error=EROFS": "read-only",
}
HARM = [*NAMES]


def _traces() -> bool:
    """Whether strace is there, and may trace: a container can forbid it."""
    command = [STRACE or "strace", "-qq", "-o", os.devnull, "true"]
    return bool(STRACE) and subprocess.run(command, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not _traces(), reason="strace cannot trace here: apt-get install strace, allow ptrace"
)


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


@dataclass(frozen=True)
class Call:
    """A system call, and the how many-th of its name it is in its process."""

    name: str
    number: int

    def harm(self, what: str) -> tuple[str, ...]:
        """strace's words for harm that is done to it: it counts calls by their names."""
        return ("-e", f"inject={self.name}:{what}:when={self.number}")


def traced(log: Path, *more: str, follow: bool = True) -> tuple[str, ...]:
    """What comes before a command whose calls are looked at; with `follow` those of its threads
    and children as well.
    """
    # with it a process is stopped at these calls alone; strace 6.1 sends no signals then
    quick = ("--seccomp-bpf",) if follow and not any(KILL in word for word in more) else ()
    words = (*(("-f",) if follow else ()), *quick, "-qq", "-o", str(log))
    return (str(STRACE), *words, "-e", f"trace={CALLS}", *more)


def calls(log: Path) -> list[Call]:
    """The calls of the process or thread that makes the most of them, in turn."""
    made: dict[str, list[Call]] = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        if found := re.match(r"(?:(\d+) +)?([a-z]+)\(", line):
            mine = made.setdefault(found[1] or "", [])
            mine.append(Call(found[2], 1 + sum(one.name == found[2] for one in mine)))
    return max(made.values(), key=len)


def tried(found: Sequence[Call], harms: Sequence[str], most: int) -> Iterator[tuple[str, Call]]:
    """What is done at which call: each harm at as many calls as there are hundreds of inputs for
    each reader, as far apart as can be; a slice has one of each, at calls that differ.
    """
    count = min(len(found), max(1, most // 100))
    for place, harm in enumerate(harms):
        first = (place * len(found) + len(found) // 2) // len(harms)
        for number in range(count):
            yield harm, found[(first + number * len(found) // count) % len(found)]


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
    log = tmp_path / "trace"
    done = run(whole, *trial.words, tracer=traced(log))
    assert done.returncode == 0, done.stderr
    after = contents(whole, trial.files)
    assert after != before or name == "lock --update", "the command writes nothing: what is tried?"
    for harm, call in tried(calls(log), HARM, inputs_of_each):
        folder = tmp_path / "harmed"
        shutil.copytree(start, folder)
        done = run(folder, *trial.words, tracer=traced(Path(os.devnull), *call.harm(harm)))
        said = done.stdout + done.stderr
        assert "Traceback" not in said, said
        assert "a fault of bakestone" not in said, said
        if harm == KILL:
            assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), said
        else:
            assert done.returncode in (0, 3), said
            assert done.returncode == 0 or "hint:" in said, said
        found = contents(folder, trial.files)
        for path in {*before, *after, *found}:
            states = (before.get(path), after.get(path))
            assert found.get(path) in states, f"{path} is half written at {call}"
        again = run(folder, *trial.words)
        if name == "bump" and found == after:
            assert again.returncode in (0, 1, 2)  # it is there already
        else:
            assert again.returncode == 0, f"after {call}: {again.stderr}"
        assert contents(folder, trial.files) == after, f"after {call}"
        assert not [path for path in folder.rglob(".*") if path.is_file()], f"left: {call}"
        shutil.rmtree(folder)
        made = {0: "went on", 3: "told"}.get(done.returncode, "killed")
        tally.fault(name, NAMES[harm], made)


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.usefixtures("at_once_and_alone")
def test_harm_at_each_call_of_what_speaks_with_a_registry_is_mended_by_the_next_run(
    name: str, stages: Callable[[str], Stage], tmp_path: Path, tally: Tally, inputs_of_each: int
) -> None:
    stage = stages(name)
    trial = stage.trial
    # what base starts are programs of others: only what its own thread does is harmed
    follow = not name.startswith("base")
    log = tmp_path / "trace"
    stage.begin()
    stage.place.proxy.plan()
    done = ended(stage.started(tracer=traced(log, follow=follow)))
    assert done.code == 0, done.said
    # what a builder exports is a stand-in's here, which says no sentence
    harms = HARM[:1] if name == "build --push" else HARM
    for harm, call in tried(calls(log), harms, inputs_of_each):
        stage.begin()
        tracer = traced(Path(os.devnull), *call.harm(harm), follow=follow)
        done = ended(stage.started(tracer=tracer))
        where = f"{name}: {harm} at {call}\n{done.said}"
        try:
            made = outcome(trial, done)
            stage.settle()
        except AssertionError as problem:
            raise AssertionError(f"{where}\nthen: {problem}") from problem
        tally.fault(name, NAMES[harm], made)
