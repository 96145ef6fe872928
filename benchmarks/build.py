"""What sharing and the times set inside each RUN are worth where images are built.

    python benchmarks/build.py [--exports N] [--builds N] [--json FILE]

Two measurements, with a Docker engine and a registry; `make bench-build` brings both up.

1. The images of the family `debian` that `make demo` built, out of a warm cache: each is exported
   as `bakestone build --push` does on Docker's builtin driver, and in turn with `rewrite-timestamp`
   in the same output, by which BuildKit sets the times of every layer at each export.
2. Twelve images without CUDA from package indexes, built without a cache and pushed: by one
   `bakestone build`, and from twelve hand-written Dockerfiles, in a call each and all in one call.

Needs what `make demo` leaves in build/demo. What is pushed goes to a path of the registry that no
other run has. Exit status 0 whatever comes out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import shutil
import statistics
import string
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "generator"))  # the working copy, also when another is installed

from bakestone.clients.engine.buildx import Definition, Engine, Target, Watch
from bakestone.clients.engine.events import State
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.layout import Layout, temporary
from bakestone.clients.registry.manifest import Descriptor, Manifest
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.bakefile import NO_ATTESTATIONS
from bakestone.core.render.compression import GZIP
from bakestone.core.render.plan import PlannedVariant
from bakestone.errors import BakestoneError, Finding, render
from bakestone.jobs.publish import failures, push_layout, run
from bakestone.jobs.publish.order import order
from bakestone.jobs.publish.watching import Board, Status
from bakestone.jobs.reproduce.rebuild import FORGOTTEN, LATER
from bakestone.project import Project

DEMO = ROOT / "build" / "demo"
REWRITE = "rewrite-timestamp=true"
INSIDE, REWRITTEN = "in the RUN", "rewritten"
WAYS = [INSIDE, REWRITTEN]
"""Who sets the times of files: the steps themselves, or BuildKit at each export."""
SYSTEMS = [{"distro": "debian@12", "git": "2.39.5"}, {"distro": "debian@13", "git": "2.47.3"}]
MPI = ["openmpi@5.0.10", "openmpi@4.1.8", "intelmpi@2021.16.1"]
RUNTIMES = ["none", "onnxruntime@1.31.1"]
FUSE = {"debian:12": "fuse libfuse2", "debian:13": "fuse3 libfuse2t64"}
CACHE_ONLY = ["type=cacheonly"]
"""The output of a call of `bakestone build` that builds; others deliver what was built."""


class Dockerfile(string.Template):
    """A Dockerfile with places to fill in; a dollar is the shell's."""

    delimiter = "%"


# ---- 1: times ------------------------------------------------------------------------------------


@dataclass
class Exported:
    """One variant's exports: for each way, seconds a round, and the digests that its image had."""

    name: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    digests: dict[str, set[str]] = field(default_factory=lambda: {way: set() for way in WAYS})

    @property
    def ratios(self) -> list[float]:
        """Times rewritten by BuildKit over times set inside the RUN, round by round."""
        return [b / a for a, b in zip(*(self.seconds[way] for way in WAYS), strict=True)]

    def row(self) -> str:
        """A line of the table."""
        medians = [statistics.median(self.seconds[way]) for way in WAYS]
        numbers = "".join(f"{seconds:>12.1f}" for seconds in medians)
        return f"{self.name:<48}{numbers}{statistics.median(self.ratios):>9.2f}"

    def as_dict(self) -> dict[str, Any]:
        """Its numbers for JSON."""
        digests = {way: sorted(found) for way, found in self.digests.items()}
        return {
            "name": self.name,
            "seconds": self.seconds,
            "ratios": self.ratios,
            "digests": digests,
        }


def exports(rounds: int, folder: Path) -> list[Exported]:
    """Every variant in both ways, in the other order every second time; one round before that is
    not measured, and fills the cache.
    """
    project = demo_project()
    plan = project.plan(project.chosen(["family=debian"]))
    engine = Engine(project.site)
    fill = {v.target: plan.target(v, CACHE_ONLY[0], attest=False) for v in order(plan.variants)}
    baked(engine, plan.variants, fill)
    found = [Exported(v.name) for v in plan.variants]
    for number in range(rounds + 1):
        for variant, one in zip(plan.variants, found, strict=True):
            for way in WAYS if number % 2 else WAYS[::-1]:
                target = push_layout.target(plan, variant, folder / "image")
                if way == REWRITTEN:
                    target |= {"output": [f"{text},{REWRITE}" for text in outputs(target)]}
                seconds, digests = export(engine, variant, target, folder / "image")
                if number:
                    one.seconds[way].append(seconds)
                    one.digests[way] |= digests
    return found


def export(
    engine: Engine, variant: PlannedVariant, target: Target, folder: Path
) -> tuple[float, set[str]]:
    """Seconds of one export into the new layout `folder`, and the digests of its images, one for
    each platform. The layout is removed.
    """
    try:
        with timed() as took:
            baked(engine, [variant], {variant.target: target})
        return took[0], set(Layout(folder).platforms(variant.kept).values())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def outputs(target: Target) -> list[str]:
    """Where a target's image goes."""
    found = target["output"]
    return [str(text) for text in found] if isinstance(found, list) else []


def print_exports(found: Sequence[Exported], rounds: int) -> None:
    print(f"exports out of a warm cache, {rounds} rounds; median seconds\n")
    print(f"{'':<48}" + "".join(f"{way:>12}" for way in WAYS) + f"{'ratio':>9}")
    for one in found:
        print(one.row())
    both = Exported("all")
    for way in WAYS:
        rounds_of_all = zip(*(one.seconds[way] for one in found), strict=True)
        both.seconds[way] = [sum(times) for times in rounds_of_all]
    print(both.row())
    for way in WAYS:
        steady = sum(len(one.digests[way]) == 1 for one in found)
        print(f"{way}: {steady} of {len(found)} had one digest in all rounds")
    print()


# ---- 2: sharing ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cold:
    """What one way to build the twelve images took, and what is in the registry then.

    `layers` are those of all images; `shared` are those of the `distinct` ones that more than one
    image has; `pushed` are the bytes of layers and configurations, each counted once.
    """

    way: str
    seconds: float
    runs: int
    measuring: int
    layers: int
    distinct: int
    shared: int
    pushed: int


@dataclass(frozen=True)
class Bench:
    """What all ways have in common."""

    project: Project
    registry: Registry
    folder: Path
    path: str
    """HOST/PATH that no other run has."""

    @property
    def variants(self) -> list[Variant]:
        """The twelve."""
        return self.project.locked_variants


class ColdEngine(Engine):
    """Builds without a cache and keeps what BuildKit said. What `bakestone build` delivers comes
    out of the cache, as ever: it was built just before.
    """

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.project.site)
        self.states: list[State] = []

    def bake(self, definition: Definition, *, watch: Watch | None = None) -> tuple[State, bool]:
        """As the engine's own, without a cache where something is built."""
        targets = {
            name: target | ({"no-cache": True} if outputs(target) == CACHE_ONLY else {})
            for name, target in definition["target"].items()
        }
        state, good = super().bake({**definition, "target": targets}, watch=watch)
        self.states.append(state)
        return state, good

    def runs(self) -> tuple[int, int]:
        """How many RUN steps were executed, and how many of these measure a finished image.

        One that several calls waited for counts once: it began at nearly the same time in all.
        """
        executed: dict[str, list[datetime]] = {}
        measuring = 0
        for digest, step in ((d, s) for state in self.states for d, s in state.steps.items()):
            if step.cached or not step.began or not step.instruction.startswith("RUN"):
                continue
            began = datetime.fromisoformat(step.began)
            known = executed.setdefault(digest, [])
            if all(abs(began - other) > LATER for other in known):
                known.append(began)
                measuring += step.stage.endswith(".inventory")
        return sum(map(len, executed.values())), measuring


class Quiet:
    """Looks on and shows nothing: as watcher, and as board."""

    def warn(self, finding: Finding) -> None:
        """Say a warning."""
        print(render([finding]), file=sys.stderr)

    def say(self, text: str) -> None:
        """Nothing."""

    def building(self, _variants: Sequence[PlannedVariant]) -> AbstractContextManager[Board]:
        """Itself."""
        return nullcontext(self)

    def set(self, name: str, status: Status, detail: str = "") -> None:
        """Nothing."""

    def watch(self, state: State) -> None:
        """Nothing."""

    def again(self, *_: object) -> None:
        """Nothing."""


def matrix(registry: str) -> dict[str, Any]:
    """What goes into images.yaml."""
    family = {
        "name": "cpu",
        "platforms": ["linux/amd64"],
        "axes": {"system": SYSTEMS, "mpi": MPI, "onnxruntime": RUNTIMES},
        "methods": {"openmpi": "wheel", "intelmpi": "wheel"},
    }
    return {"version": 1, "registry": registry, "accept": ["intel-eula"], "families": [family]}


def prepare(folder: Path, path: str) -> Project:
    """The matrix in `folder`, with base images, lock and Dockerfiles, as a team makes them."""
    (folder / "images.yaml").write_text(yaml.safe_dump(matrix(path), sort_keys=False), "utf-8")
    site = ["--site", str(DEMO / "site.yaml")]
    mirrors = yaml.safe_load((DEMO / "site.yaml").read_text("utf-8")).get("mirrors", {})
    if "docker.io/library" in mirrors.get("registries", {}):
        for system in SYSTEMS:  # there is no Docker Hub here, and the demo made one of the two
            bakestone(folder, "base", system["distro"], *site)
    bakestone(folder, "lock", *site)
    bakestone(folder, "generate", *site)
    return open_project(folder, path)


def bakestone(folder: Path, *arguments: str) -> None:
    """Run the working copy's command in a folder; it must succeed."""
    command = [sys.executable, "-m", "bakestone.cli.app", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "generator")}
    subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)


def open_project(folder: Path, path: str) -> Project:
    """The project in `folder`, publishing below `path`."""
    files = folder / "images.yaml", folder / "images.lock.yaml", folder / "dockerfiles"
    return Project(*files, DEMO / "site.yaml", path)


def demo_project() -> Project:
    """What `make demo` built."""
    if not (DEMO / "images.lock.yaml").is_file():
        raise SystemExit(f"there is no {DEMO / 'images.lock.yaml'}: run `make demo` first")
    lock, output = DEMO / "images.lock.yaml", DEMO / "dockerfiles"
    return Project(ROOT / "images.yaml", lock, output, DEMO / "site.yaml")


def by_bakestone(bench: Bench, number: int) -> Cold:
    """One `bakestone build --push --no-attest` of all; attestations the others do not have."""
    path = f"{bench.path}/{number}-bakestone"
    engine = ColdEngine(bench)
    asked = run.BuildOptions(bench.folder / f"release-{number}.json", push=True)
    with timed() as seconds:
        project = open_project(bench.folder, path)
        plan = project.plan(project.locked_variants, attest=False)
        run.build(plan, asked, engine, bench.registry, Quiet()).raise_failures()
    images = [v.floating for v in plan.variants]
    return cold("bakestone build", bench, engine, seconds[0], images)


def by_hand(bench: Bench, number: int, *, together: bool) -> Cold:
    """The hand-written files, in one call or in a call each: as jobs of a pipeline that share no
    cache do it. Between these calls so much time passes that BuildKit has forgotten the one before;
    it does not count.
    """
    repository = f"{bench.path}/{number}-{'together' if together else 'each'}/handwritten"
    engine = ColdEngine(bench)
    targets = {v.target: handwritten_target(v, repository) for v in bench.variants}
    calls = [targets] if together else [{name: target} for name, target in targets.items()]
    seconds = 0.0
    for position, call in enumerate(calls):
        if position:
            time.sleep(FORGOTTEN)
        with timed() as took:
            baked(engine, (), call)
        seconds += took[0]
    images = [f"{repository}:{v.name}" for v in bench.variants]
    way = "12 Dockerfiles, one call" if together else "12 Dockerfiles, a call each"
    return cold(way, bench, engine, seconds, images)


def handwritten_target(variant: Variant, repository: str) -> Target:
    """A bake target that builds a hand-written file without a cache and pushes the image."""
    options = {"type": "image", "push": "true", "store": "false", **GZIP.options}
    return {
        "dockerfile-inline": handwritten(variant),
        "platforms": ["linux/amd64"],
        "tags": [f"{repository}:{variant.name}"],
        "output": [",".join(f"{key}={value}" for key, value in options.items())],
        "attest": NO_ATTESTATIONS,
        "no-cache": True,
    }


def handwritten(variant: Variant) -> str:
    """A plain Dockerfile with the same components, from the same wheels."""
    distro = variant.base.ref.rpartition("/")[2]
    wheels = dict.fromkeys(
        f"{wheel['name']}=={wheel['version']}"
        for component in variant.slots.values()
        for wheel in component.data.get("wheels", [])
    )
    text = Path(__file__).with_name("handwritten.Dockerfile").read_text("utf-8")
    return Dockerfile(text).substitute(
        distro=distro, fuse=FUSE[distro].replace(" ", " \\\n      "), wheels=" ".join(wheels)
    )


def baked(engine: Engine, variants: Sequence[PlannedVariant], targets: dict[str, Target]) -> None:
    """Build targets. Raises `BakestoneError` with what the builder said."""
    state, good = engine.bake({"target": targets})
    if good:
        return
    explained = failures.explain(state, variants, engine.site).values() if variants else ()
    found = [failed.finding for failed in explained]
    for failure in state.failures() if not found else ():
        words = "\n".join([failure.error, *failure.log[-20:]])
        found.append(Finding(f"{failure.instruction}: {words}", name=failure.target))
    raise BakestoneError(found) if found else failures.stopped(state)


@contextmanager
def timed() -> Iterator[list[float]]:
    """Seconds that the block took, in the list when it is over."""
    seconds: list[float] = []
    began = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - began)


def cold(way: str, bench: Bench, engine: ColdEngine, seconds: float, images: Iterable[str]) -> Cold:
    """What one way took, with what the registry has of its images."""
    manifests = [image(bench.registry, reference) for reference in images]
    places = Counter(d.digest for m in manifests for d in {d.digest: d for d in m.layers}.values())
    blobs: dict[str, Descriptor] = {
        d.digest: d for m in manifests for d in (*m.layers, m.config) if d
    }
    runs, measuring = engine.runs()
    return Cold(
        way,
        seconds,
        runs,
        measuring,
        layers=sum(len(m.layers) for m in manifests),
        distinct=len(places),
        shared=sum(count > 1 for count in places.values()),
        pushed=sum(blob.size for blob in blobs.values()),
    )


def image(registry: Registry, reference: str) -> Manifest:
    """The manifest of an image for the one platform."""
    top = registry.need(reference)
    for digest in top.platforms.values():
        return registry.need(f"{reference.rpartition(':')[0]}@{digest}")
    return top


def builds(rounds: int, folder: Path) -> Iterator[Cold]:
    """Every way in turn, in the other order every second time; between two, BuildKit forgets."""
    host = demo_project().registry.partition("/")[0]
    path = f"{host}/bench-{secrets.token_hex(4)}"
    project = prepare(folder, path)
    bench = Bench(project, Registry(project.site), folder, path)
    if len(bench.variants) != len(SYSTEMS) * len(MPI) * len(RUNTIMES):
        raise SystemExit(f"the matrix has {len(bench.variants)} variants")
    ways: list[Callable[[int], Cold]] = [
        partial(by_bakestone, bench),
        partial(by_hand, bench, together=False),
        partial(by_hand, bench, together=True),
    ]
    for number in range(rounds):
        for way in ways if number % 2 == 0 else ways[::-1]:
            time.sleep(FORGOTTEN)
            one = way(number)
            print(f"round {number + 1}: {one.way}, {one.seconds:.0f} s", flush=True)
            yield one


def print_builds(found: Sequence[Cold], rounds: int) -> None:
    print(f"\ntwelve images without a cache, {rounds} rounds; medians\n")
    titles = ("seconds", "RUN steps", "measuring", "layers", "distinct", "shared", "MB pushed")
    print(f"{'':<28}" + "".join(f"{title:>11}" for title in titles))
    ways = list(dict.fromkeys(one.way for one in found))
    for way in ways:
        rows = [one for one in found if one.way == way]
        numbers = [
            statistics.median(getattr(one, name) for one in rows)
            for name in ("seconds", "runs", "measuring", "layers", "distinct", "shared", "pushed")
        ]
        numbers[-1] /= 1e6
        print(f"{way:<28}" + "".join(f"{number:>11,.0f}" for number in numbers))
    print()
    ours = [one for one in found if one.way == "bakestone build"]
    for way in (way for way in ways if way != "bakestone build"):
        rows = [one for one in found if one.way == way]
        pairs = list(zip(rows, ours, strict=True))
        seconds = statistics.median(a.seconds / b.seconds for a, b in pairs)
        steps = statistics.median(a.runs / b.runs for a, b in pairs)
        pushed = statistics.median(a.pushed / b.pushed for a, b in pairs)
        print(
            f"{way} / bakestone build: seconds {seconds:.2f}, RUN steps {steps:.2f}, bytes"
            f" {pushed:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Exports with times set inside the RUN or rewritten; twelve images built cold."
    )
    parser.add_argument(
        "--exports", type=int, default=5, help="rounds of exports, 0 for none (default: 5)"
    )
    parser.add_argument(
        "--builds", type=int, default=1, help="rounds of cold builds, 0 for none (default: 1)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()

    print(
        f"Python {platform.python_version()}, {os.cpu_count()} processors, load"
        f" {os.getloadavg()[0]:.1f}\n"
    )
    exported: list[Exported] = []
    built: list[Cold] = []
    try:
        with temporary("bakestone-benchmark-") as folder:
            if options.exports:
                exported = exports(options.exports, folder)
                print_exports(exported, options.exports)
            for one in builds(options.builds, folder) if options.builds else ():
                built.append(one)
    except BakestoneError as problem:
        raise SystemExit(render(problem.findings)) from problem
    finally:  # what was measured before a failure took long enough
        if options.json:
            report = {
                "exports": [one.as_dict() for one in exported],
                "builds": [asdict(one) for one in built],
            }
            options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    if built:
        print_builds(built, options.builds)


if __name__ == "__main__":
    main()
