"""The commands that build: build, reproduce, retire; parse, call, print."""

from __future__ import annotations

import os
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakestone.cli import options, pins
from bakestone.cli.options import command, flag, option
from bakestone.errors import ENVIRONMENT, USAGE, BakestoneError, fail

if TYPE_CHECKING:
    from bakestone.project import Project

release_option = option(
    "--release release_path",
    "The release.  [default: release.json beside the lock]",
    type=options.FILE,
)


@command(
    "Build, measure and publish.",
    "bakestone build                                  build and verify everything, publish nothing",
    "bakestone build family=debian --push             publish what is not in the registry yet",
    "bakestone build openmpi5.0.10-debian12 --load    into the local engine",
)
@options.selectors
@flag("--push", "Push; move the floating tags when every selected variant is there.")
@option(
    "--tags/--no-tags", "With --push: move the floating tags and write the release.", default=True
)
@option(
    "--attest/--no-attest",
    "With --push: add provenance and an SBOM, which leave the image as it is.",
    default=True,
)
@flag("--load", "Load the images into the local engine.")
@flag("--only-locked", "Refuse every base image, file and repository that is not in the lock.")
@option("--keep-going/--fail-fast", "After a failure, build the others all the same.", default=True)
@option(
    "--jobs", "Variants handed to BuildKit in one call.", type=click.IntRange(1, 100), default=100
)
@release_option
@options.project
def build(
    selectors: tuple[str, ...],
    push: bool,
    tags: bool,
    attest: bool,
    load: bool,
    only_locked: bool,
    keep_going: bool,
    jobs: int,
    release_path: Path | None,
    project: Project,
) -> None:
    """Build the variants that SELECTORS name; each is measured against its name.

    What is already in the registry under its fingerprint is not built again.
    """
    from bakestone.cli.views import build as build_view
    from bakestone.clients.engine.buildx import Engine
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.publish import run
    from bakestone.jobs.publish.attest.publish import Publication
    from bakestone.jobs.publish.metadata import gather

    if push and load:
        hint = "push first; then `docker pull` loads the image"
        raise fail("--push and --load exclude each other", hint, code=USAGE)
    if push:
        project.check_registry()
    project.ends(options.today())
    pins.warn(project)
    plan = project.plan(project.chosen(selectors), attest=attest)
    project.require_generated()
    release = release_path or project.release_path
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    known = gather(project.site.metadata, project.matrix_path.parent, os.environ)
    publication = Publication(known, now)
    asked = run.BuildOptions(release, push, tags, load, keep_going, jobs, only_locked, publication)
    engine, registry = Engine(project.site), Registry(project.site)
    found = run.build(plan, asked, engine, registry, build_view.Screen())
    build_view.outcome(found, asked)
    found.raise_failures()


@command(
    "Take away the tags that are gone from images.yaml.",
    "bakestone retire             which tags that would be",
    "bakestone retire --yes       take them away, from the registry and from release.json",
)
@flag("--yes", "Do it; without, it is only said.")
@release_option
@options.project
def retire(yes: bool, release_path: Path | None, project: Project) -> None:
    """Take away the names and aliases of images that release.json has and images.yaml has no more.

    Only tags below this project's registry that are still on the recorded image. The images, their
    fingerprint tags and those of a day stay: whoever pulls by these or by digest notices nothing.
    """
    from bakestone.cli.views import build as build_view
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.publish.retire import retire as take_away

    known = project.matrix.tags
    path = release_path or project.release_path
    found = take_away(path, project.registry, known, Registry(project.site), remove=yes)
    build_view.retirements(found, removed=yes)
    problems = [finding for one in found for finding in one.problem]
    if problems:
        raise BakestoneError(problems, ENVIRONMENT)


@command(
    "Build again and compare digests.",
    "bakestone reproduce openmpi5.0.10-debian12                what the registry has, made again",
    "bakestone reproduce family=debian --against rebuild       twice, from nothing",
    "bakestone reproduce NAME --against registry.example.com/base/debian@sha256:...",
)
@options.selectors
@option(
    "--against",
    "registry, rebuild, or an image by its digest.  [default: registry, else rebuild]",
    metavar="WHAT",
)
@flag(
    "--content",
    "Take images with equal files and configuration for equal, however they are compressed.",
)
@option(
    "--files limit",
    "Most files shown of a layer; 0 shows all, as JSON does.",
    type=click.IntRange(0),
    default=20,
)
@options.project
@options.as_json
def reproduce(
    selectors: tuple[str, ...],
    against: str,
    content: bool,
    limit: int,
    as_json: bool,
    project: Project,
) -> None:
    """Build the variants that SELECTORS name again, without a cache, and compare the digests of the
    images.

    A variant that is not in the registry is built twice. On a difference, exit code 1 and the
    layers and files that differ. Nothing is pushed. Compression differs between versions of
    BuildKit: digests are equal only where one version made both images.
    """
    from bakestone.cli.views import reproduce as reproduce_view
    from bakestone.cli.views.build import Screen
    from bakestone.clients.engine.buildx import Engine
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.reproduce import rebuild

    plan = project.plan(project.chosen(selectors))
    project.require_generated()
    watching = (lambda _variants: nullcontext()) if as_json else Screen().building
    engine, registry = Engine(project.site), Registry(project.site)
    results = rebuild.reproduce(plan, against, engine, registry, watching)
    reproduce_view.results(results, limit, as_json=as_json)
    good = (rebuild.EQUAL, rebuild.SAME_CONTENT) if content else (rebuild.EQUAL,)
    if any(result.verdict not in good for result in results):
        raise click.exceptions.Exit(1)


COMMANDS = (build, reproduce, retire)
