"""`build --push` with a stand-in for the engine, in a process of its own that may be killed:

python -m tests.campaign.publishing FOLDER REGISTRY [--dated] [SELECTOR]...
"""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from bakestone.clients.engine.capabilities import LAYOUT
from bakestone.core.render.plan import BuildPlan
from bakestone.errors import BakestoneError, render
from bakestone.jobs.publish.attest.publish import Publication
from bakestone.project import Project
from tests.support.builder import Builder, Onlooker, push


def planned(folder: Path, registry: str, *selectors: str) -> BuildPlan:
    """What is to be done with the variants of a folder's matrix."""
    lock = folder / "images.lock.yaml"
    project = Project(folder / "images.yaml", lock, folder / "dockerfiles", None)
    project.registry_override = f"{registry}/base"
    return project.plan(project.select(selectors))


def publish(
    plan: BuildPlan, folder: Path, fuse: str = "2.9.9", *, tags: bool = True, time: str = ""
) -> str:
    """Publish a plan from exports of the builder; `fuse` is what its images say they hold, `time`
    when they are published. Gives what a person would read. Raises `BakestoneError`.
    """
    engine = Builder(None, plan, LAYOUT)
    for inventory in engine.inventories.values():
        inventory["fuse"] = fuse
    onlooker, publication = Onlooker(), Publication(time=time)
    release = folder / "release.json"
    outcome = push(plan, engine, release, onlooker, tags=tags, publication=publication)
    outcome.raise_failures()
    done = f"{len(outcome.built)} built, {len(outcome.moved)} moved"
    return "\n".join([*(render([warning]) for warning in onlooker.warnings), done])


def main() -> int:
    folder, registry, *words = Path(sys.argv[1]), *sys.argv[2:]
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if "--dated" in words else ""
    plan = planned(folder, registry, *(word for word in words if word != "--dated"))
    try:
        said, code = publish(plan, folder, time=time), 0
    except BakestoneError as problem:
        said, code = str(problem), problem.code
    with contextlib.suppress(OSError):  # harm that was done to these words alone
        click.echo(said)
    return code


if __name__ == "__main__":
    sys.exit(main())
