"""`build --push` with a stand-in for the engine, in a process of its own that may be killed:

python -m tests.campaign.publishing FOLDER REGISTRY
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bakestone.clients.engine.capabilities import LAYOUT
from bakestone.core.render.plan import BuildPlan
from bakestone.errors import BakestoneError
from bakestone.project import Project
from tests.support.builder import Builder, push


def planned(folder: Path, registry: str) -> BuildPlan:
    """What is to be done with all variants of a folder's matrix."""
    lock = folder / "images.lock.yaml"
    project = Project(folder / "images.yaml", lock, folder / "dockerfiles", None)
    project.registry_override = f"{registry}/base"
    return project.plan(project.matrix.variants)


def publish(plan: BuildPlan, folder: Path, fuse: str = "2.9.9", *, tags: bool = True) -> str:
    """Publish a plan from exports of the builder; `fuse` is what its images say they hold. Gives
    what a person would read. Raises `BakestoneError`.
    """
    engine = Builder(None, plan, LAYOUT)
    for inventory in engine.inventories.values():
        inventory["fuse"] = fuse
    outcome = push(plan, engine, folder / "release.json", tags=tags)
    outcome.raise_failures()
    return f"{len(outcome.built)} built, {len(outcome.moved)} moved"


def main() -> int:
    folder, registry = Path(sys.argv[1]), sys.argv[2]
    try:
        click.echo(publish(planned(folder, registry), folder))
    except BakestoneError as problem:
        click.echo(problem)
        return problem.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
