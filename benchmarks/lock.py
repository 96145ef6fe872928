"""`bakestone lock` of 225 variants against a warm registry on loopback: seconds, and how many
requests it took.

    python benchmarks/lock.py [--rounds N] [--distros N] [--json FILE]

The registry, the file server and the snapshot service are one stand-in on loopback that answers at
once and counts; no name leads outside. Every round is a process of its own that makes the lock from
nothing, and then one that updates it. The goal is not the time, which is the machine's, but the
number of requests: that of distinct names, however many variants share them.

Exit status 0 when the numbers are as they should be, 1 when they are not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
# the working copy, also when another bakestone is installed, and what its tests have
sys.path[:0] = [str(ROOT / "generator"), str(ROOT)]

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.lock import survey
from bakestone.core.lock.needs import Needs
from bakestone.jobs.lock import snapshot
from bakestone.project import Project
from tests.support.registryserver import RegistryServer
from tests.support.webserver import body, serving

DISTROS = ["debian@12", "debian@13", "debian@11"]
MPI = 25
GIT = ["2.53.0", "2.52.0", "2.51.2"]


def matrix(library: Library, distros: int) -> dict[str, Any]:
    """What goes into images.yaml: for each distro, 25 versions of Intel MPI from wheels and 3 of
    git from source.
    """
    intelmpi = library.get("intelmpi")
    if intelmpi is None:
        raise SystemExit("the library has no intelmpi")
    wheels = [
        f"intelmpi@{v}" for v, version in intelmpi.versions.items() if "wheel" in version.methods
    ][:MPI]
    family = {
        "name": "many",
        "platforms": ["linux/amd64"],
        "axes": {"distro": DISTROS[:distros], "mpi": wheels, "git": GIT},
        "methods": {"intelmpi": "wheel", "git": "source"},
        "name_slots": ["mpi", "git", "distro"],
    }
    return {
        "version": 1,
        "registry": "localhost:5000/base",
        "accept": ["intel-eula"],
        "families": [family],
    }


def serve(needs: Needs, server: RegistryServer) -> None:
    """Everything that the matrix names: base images, the length of each file, the suites of the
    snapshot service.
    """
    server.put_all(needs.bases)
    for url in needs.artifacts:
        server.server.heads["/" + url.split("/", 3)[3]] = body(b"x" * 1000)


def requests(asked: list[str]) -> dict[str, int]:
    """What was asked, by kind."""
    kinds: Counter[str] = Counter()
    for path in asked:
        if path.startswith("HEAD "):
            kinds["lengths of files"] += 1
        elif "/dists/" in path:
            kinds["suites of snapshots"] += 1
        else:
            kinds[
                (
                    "manifests by tag"
                    if "/manifests/" in path and "sha256:" not in path
                    else "manifests and configurations by digest"
                )
            ] += 1
    return dict(sorted(kinds.items()))


def expected(needs: Needs) -> dict[str, int]:
    """The same, counted from what is needed: an index for each base, two documents for each of its
    platforms.
    """
    platforms = sum(len(p) for p in needs.platforms.values())
    distros = {s.distro.text: s.distro for sets in needs.packages.values() for s in sets.values()}
    return {
        "lengths of files": len(needs.artifacts),
        "manifests and configurations by digest": 2 * platforms,
        "manifests by tag": len(needs.bases),
        "suites of snapshots": sum(
            len(list(snapshot.releases(d, "20261122T000000Z"))) for d in distros.values()
        ),
    }


def run(folder: Path, *arguments: str) -> float:
    """`bakestone lock` in a process of its own; gives the seconds."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "bakestone.cli.app", "lock", "--site", "site.yaml", *arguments]
    subprocess.run(
        command,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "generator")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description="bakestone lock of many variants: seconds and requests."
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often everything is measured (default: 5)"
    )
    parser.add_argument(
        "--distros",
        type=int,
        default=3,
        choices=(1, 2, 3),
        help="fewer distros, fewer variants (default: 3)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="bakestone-benchmark-") as name, serving() as web:
        folder, server = Path(name), RegistryServer(web)
        (folder / "images.yaml").write_text(
            yaml.safe_dump(matrix(Library(BUILT_IN), options.distros), sort_keys=False), "utf-8"
        )
        urls = dict.fromkeys(
            ("https://mirrors.edge.kernel.org/", "http://snapshot.debian.org/"), server.server.url
        )
        site = {
            "version": 1,
            "mirrors": {"registries": {"docker.io": server.address}, "urls": urls},
            "pins": {"debian": "snapshot"},
        }
        (folder / "site.yaml").write_text(yaml.safe_dump(site), "utf-8")
        project = Project(
            folder / "images.yaml", folder / "images.lock.yaml", folder / "dockerfiles"
        )
        needs = survey.collect(project.matrix.variants, project.matrix.library)
        serve(needs, server)
        web.otherwise = suite
        seconds: dict[str, list[float]] = {"from nothing": [], "--update": []}
        found: list[dict[str, int]] = []
        for _ in range(options.rounds):
            project.lock_path.unlink(missing_ok=True)
            for kind, arguments in (("from nothing", ()), ("--update", ("--update",))):
                web.asked.clear()
                seconds[kind].append(run(folder, *arguments))
                found.append(requests(web.asked))
        variants = len(project.matrix.variants)

    wanted = expected(needs)
    updated = {kind: n for kind, n in wanted.items() if kind != "lengths of files"}
    good = all(f == wanted for f in found[::2]) and all(f == updated for f in found[1::2])
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} processors, load"
        f" {os.getloadavg()[0]:.1f}; {options.rounds} rounds"
    )
    print(
        f"{variants} variants, {len(needs.bases)} base images, {len(needs.artifacts)} files,"
        f" {len(needs.wheels)} wheels\n"
    )
    for kind, times in seconds.items():
        print(
            f"bakestone lock, {kind:<14} best {min(times):.2f} s, median"
            f" {statistics.median(times):.2f} s"
        )
    print()
    for kind, count in found[0].items():
        print(f"{count:>5} {kind}")
    print(
        f"{sum(found[0].values()):>5} requests in all; {'met' if good else 'not met'}: the number"
        " of distinct names, each asked for once"
    )
    if options.json:
        options.json.write_text(
            json.dumps(
                {"variants": variants, "seconds": seconds, "requests": found[0], "met": good},
                indent=2,
            )
            + "\n",
            "utf-8",
        )
    raise SystemExit(not good)


def suite(request: Any) -> None:
    """An InRelease of whatever suite is asked for, as of any time."""
    name = request.path.rpartition("/dists/")[2].partition("/")[0]
    body(f"Origin: Debian\nCodename: {name}\n".encode())(request)


if __name__ == "__main__":
    main()
