"""`validate`, `list`, `diff`, `explain`, `generate`, `dockerfile`, `export`. Parse, call, print."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import click

from bakestone.cli import options, pins
from bakestone.cli.options import command, flag, option

if TYPE_CHECKING:
    from bakestone.project import Project


@command(
    "Check the matrix.",
    "bakestone validate",
    "bakestone validate -f team/images.yaml --format json",
    "bakestone validate --at 2028-01-01",
)
@options.at
@option(
    "--ahead",
    "Warn so many days before support ends.",
    type=click.IntRange(0, 36500),
    default=180,
    metavar="DAYS",
)
@options.project
@options.as_json
def validate(at: datetime.date, ahead: int, as_json: bool, project: Project) -> None:
    """Check the matrix: schema, names, versions, rules, excludes, terms, profiles, end of life."""
    from bakestone.cli.views import matrix as matrix_view

    warnings = project.warnings() + project.ends(at, datetime.timedelta(days=ahead))
    matrix_view.validated(project, warnings, as_json=as_json)


@command(
    "Show the variants.",
    "bakestone list",
    "bakestone list family=debian --format json",
    "bakestone list 'cuda=>=12.0,<13'",
    name="list",
)
@options.selectors
@options.at
@options.project
@options.as_json
def list_variants(
    selectors: tuple[str, ...], at: datetime.date, as_json: bool, project: Project
) -> None:
    """Show the variants that SELECTORS name: name globs, slot=pattern, family=name."""
    from bakestone.cli.views import matrix as matrix_view

    matrix_view.variants(project, project.select(selectors), at, as_json=as_json)


@command(
    "Show the variants that came, went and changed since a commit.",
    "bakestone diff origin/main",
    "bakestone diff HEAD~1 --format json",
)
@click.argument("commit")
@options.project
@options.as_json
def diff(commit: str, as_json: bool, project: Project) -> None:
    """Show the variants that came, went and changed since COMMIT, and what changed in words.

    What images.yaml was is read from git, with the components beside it, the files that it names
    and the lock. A variant has changed when its fingerprint has, or, where a lock does not say it,
    when the matrix says something else of it. Both are read with the library of this Bakestone.
    """
    from bakestone.cli.views import matrix as matrix_view
    from bakestone.jobs.changes import compare

    matrix_view.changes(compare.since(project, commit), project, commit, as_json=as_json)


@command(
    "Say where each pin comes from, or why a variant is left out.",
    "bakestone explain openmpi3.1.2-cuda10.1-cudnn7-ubuntu16.04",
    "bakestone explain intelmpi2018.3-cuda10.1-cudnn7-ubuntu16.04",
)
@click.argument("variant", shell_complete=options.complete_variants)
@options.project
@options.as_json
def explain(variant: str, as_json: bool, project: Project) -> None:
    """Say where each pin of VARIANT comes from, or which rule leaves it out."""
    from bakestone.cli.views import matrix as matrix_view
    from bakestone.jobs import explain as explaining

    matrix_view.facts(*explaining.explain(project, variant), as_json=as_json)


@command(
    "Write the Dockerfiles from the matrix and the lock.",
    "bakestone generate",
    "bakestone generate --check",
    "bakestone generate --lock build/demo/images.lock.yaml -o build/demo/dockerfiles",
)
@flag("--check", "Write nothing; fail and name the files that are not up to date.")
@options.project
def generate(check: bool, project: Project) -> None:
    """Write the Dockerfiles and docker-bake.json from the matrix and the lock. Needs no network."""
    from bakestone.cli.views import matrix as matrix_view

    if check:
        project.require_generated()
        matrix_view.up_to_date(project)
    else:
        pins.warn(project)
        matrix_view.generated(project, *project.generate())


@command(
    "Print the Dockerfile of one variant.",
    "bakestone dockerfile openmpi5.0.10-debian12",
    "bakestone dockerfile openmpi5.0.10-debian12 | docker build --tag mpi -",
)
@click.argument("variant", shell_complete=options.complete_variants)
@options.project
def dockerfile(variant: str, project: Project) -> None:
    """Print the stages of VARIANT alone, out of its family's Dockerfile. Needs no network."""
    from bakestone.cli.views import matrix as matrix_view

    matrix_view.dockerfile(project.dockerfile(variant))


@click.group()
def export() -> None:
    """Write the matrix in the form that another tool reads."""


@command(
    "A matrix for GitHub Actions: strategy.matrix with fromJSON.",
    "bakestone export github >> matrix.json",
    "bakestone export github family=debian --changed-since origin/main",
    group=export,
)
@options.selectors
@option(
    "--changed-since",
    "Only variants with another stage than at that commit.",
    metavar="COMMIT",
    default=None,
)
@option(
    "--max-jobs",
    "Variants are shared out over at most this many jobs.",
    type=click.IntRange(1, 256),
    default=256,
)
@options.project
def github(
    selectors: tuple[str, ...], changed_since: str | None, max_jobs: int, project: Project
) -> None:
    """A matrix for GitHub Actions: strategy.matrix with fromJSON."""
    from bakestone.jobs.publish.github import matrix as jobs_of

    locked = {variant.name for variant in project.locked_variants}
    plan = project.plan([v for v in project.select(selectors) if v.name in locked])
    click.echo(jobs_of(plan, changed_since, max_jobs))


COMMANDS = (diff, dockerfile, explain, export, generate, list_variants, validate)
