"""The commands that build: build, reproduce, retire; parse, call, print."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Unpack

import click

from bakestone.cli import pins
from bakestone.cli.options import (
    Paths,
    examples,
    format_option,
    project_of,
    project_options,
    selectors_argument,
    today,
)
from bakestone.errors import ENVIRONMENT, USAGE, BakestoneError, fail

release_option = click.option(
    "--release",
    "release_path",
    type=click.Path(path_type=Path),
    help="The release.  [default: release.json beside the lock]",
)


@click.command(
    short_help="Build, measure and publish.",
    epilog=examples(
        "bakestone build                                  build and verify everything, publish"
        " nothing",
        "bakestone build family=debian --push             publish what is not in the registry yet",
        "bakestone build openmpi5.0.10-debian12 --load    into the local engine",
    ),
)
@selectors_argument
@click.option(
    "--push",
    is_flag=True,
    help="Push; move the floating tags when every selected variant is there.",
)
@click.option(
    "--tags/--no-tags",
    default=True,
    show_default=True,
    help="With --push: move the floating tags and write the release.",
)
@click.option(
    "--attest/--no-attest",
    default=True,
    show_default=True,
    help="With --push: add provenance and an SBOM, which leave the image as it is.",
)
@click.option("--load", is_flag=True, help="Load the images into the local engine.")
@click.option(
    "--only-locked",
    is_flag=True,
    help="Refuse every base image, file and repository that is not in the lock.",
)
@click.option(
    "--keep-going/--fail-fast",
    default=True,
    show_default=True,
    help="After a failure, build the others all the same.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 100),
    default=100,
    show_default=True,
    help="Variants handed to BuildKit in one call.",
)
@release_option
@project_options
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
    **paths: Unpack[Paths],
) -> None:
    """Build the variants that SELECTORS name; each is measured against its name.

    What is already in the registry under its fingerprint is not built again.
    """
    from bakestone.cli.views.build import Screen
    from bakestone.cli.views.build import outcome as show
    from bakestone.clients.engine.buildx import Engine
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.publish import run

    if push and load:
        hint = "push first; then `docker pull` loads the image"
        raise fail("--push and --load exclude each other", hint, code=USAGE)
    project = project_of(**paths)
    if push:
        project.check_registry()
    project.ends(today())
    pins.warn(project)
    plan = project.plan(project.chosen(selectors), attest=attest)
    project.require_generated()
    options = run.BuildOptions(
        release=release_path or project.lock_path.with_name("release.json"),
        push=push,
        tags=tags,
        load=load,
        keep_going=keep_going,
        chunk=jobs,
        only_locked=only_locked,
    )
    engine, registry = Engine(project.site), Registry(project.site)
    found = run.build(plan, options, engine, registry, Screen())
    show(found, options)
    found.raise_failures()


@click.command(
    short_help="Take away the tags of variants that are gone from images.yaml.",
    epilog=examples(
        "bakestone retire             which tags that would be",
        "bakestone retire --yes       take them away, from the registry and from release.json",
    ),
)
@click.option("--yes", is_flag=True, help="Do it; without, it is only said.")
@release_option
@project_options
def retire(yes: bool, release_path: Path | None, **paths: Unpack[Paths]) -> None:
    """Take away the floating tags of variants that release.json has and images.yaml has no more.

    Only tags below this project's registry that are still on the recorded image. The images and
    their fingerprint tags stay: whoever pulls by digest notices nothing.
    """
    from bakestone.cli.views.build import retirements as show
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.publish.retire import retire as take_away

    project = project_of(**paths)
    known = [(v.family.name, v.name) for v in project.matrix.variants]
    path = release_path or project.lock_path.with_name("release.json")
    found = take_away(path, project.registry, known, Registry(project.site), remove=yes)
    show(found, removed=yes)
    problems = [finding for one in found for finding in one.problem]
    if problems:
        raise BakestoneError(problems, ENVIRONMENT)


@click.command(
    short_help="Build again and compare digests.",
    epilog=examples(
        "bakestone reproduce openmpi5.0.10-debian12                what the registry has, made"
        " again",
        "bakestone reproduce family=debian --against rebuild       twice, from nothing",
        "bakestone reproduce NAME --against registry.example.com/base/debian@sha256:...",
    ),
)
@selectors_argument
@click.option(
    "--against",
    default="",
    metavar="WHAT",
    help="registry, rebuild, or an image by its digest.  [default: registry, else rebuild]",
)
@click.option(
    "--content",
    is_flag=True,
    help="Take images with equal files and configuration for equal, however they are compressed.",
)
@click.option(
    "--files",
    "limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Most files shown of a layer; 0 shows all, as JSON does.",
)
@project_options
@format_option
def reproduce(
    selectors: tuple[str, ...],
    against: str,
    content: bool,
    limit: int,
    output_format: str,
    **paths: Unpack[Paths],
) -> None:
    """Build the variants that SELECTORS name again, without a cache, and compare the digests of the
    images.

    A variant that is not in the registry is built twice. On a difference, exit code 1 and the
    layers and files that differ. Nothing is pushed. Compression differs between versions of
    BuildKit: digests are equal only where one version made both images.
    """
    from bakestone.cli.views.progress import Progress
    from bakestone.cli.views.reproduce import results as show
    from bakestone.clients.engine.buildx import Engine
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.reproduce import rebuild

    as_json = output_format == "json"
    project = project_of(**paths)
    plan = project.plan(project.chosen(selectors))
    project.require_generated()
    results = rebuild.reproduce(
        plan,
        against,
        Engine(project.site),
        Registry(project.site),
        lambda variants: nullcontext() if as_json else Progress(variants),
    )
    show(results, limit, as_json=as_json)
    good = (rebuild.EQUAL, rebuild.SAME_CONTENT) if content else (rebuild.EQUAL,)
    if any(result.verdict not in good for result in results):
        raise click.exceptions.Exit(1)
