"""Bakestone beside HPCCM in one run: a matrix of a little over 1,000 variants, from images.yaml to
Dockerfiles.

    python benchmarks/generate.py [--rounds N] [--json FILE]

Five measurements, both tools in turn in every round, so that a busy machine slows both. Ratios are
of CPU time (user and system, of this process and of those it started), which other work on the
machine changes least; the fourth is of time on the wall as well:

1. in process: Bakestone reads the matrix, the lock and the component library from disk, validates,
   expands, checks the lock against the matrix and renders the Dockerfile of every family. HPCCM
   renders one recipe for each of the same variants. Both have had one round to warm up.
2. `bakestone generate` into a new folder: one process, start-up and writing the files included.
3. `bakestone generate --check` over the same folder.
4. `docker buildx bake --print` of the bake file that was written, where there is a docker.
5. `bakestone --help` and `hpccm --help`.

Exit status 0 whether the goals are met or not; the last lines say which are.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hpccm
import yaml
from hpccm.building_blocks import conda, generic_autotools, openmpi, packages, pip
from hpccm.primitives import baseimage, environment, label, shell, user, workdir

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "generator"))  # the working copy, also when another is installed

from bakestone.core.lock import lockfile, needs, survey
from bakestone.core.lock.lock import (
    REGISTRY,
    Lock,
    LockedArtifact,
    LockedBase,
    LockedPackages,
    LockedWheel,
)
from bakestone.core.matrix.variant import Variant
from bakestone.project import BAKE_FILE, Project

MIN_VARIANTS = 1_000
MAX_SECONDS = 2.0
MIN_RATE, MIN_WORST = 2.0, 1.5
"""Bakestone's rate over HPCCM's: the median, and the worst round."""
MAX_HELP_RATIO = 1.0
MAX_BAKE_RATIO = 1.0

OPENMPI = ["5.0.10", "5.0.9", "5.0.8", "5.0.7", "4.1.8", "4.1.7", "4.1.6", "4.1.5"]
CONDA = [
    *(
        f"miniconda@{v}"
        for v in ("py313_26.5.3-1", "py312_26.5.3-1", "py311_26.5.3-1", "py310_26.5.3-1")
    ),
    *(f"miniforge@{v}" for v in ("26.3.2-3", "26.1.1-3", "25.11.0-1")),
]
UBUNTU_PACKAGES = [
    "bzip2",
    "ca-certificates",
    "fuse",
    "g++",
    "gcc",
    "libc6-dev",
    "make",
    "openssh-client",
    "wget",
]
GIT_PACKAGES = ["libcurl4-gnutls-dev", "libexpat1-dev", "libpcre2-dev", "zlib1g-dev"]


def matrix() -> dict[str, Any]:
    """What goes into images.yaml: 896 variants on Ubuntu, 168 on Debian, real versions, every rule
    kept.
    """
    gpu = [
        "none",
        {"cuda": "12.6.3", "cudnn": "9.5.1.17", "nccl": "2.23.4"},
        {"cuda": "12.8.1", "cudnn": "9.8.0.87", "nccl": "2.25.1"},
        {"cuda": "12.9.1", "cudnn": "9.10.2.21", "nccl": "2.27.3"},
        {"cuda": "13.0.0", "cudnn": "9.12.0.46", "nccl": "2.27.7"},
    ]
    mpi = [f"openmpi@{v}" for v in OPENMPI]
    ubuntu = {
        "name": "ubuntu",
        "axes": {
            "distro": ["ubuntu@22.04", "ubuntu@24.04"],
            "mpi": mpi,
            "gpu": gpu,
            "conda": CONDA,
            "git": ["2.53.0", "2.52.0"],
        },
        "methods": {"openmpi": "source", "git": "source"},
        "exclude": [
            {"distro": "ubuntu@22.04", "cuda": "12.9.1", "because": "there is no image of it"},
            {"distro": "ubuntu@22.04", "cuda": "13.*", "because": "there is no image of it"},
        ],
    }
    debian = {
        "name": "debian",
        "axes": {
            "distro": ["debian@12", "debian@13"],
            "mpi": mpi,
            "gpu": ["none", {"cuda": "13.0.2", "cudnn": "9.14.0.64", "nccl": "2.27.7"}],
            "conda": CONDA,
            "git": ["2.53.0"],
        },
        "methods": {"openmpi": "source", "git": "source"},
        "exclude": [{"distro": "debian@13", "cuda": "*", "because": "CUDA is kept on Debian 12"}],
    }
    return {
        "version": 1,
        "registry": "localhost:5000/base",
        "accept": ["anaconda-terms", "intel-eula", "nvidia-eula"],
        "families": [ubuntu, debian],
    }


def warm_lock(wanted: needs.Needs) -> Lock:
    """A lock for these needs as `bakestone lock` would have left it, with made-up digests and
    versions.

    The Debian packages are pinned by `versions`, the longest form; the Ubuntu ones by `snapshot`.
    """
    now = "2026-11-22T00:00:00Z"
    lock = Lock(inputs=wanted.fingerprint())
    for number, (ref, base) in enumerate(sorted(wanted.bases.items())):
        digest = base.digest or f"sha256:{number:064x}"
        lock.bases[ref] = LockedBase(
            digest,
            dict.fromkeys(sorted(wanted.platforms[ref]), f"sha256:{number:064x}"),
            REGISTRY,
            now,
            provides=base.provides,
        )
        sets = list(wanted.packages[ref].values())
        distro = sets[0].distro
        if distro.version.data.get("pins", "versions") == "snapshot":
            lock.packages[ref] = LockedPackages(
                "snapshot", distro.text, now, snapshot="20261122T000000Z"
            )
            continue
        closures = {
            s.names: dict.fromkeys(
                (*s.names, *(f"lib-of-{name}" for name in s.names)), "1.2.3-4+deb12u1"
            )
            for s in sets
        }
        lock.packages[ref] = LockedPackages(
            "versions", distro.text, now, versions=dict.fromkeys(wanted.platforms[ref], closures)
        )
    lock.artifacts = {
        url: LockedArtifact(a.sha256, a.size, a.component) for url, a in wanted.artifacts.items()
    }
    lock.wheels = {text: LockedWheel(dict(w.files)) for text, w in wanted.wheels.items()}
    return lock


def prepare(folder: Path) -> Project:
    """images.yaml and its lock in `folder`."""
    (folder / "images.yaml").write_text(yaml.safe_dump(matrix(), sort_keys=False), "utf-8")
    project = open_project(folder)
    lockfile.write(
        warm_lock(survey.collect(project.matrix.variants, project.matrix.library)),
        project.lock_path,
    )
    return project


def open_project(folder: Path) -> Project:
    """As the command line does; nothing is read yet, and nothing is kept from a project opened
    before.
    """
    return Project(folder / "images.yaml", folder / "images.lock.yaml", folder / "dockerfiles")


def hpccm_recipe(variant: Variant) -> str:
    """The same image in HPCCM: base, Open MPI and git from source, conda, environment, labels,
    user; one stage.
    """
    slots = variant.slots
    cuda, mpi, python, git = slots.get("cuda"), slots["mpi"], slots["conda"], slots["git"]
    ubuntu = (
        "22" if variant.distro.version.version == "22.04" else "24"
    )  # HPCCM takes Debian for an Ubuntu
    stage = hpccm.Stage(name=variant.name)
    stage += baseimage(image=variant.base.ref, _as="image", _distro=f"ubuntu{ubuntu}")
    stage += packages(ospackages=UBUNTU_PACKAGES)
    if cuda and cuda.method == "wheel":
        stage += pip(
            packages=[
                f"{w['name']}=={w['version']}"
                for c in slots.values()
                for w in c.data.get("wheels", [])
            ],
            pip="pip3",
        )
    stage += openmpi(
        version=mpi.version.version,
        prefix="/opt/openmpi",
        cuda=False,
        infiniband=False,
        configure_opts=["--enable-mpi-fortran=no"],
    )
    if python.component.name == "miniconda":
        subversion, _, version = python.version.version.partition("_")
        stage += conda(
            version=version, python_subversion=subversion, prefix="/opt/miniconda", eula=True
        )
    else:
        url = str(python.data["artifacts"][0]["url"])
        stage += shell(
            commands=[
                f"wget -q -nc -P /tmp {url}",
                f"bash /tmp/{url.rsplit('/', 1)[-1]} -b -p /opt/miniforge",
                "rm -rf /tmp/Mini*",
            ]
        )
    stage += packages(ospackages=GIT_PACKAGES)
    stage += generic_autotools(url=str(git.data["artifacts"][0]["url"]), prefix="/usr/local/git")
    stage += environment(
        variables={"PATH": "/usr/local/git/bin:/opt/miniconda/bin:/opt/miniforge/bin:$PATH"}
    )
    stage += label(
        metadata={
            "org.opencontainers.image.title": variant.name,
            "org.opencontainers.image.base.name": variant.base.ref,
        }
    )
    stage += shell(commands=["useradd --create-home --shell /bin/bash --uid 10001 dockeruser"])
    stage += workdir(directory="/home/dockeruser")
    stage += user(user="dockeruser")
    return str(stage)


@dataclass
class Series:
    """Seconds of one measurement, a number a round."""

    name: str
    per: int = 1
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure the block and add it."""
        gc.collect()
        start, used = time.perf_counter(), sum(os.times()[:4])
        yield
        self.seconds.append(time.perf_counter() - start)
        self.cpu.append(sum(os.times()[:4]) - used)

    @property
    def best(self) -> float:
        """The shortest round: the least disturbed one."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.seconds)

    def row(self) -> str:
        """A line of the table."""
        cpu = statistics.median(self.cpu)
        rate = f"{self.per / cpu:>10,.0f}" if self.per > 1 else " " * 10
        times = f"{self.best * 1000:>10,.0f}{self.median * 1000:>12,.0f}{cpu * 1000:>10,.0f}"
        return f"{self.name:<34}{times}{rate}"


def in_process(folder: Path, rounds: int) -> tuple[Series, Series, float, float]:
    """Both tools in this process.

    Gives the two series and the average number of lines of each tool's files for one variant.
    """
    hpccm.config.set_container_format("docker")
    ours = list(open_project(folder).matrix.variants)
    bakestone, other = (
        Series("bakestone, in process", len(ours)),
        Series("hpccm, in process", len(ours)),
    )
    texts: list[str] = []
    recipes: list[str] = []

    def render() -> None:
        texts[:] = (family.text for family in open_project(folder).families.values())

    def recipe() -> None:
        recipes[:] = [hpccm_recipe(variant) for variant in ours]

    measure(rounds, (bakestone, render), (other, recipe))
    alone = list(open_project(folder).dockerfiles.values())
    return bakestone, other, lines(alone), lines(recipes)


def measure(rounds: int, *pairs: tuple[Series, Callable[[], None]]) -> None:
    """One round unmeasured, then `rounds`: every block in turn, in the other order every second
    time.
    """
    for _, block in pairs:
        block()
    for number in range(rounds):
        for series, block in pairs if number % 2 else pairs[::-1]:
            with series.timed():
                block()


def lines(texts: list[str]) -> float:
    """The average number of lines."""
    return sum(text.count("\n") + 1 for text in texts) / len(texts)


def commands(folder: Path, rounds: int, count: int) -> tuple[Series, Series, Series]:
    """`bakestone generate` of so many variants into a new folder, `--check` over it, and what bake
    says of them; that has no rounds where there is no docker.
    """
    fresh, check, bake = (
        Series(f"bakestone generate, {count} variants"),
        Series("bakestone generate --check"),
        Series("docker buildx bake --print"),
    )
    for number in range(rounds):
        output = folder / f"out-{number}"
        command = ["generate", "-f", str(folder / "images.yaml"), "-o", str(output)]
        with fresh.timed():
            run("bakestone", *command)
        with check.timed():
            run("bakestone", *command, "--check")
        if docker := shutil.which("docker"):
            file = ["-f", str(output / BAKE_FILE), "--print", "--progress", "quiet"]
            with bake.timed():
                run(docker, "buildx", "bake", *file)
        bakefile = json.loads((output / "docker-bake.json").read_text("utf-8"))
        written = len(bakefile["target"])
        if written != count or not all(
            (output / Path(target["context"]).name / "Dockerfile").is_file()
            for target in bakefile["target"].values()
        ):
            raise SystemExit(f"{written} variants were written, {count} were expected")
    return fresh, check, bake


def run(program: str, *arguments: str) -> None:
    """A command of this Python's environment, or one with its path. It must succeed."""
    subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
    )


def ratios(left: Series, right: Series) -> list[float]:
    """CPU time, left over right, round by round: what slowed a round slowed both."""
    return [a / b for a, b in zip(left.cpu, right.cpu, strict=True)]


def goal(
    text: str, values: list[float], worst: Callable[[list[float]], float], met: bool
) -> dict[str, Any]:
    """A line of the verdict. The median decides, so that one disturbed round does not."""
    return {"goal": text, "median": statistics.median(values), "worst": worst(values), "met": met}


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Bakestone beside HPCCM: 1,000 variants in one run."
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="how often everything is measured (default: 7)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="bakestone-benchmark-") as name:
        folder = Path(name)
        count = len(prepare(folder).matrix.variants)
        if count < MIN_VARIANTS:
            raise SystemExit(f"the matrix has {count} variants, not {MIN_VARIANTS}")
        bakestone, other, our_lines, their_lines = in_process(folder, options.rounds)
        fresh, check, bake = commands(folder, options.rounds, count)
    help_ours, help_theirs = Series("bakestone --help"), Series("hpccm --help")
    measure(
        2 * options.rounds,
        (help_ours, lambda: run("bakestone", "--help")),
        (help_theirs, lambda: run("hpccm", "--help")),
    )

    rate, helping = ratios(other, bakestone), ratios(help_ours, help_theirs)
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} processors, load"
        f" {os.getloadavg()[0]:.1f}; HPCCM {hpccm.__version__}"
    )
    print(
        f"{count} variants; lines a file: bakestone {our_lines:.0f}, hpccm {their_lines:.0f};"
        f" {options.rounds} rounds\n"
    )
    print(f"{'':<34}{'best ms':>10}{'median ms':>12}{'CPU ms':>10}{'a second':>10}")
    measured = [bakestone, other, fresh, check, *([bake] if bake.cpu else [])]
    measured += [help_ours, help_theirs]
    for series in measured:
        print(series.row())
    print()
    seconds = f"seconds, below {MAX_SECONDS:g}"
    goals = [
        goal(
            f"variants a second, bakestone / hpccm, at least {MIN_RATE:g}, worst {MIN_WORST:g}",
            rate,
            min,
            statistics.median(rate) >= MIN_RATE and min(rate) >= MIN_WORST,
        ),
        goal(f"bakestone generate, {seconds}", fresh.seconds, max, fresh.median < MAX_SECONDS),
        goal(
            f"bakestone generate --check, {seconds}", check.seconds, max, check.median < MAX_SECONDS
        ),
        goal(
            f"--help, bakestone / hpccm, below {MAX_HELP_RATIO:g}",
            helping,
            max,
            statistics.median(helping) < MAX_HELP_RATIO,
        ),
    ]
    if bake.cpu:
        wall = [a / b for a, b in zip(fresh.seconds, bake.seconds, strict=True)]
        for text, values in (("wall", wall), ("CPU", ratios(fresh, bake))):
            met = statistics.median(values) <= MAX_BAKE_RATIO
            about = f"bakestone generate / buildx bake --print, {text}, at most {MAX_BAKE_RATIO:g}"
            goals.append(goal(about, values, max, met))
    for one in goals:
        print(
            f"{'met    ' if one['met'] else 'not met'}  {one['goal']}: median {one['median']:.2f},"
            f" worst round {one['worst']:.2f}"
        )
    if options.json:
        report = {
            "variants": count,
            "rounds": options.rounds,
            "lines": {"bakestone": our_lines, "hpccm": their_lines},
            "seconds": {s.name: s.seconds for s in measured},
            "cpu": {s.name: s.cpu for s in measured},
            "goals": goals,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
