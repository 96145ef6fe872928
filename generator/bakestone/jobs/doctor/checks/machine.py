"""This machine: does the engine answer and build for the platforms that are wanted, is there room,
is the clock right?
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.http.session import MAX_SKEW, readable
from bakestone.core.lock.demand import Users
from bakestone.jobs.doctor.report import ENVIRONMENTAL, Trouble

ENGINE_ROOM = 2 * 10**9
"""Bytes that an engine needs besides what it fetches."""
FOLDER_ROOM = 200 * 10**6
"""Bytes for Dockerfiles, the release and the package lists of a question."""
UNPACKED = 3
"""What is fetched is on disk as it came, unpacked in a stage, and in a layer."""


@dataclass
class Machine:
    """The engine as it was found.

    `root` is its data folder, when that is on this machine; `ready` tells whether builds can be
    tried.
    """

    engine: Engine
    ready: bool = False
    root: Path | None = None

    def check(self, wanted: Users) -> Iterator[Trouble]:
        """What is wrong with the engine and its builder, for the platforms that are wanted.

        Raises `BakestoneError` (exit 3) when it does not answer.
        """
        from python_on_whales import DockerException

        client, name = self.engine.client(), self.engine.site.builder
        try:
            builder = client.buildx.inspect(name or None)
        except (DockerException, ValueError):
            hint = "`docker buildx ls` shows them; correct `builder` in the site file"
            yield Trouble("buildx does not have it", hint, ENVIRONMENTAL, _called(name))
            return
        nodes = builder.nodes or []
        self.ready = any(node.status == "running" for node in nodes)
        if not self.ready:
            hint = f"docker buildx inspect --bootstrap {name}".rstrip()
            yield Trouble("it does not run", hint, ENVIRONMENTAL, _called(name))
        if builder.driver == "docker":
            info = client.info()
            self.root = _local(info.docker_root_dir)
            containerd = "io.containerd.snapshotter" in str(info.driver_status)
            if not containerd and len(wanted.platforms) > 1:
                why = "it has no containerd image store, so it cannot build images for several"
                hint = 'set "features": {"containerd-snapshotter": true} (docs/engine.md)'
                yield Trouble(f"{why} platforms", hint, ENVIRONMENTAL, "Docker")
        if self.ready:
            known = {p.rstrip("*") for node in nodes for p in node.platforms or []}
            plain = {re.sub(r"/v8$|(?<=amd64)/v\d$", "", platform) for platform in known}
            yield from lacking(plain, wanted, name)


def lacking(known: Set[str], wanted: Users, name: str) -> list[Trouble]:
    """A row for each platform that is wanted and that the builder `name` does not have."""
    why = f"the builder has {', '.join(sorted(known)) or 'no platform'}"
    rows = []
    for platform in (p for p in wanted.platforms if p not in known):
        hint = f"`scripts/engine emulate {platform.split('/')[1]}`, or a builder that has a node of"
        hint += " it (`builder` in the site file)"
        what, users = f"{_called(name)} for {platform}", wanted.on(platform)
        rows.append(Trouble(why, hint, ENVIRONMENTAL, what, variants=users))
    return rows


def _called(name: str) -> str:
    return f"builder {name}" if name else "the current builder"


def _local(path: object) -> Path | None:
    """The engine's data folder, when its socket is on this machine and the folder can be seen from
    here.
    """
    here = os.environ.get("DOCKER_HOST", "unix://").startswith("unix://")
    return Path(str(path)) if here and path and Path(str(path)).is_dir() else None


def free(path: Path) -> int:
    """Bytes that are free where a path is."""
    return shutil.disk_usage(path).free


def disk(
    root: Path | None, folder: Path, fetched: int, free: Callable[[Path], int]
) -> list[Trouble]:
    """Whether there is room: at the engine for `fetched` bytes of sources and what is made of them,
    in the folder for small files.
    """
    places = [(folder, FOLDER_ROOM, "free some space")]
    if root is not None:
        hint = "`docker buildx prune` and `docker image prune` free some; or build fewer variants"
        places.append((root, UNPACKED * fetched + ENGINE_ROOM, f"{hint} at once"))
    troubles = []
    for place, needed, hint in places:
        there = free(place)
        if there < needed:
            why = (
                f"{readable(there)} free; about {readable(needed)} are needed to build all of this"
            )
            troubles.append(Trouble(f"{why} from nothing", hint, ENVIRONMENTAL, str(place)))
    return troubles


def clock(skews: Mapping[str, float]) -> list[Trouble]:
    """Whether this machine's clock is right, by what the servers say: seconds that it is ahead of
    each. One server alone may err itself.
    """
    off = statistics.median(skews.values()) if skews else 0
    if abs(off) <= MAX_SKEW:
        return []
    side, others = "ahead of" if off > 0 else "behind", "the servers"
    why = f"it is {abs(off):.0f} seconds {side} {others if len(skews) > 1 else next(iter(skews))}"
    hint = "set it (chronyc makestep, timedatectl set-ntp true): certificates and signatures fail"
    return [Trouble(why, f"{hint} otherwise", ENVIRONMENTAL, "this machine's clock")]
