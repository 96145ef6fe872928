"""`validate`, `list`, `explain`, `generate`, `dockerfile`, `export`. Parse, call, print."""

from __future__ import annotations

import datetime
from typing import Unpack

import click

from bakestone.cli import pins
from bakestone.cli.options import (
    Paths,
    at_option,
    complete_variants,
    examples,
    format_option,
    project_of,
    project_options,
    selectors_argument,
)


@click.command(
    short_help="Check the matrix.",
    epilog=examples(
        "bakestone validate",
        "bakestone validate -f team/images.yaml --format json",
        "bakestone validate --at 2028-01-01",
    ),
)
@at_option
@click.option(
    "--ahead",
    type=click.IntRange(0, 36500),
    default=180,
    show_default=True,
    metavar="DAYS",
    help="Warn so many days before support ends.",
)
@project_options
@format_option
def validate(at: datetime.date, ahead: int, output_format: str, **paths: Unpack[Paths]) -> None:
    """Check the matrix: schema, names, versions, rules, excludes, terms, profiles, end of life."""
    from bakestone.cli.views import matrix

    project = project_of(**paths)
    warnings = project.warnings() + project.ends(at, datetime.timedelta(days=ahead))
    matrix.validated(project, warnings, as_json=output_format == "json")


@click.command(
    "list",
    short_help="Show the variants.",
    epilog=examples(
        "bakestone list",
        "bakestone list family=debian --format json",
        "bakestone list 'cuda=>=12.0,<13'",
    ),
)
@selectors_argument
@at_option
@project_options
@format_option
def list_variants(
    selectors: tuple[str, ...], at: datetime.date, output_format: str, **paths: Unpack[Paths]
) -> None:
    """Show the variants that SELECTORS name: name globs, slot=pattern, family=name."""
    from bakestone.cli.views import matrix

    project = project_of(**paths)
    matrix.variants(project, project.select(selectors), at, as_json=output_format == "json")


@click.command(
    short_help="Say where each pin comes from, or why a variant is left out.",
    epilog=examples(
        "bakestone explain openmpi3.1.2-cuda10.1-cudnn7-ubuntu16.04",
        "bakestone explain intelmpi2018.3-cuda10.1-cudnn7-ubuntu16.04",
    ),
)
@click.argument("variant", shell_complete=complete_variants)
@project_options
@format_option
def explain(variant: str, output_format: str, **paths: Unpack[Paths]) -> None:
    """Say where each pin of VARIANT comes from, or which rule leaves it out."""
    from bakestone.cli.views import matrix
    from bakestone.jobs.explain import explain as facts

    sentence, lines = facts(project_of(**paths), variant)
    matrix.facts(sentence, lines, as_json=output_format == "json")


@click.command(
    short_help="Write the Dockerfiles from the matrix and the lock.",
    epilog=examples(
        "bakestone generate",
        "bakestone generate --check",
        "bakestone generate --lock build/demo/images.lock.yaml -o build/demo/dockerfiles",
    ),
)
@click.option(
    "--check", is_flag=True, help="Write nothing; fail and name the files that are not up to date."
)
@project_options
def generate(check: bool, **paths: Unpack[Paths]) -> None:
    """Write the Dockerfiles and docker-bake.json from the matrix and the lock. Needs no network."""
    from bakestone.cli.views import matrix

    project = project_of(**paths)
    if check:
        project.require_generated()
        matrix.up_to_date(project)
    else:
        pins.warn(project)
        matrix.generated(project, *project.generate())


@click.command(
    short_help="Print the Dockerfile of one variant.",
    epilog=examples(
        "bakestone dockerfile openmpi5.0.10-debian12",
        "bakestone dockerfile openmpi5.0.10-debian12 | docker build --tag mpi -",
    ),
)
@click.argument("variant", shell_complete=complete_variants)
@project_options
def dockerfile(variant: str, **paths: Unpack[Paths]) -> None:
    """Print the stages of VARIANT alone, out of its family's Dockerfile. Needs no network."""
    from bakestone.cli.views import matrix

    matrix.dockerfile(project_of(**paths).dockerfile(variant))


@click.group()
def export() -> None:
    """Write the matrix in the form that another tool reads."""


@export.command(
    epilog=examples(
        "bakestone export github >> matrix.json",
        "bakestone export github family=debian --changed-since origin/main",
    )
)
@selectors_argument
@click.option(
    "--changed-since",
    metavar="COMMIT",
    help="Only variants whose Dockerfile differs from that commit.",
)
@click.option(
    "--max-jobs",
    type=click.IntRange(1, 256),
    default=256,
    show_default=True,
    help="Variants are shared out over at most this many jobs.",
)
@project_options
def github(
    selectors: tuple[str, ...], changed_since: str | None, max_jobs: int, **paths: Unpack[Paths]
) -> None:
    """A matrix for GitHub Actions: strategy.matrix with fromJSON."""
    from bakestone.cli.views import matrix
    from bakestone.jobs.publish.github import matrix as jobs_of

    project = project_of(**paths)
    locked = {variant.name for variant in project.locked_variants}
    plan = project.plan([v for v in project.select(selectors) if v.name in locked])
    matrix.line(jobs_of(plan, changed_since, max_jobs))
