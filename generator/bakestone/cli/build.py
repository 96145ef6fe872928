"""The command `bakestone reproduce`; parse, call, print."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import click

from bakestone.cli.options import (
    examples,
    format_option,
    project_of,
    project_options,
    selectors_argument,
)


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
    **paths: Any,
) -> None:
    """Build the variants that SELECTORS name again, without a cache, and compare the digests of the
    images.

    A variant that is not in the registry is built twice. On a difference, exit code 1 and the
    layers and files that differ. Nothing is pushed. Compression differs between versions of
    BuildKit: digests are equal only where one version made both images.
    """
    from bakestone.cli.views import reproduce as show
    from bakestone.cli.views.progress import Progress
    from bakestone.jobs.reproduce import rebuild

    as_json = output_format == "json"
    results = rebuild.reproduce(
        project_of(**paths),
        selectors,
        against,
        lambda variants: nullcontext() if as_json else Progress(variants),
    )
    show.results(results, limit, as_json=as_json)
    good = (rebuild.EQUAL, rebuild.SAME_CONTENT) if content else (rebuild.EQUAL,)
    if any(result.verdict not in good for result in results):
        raise click.exceptions.Exit(1)
