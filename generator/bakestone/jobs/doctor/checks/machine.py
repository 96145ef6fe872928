"""This machine: does the engine answer and build for the platforms that are wanted, is there room,
is the clock right?
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.http.session import readable
from bakestone.core.lock.demand import Users
from bakestone.jobs.doctor.report import ENVIRONMENTAL, Trouble

if TYPE_CHECKING:
    from python_on_whales import DockerClient

MAX_SKEW = 60
"""Seconds: beyond that, certificates and the times in signed package lists begin to fail."""
ENGINE_ROOM = 2 * 10**9
"""Bytes that an engine needs besides what it fetches."""
FOLDER_ROOM = 200 * 10**6
"""Bytes for Dockerfiles, the release and the package lists of a question."""
UNPACKED = 3
"""What is fetched is on disk as it came, unpacked in a stage, and in a layer."""
Free = Callable[[Path], int]


@dataclass
class Machine:
    """The engine as it was found.

    `root` is its data folder, when that is on this machine; `ready` tells whether builds can be
    tried.
    """

    engine: Engine
    ready: bool = False
    root: Path | None = None

    def check(self, platforms: Users) -> list[Trouble]:
        """What is wrong with the engine and its builder.

        Raises `BakestoneError` (exit 3) when it does not answer.
        """
        client = self.engine.client()
        self.ready = True
        name = self.engine.site.builder
        builder = _builder(client, name)
        if builder is None:
            self.ready = False
            what = _called(name)
            hint = "`docker buildx ls` shows them; correct `builder` in the site file"
            return [_row("engine", what, "buildx does not have it", hint)]
        driver, running, known = builder
        troubles = []
        if not running:
            self.ready = False
            troubles.append(
                _row(
                    "engine",
                    _called(name),
                    "it does not run",
                    f"docker buildx inspect --bootstrap {name}".rstrip(),
                )
            )
        if driver == "docker":
            info = client.info()
            self.root = _local(info.docker_root_dir)
            containerd = "io.containerd.snapshotter" in str(info.driver_status)
            if not containerd and len(platforms.platforms) > 1:
                why = (
                    "it has no containerd image store, so it cannot build images for several"
                    " platforms"
                )
                troubles.append(
                    _row(
                        "engine",
                        "Docker",
                        why,
                        'set "features": {"containerd-snapshotter": true} (docs/engine.md)',
                    )
                )
        return troubles + lacking(known, platforms, name) if running else troubles


def lacking(known: frozenset[str], wanted: Users, name: str) -> list[Trouble]:
    """A row for each platform that is wanted and that the builder `name` does not have."""
    troubles = []
    why = f"the builder has {', '.join(sorted(known)) or 'no platform'}"
    for platform in wanted.platforms:
        if platform not in known:
            hint = (
                f"`scripts/engine emulate {platform.split('/')[1]}`, or a builder that has a node"
                " of it (`builder` in the site file)"
            )
            what = f"{_called(name)} for {platform}"
            troubles.append(_row("engine", what, why, hint, wanted.on(platform)))
    return troubles


def _builder(client: DockerClient, name: str) -> tuple[str, bool, frozenset[str]] | None:
    """Driver, whether a node runs, and the platforms of all nodes;

    None when there is no such builder.
    """
    from python_on_whales import DockerException

    try:
        found = client.buildx.inspect(name or None)
    except (DockerException, ValueError):
        return None
    nodes = found.nodes or []
    platforms = {p.rstrip("*") for node in nodes for p in node.platforms or []}
    return (
        found.driver or "",
        any(node.status == "running" for node in nodes),
        frozenset(re.sub(r"/v8$|(?<=amd64)/v\d$", "", p) for p in platforms),
    )


def _called(name: str) -> str:
    return f"builder {name}" if name else "the current builder"


def _local(path: object) -> Path | None:
    """The engine's data folder, when its socket is on this machine and the folder can be seen from
    here.
    """
    host = os.environ.get("DOCKER_HOST", "unix://")
    return (
        Path(str(path))
        if host.startswith("unix://") and path and Path(str(path)).is_dir()
        else None
    )


def free(path: Path) -> int:
    """Bytes that are free where a path is."""
    return shutil.disk_usage(path).free


def disk(root: Path | None, folder: Path, fetched: int, free: Free) -> list[Trouble]:
    """Whether there is room: at the engine for `fetched` bytes of sources and what is made of them,
    in the folder for small files.
    """
    places = [(folder, FOLDER_ROOM, "free some space")]
    if root is not None:
        places.append(
            (
                root,
                UNPACKED * fetched + ENGINE_ROOM,
                (
                    "`docker buildx prune` and `docker image prune` free some; or build fewer"
                    " variants at once"
                ),
            )
        )
    troubles = []
    for place, needed, hint in places:
        there = free(place)
        if there < needed:
            why = (
                f"{readable(there)} free; about {readable(needed)} are needed to build all of this"
                " from nothing"
            )
            troubles.append(_row("disk", str(place), why, hint))
    return troubles


def clock(skews: Mapping[str, float]) -> list[Trouble]:
    """Whether this machine's clock is right, by what the servers say: seconds that it is ahead of
    each. One server alone may err itself.
    """
    if not skews:
        return []
    off = statistics.median(skews.values())
    if abs(off) <= MAX_SKEW:
        return []
    why = (
        f"it is {abs(off):.0f} seconds {'ahead of' if off > 0 else 'behind'}"
        f" {'the servers' if len(skews) > 1 else next(iter(skews))}"
    )
    hint = "set it (chronyc makestep, timedatectl set-ntp true): certificates and signatures fail"
    return [_row("clock", "this machine's clock", why, f"{hint} otherwise")]


def _row(kind: str, what: str, why: str, hint: str, variants: tuple[str, ...] = ()) -> Trouble:
    return Trouble(kind, what, why, hint, ENVIRONMENTAL, variants)
