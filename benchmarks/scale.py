"""How time and memory grow: 100, 1,000 and 10,000 variants, and a lock of 96,000 packages.

    python benchmarks/scale.py [--rounds N] [--json FILE]

Each figure is the CPU time (user and system) of a process of its own and the most memory that it
held; the median of the rounds is shown, and the load of the machine beside it.

1. `validate`, `list`, `list --format json`, `generate` into a new folder and `generate --check` of
   each size. The slope is how many times as long (or large) ten times as many variants are, of what
   is beyond the start of the command: 10 is linear.
2. Where the time of `generate` goes, phase by phase.
3. A lock with 96,000 packages, written and read.
4. The start of commands over the committed images.yaml, beside `hpccm --help`.

Exit status 0 whatever comes out; the last lines say which goals are met.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
# the working copy, also when another bakestone is installed, and the benchmark beside this one
sys.path[:0] = [str(ROOT / "generator"), str(ROOT)]

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.lock import lockfile, survey
from bakestone.core.lock.lock import REGISTRY, Lock, LockedBase, LockedPackages
from bakestone.project import Project
from benchmarks.generate import warm_lock

SIZES = {100: (5, 5, 4), 1_000: (10, 10, 10), 10_000: (25, 20, 20)}
"""Variants -> versions of Open MPI, Minicondas and versions of git."""
COMMANDS = ["validate", "list", "list --format json", "generate", "generate --check"]
STARTS = ["--help", "validate", "list", "explain openmpi5.0.10-debian12", "generate --check"]
BASES, SETS, PACKAGES = 60, 4, 200
"""Of the large lock: 60 bases for two platforms, four installations on each, 200 packages each."""
MAX_MEMORY, MAX_LOCK = 150, 2.0
"""MiB of 10,000 variants; CPU seconds of the large lock."""
NOW = "2026-11-22T00:00:00Z"
DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Run:
    """A command that ran: its CPU seconds, and the most memory that it held, in MiB."""

    seconds: float
    memory: float


def run(program: str, arguments: Sequence[str], folder: Path) -> Run:
    """A command of this Python's environment in a folder; it must succeed."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "generator")}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def median(runs: Sequence[Run]) -> Run:
    """The middle of each figure."""
    return Run(
        statistics.median(r.seconds for r in runs), statistics.median(r.memory for r in runs)
    )


def prepare(folder: Path, size: int) -> None:
    """A matrix of so many variants on one distro, and a warm lock of it."""
    library = Library(BUILT_IN)
    names = ("openmpi", "miniconda", "git")
    methods = ("source", "installer", "source")
    axes = {"distro": ["debian@12"]}
    for slot, name, method, number in zip(
        ("mpi", "conda", "git"), names, methods, SIZES[size], strict=True
    ):
        component = library.get(name)
        known = component.versions.items() if component else ()
        axes[slot] = [f"{name}@{v}" for v, found in known if method in found.methods][:number]
    family = {"name": "many", "axes": axes, "methods": {"openmpi": "source", "git": "source"}}
    folder.mkdir()
    data = {"version": 1, "registry": "localhost:5000/base", "accept": ["anaconda-terms"]}
    text = yaml.safe_dump(data | {"families": [family]}, sort_keys=False)
    (folder / "images.yaml").write_text(text, "utf-8")
    project = opened(folder)
    found = len(project.matrix.variants)
    if found != size:
        raise SystemExit(f"the matrix has {found} variants, not {size}")
    needs = survey.collect(project.matrix.variants, project.matrix.library)
    lockfile.write(warm_lock(needs), project.lock_path)


def opened(folder: Path) -> Project:
    """The project in a folder; nothing is read yet."""
    return Project(folder / "images.yaml", folder / "images.lock.yaml", folder / "dockerfiles")


def growth(folder: Path, rounds: int) -> dict[str, dict[int, Run]]:
    """Command -> size -> what it took."""
    found: dict[str, dict[int, Run]] = {command: {} for command in COMMANDS}
    for size in SIZES:
        prepare(folder / str(size), size)
        for command in COMMANDS:
            runs = []
            for _ in range(rounds):
                if command == "generate":
                    subprocess.run(["rm", "-rf", folder / str(size) / "dockerfiles"], check=True)
                runs.append(run("bakestone", command.split(), folder / str(size)))
            found[command][size] = median(runs)
    return found


def print_growth(found: dict[str, dict[int, Run]], start: Run) -> None:
    """A line a command: seconds and MiB of each size, and the slopes."""
    print(f"{'CPU seconds, MiB':<20}" + "".join(f"{size:>16,}" for size in SIZES) + "   slope")
    small, large = sorted(SIZES)[-2:]
    for command, sizes in found.items():
        cells = "".join(f"{one.seconds:>9.2f} {one.memory:>6.0f}" for one in sizes.values())
        time_of, memory_of = (
            (getattr(sizes[large], key) - getattr(start, key))
            / max(0.001, getattr(sizes[small], key) - getattr(start, key))
            for key in ("seconds", "memory")
        )
        print(f"{command:<20}{cells}   {time_of:.1f} in time, {memory_of:.1f} in memory")
    print()


@contextmanager
def phase(name: str, into: dict[str, float]) -> Iterator[None]:
    """Measure the CPU seconds of the block."""
    began = time.process_time()
    yield
    into[name] = time.process_time() - began


def phases(folder: Path) -> dict[str, float]:
    """Where the time of `generate --check` goes, in this process, whose imports are done."""
    found: dict[str, float] = {}
    project = opened(folder)
    with phase("read images.yaml and the library, expand, check", found):
        _ = project.matrix
    with phase("read the lock, compare it with what is needed", found):
        _ = project.lock
    with phase("render the stages", found):
        _ = project.families
    with phase("name them, write the texts, compare with the files", found):
        project.drift()
    return found


def large_lock(path: Path) -> dict[str, float]:
    """CPU seconds to write and to read a lock of 96,000 packages."""
    lock = Lock(DIGEST)
    for base in range(BASES):
        ref = f"docker.io/library/debian:{base}"
        lock.bases[ref] = LockedBase(DIGEST, {"linux/amd64": DIGEST}, REGISTRY, NOW)
        closures: dict[tuple[str, ...], dict[str, str]] = {
            (f"wanted-{number}",): {
                f"lib{base}-{package}-{number}": f"1:2.{package}-{number}+deb12u1"
                for package in range(PACKAGES)
            }
            for number in range(SETS)
        }
        platforms = ("linux/amd64", "linux/arm64")
        lock.packages[ref] = LockedPackages(
            "versions", "debian@12", NOW, versions=dict.fromkeys(platforms, closures)
        )
    found: dict[str, float] = {}
    with phase("write", found):
        lockfile.write(lock, path)
    with phase("read", found):
        lockfile.load(path)
    return found


def starts(rounds: int) -> dict[str, list[float]]:
    """Command -> its CPU time over that of `hpccm --help`, round by round."""
    found: dict[str, list[float]] = {command: [] for command in STARTS}
    for _ in range(rounds):
        for command in STARTS:
            theirs = run("hpccm", ["--help"], ROOT).seconds
            found[command].append(run("bakestone", command.split(), ROOT).seconds / theirs)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="How time and memory grow.")
    parser.add_argument("--rounds", type=int, default=5, help="how often (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bakestone-scale-") as name:
        folder = Path(name)
        start = median([run("bakestone", ["--help"], folder) for _ in range(options.rounds)])
        grown = growth(folder, options.rounds)
        where = phases(folder / "1000")
        lock = large_lock(folder / "large.lock.yaml")
    beside = starts(options.rounds)
    print(f"{options.rounds} rounds, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
    print_growth(grown, start)
    for text, seconds in where.items():
        print(f"{seconds:>8.3f} s  1,000 variants: {text}")
    for text, seconds in lock.items():
        print(f"{seconds:>8.3f} s  a lock of 96,000 packages: {text}")
    for command, ratios in beside.items():
        middle, worst = statistics.median(ratios), max(ratios)
        print(f"{middle:>8.2f} of hpccm --help, worst {worst:.2f}: {command}")
    print()
    largest = {command: sizes[max(SIZES)] for command, sizes in grown.items()}
    limits = {command: 1.0 if command == "--help" else 2.0 for command in STARTS}
    goals: list[tuple[str, bool]] = [
        (f"memory of generate below {MAX_MEMORY} MiB", largest["generate"].memory < MAX_MEMORY),
        (
            "the table of list as fast as its JSON",
            largest["list"].seconds <= largest["list --format json"].seconds,
        ),
        (f"a lock read in {MAX_LOCK:g} s", lock["read"] < MAX_LOCK),
        *(
            (f"{c} within {limits[c]:g} times", statistics.median(beside[c]) <= limits[c])
            for c in STARTS
        ),
    ]
    for text, met in goals:
        print(f"{'met    ' if met else 'not met'}  {text}")
    if options.json:
        plain: dict[str, Any] = {
            "growth": {
                command: {size: vars(one) for size, one in sizes.items()}
                for command, sizes in grown.items()
            },
            "phases": where,
            "lock": lock,
            "starts": beside,
        }
        options.json.write_text(json.dumps(plain, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
