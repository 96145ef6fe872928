"""The command `bakestone`: one function a command; parse, call, print."""

from __future__ import annotations

import datetime
import json
import signal
from typing import Any

import click

from bakestone import __version__
from bakestone.cli import archive as archive_cli
from bakestone.cli import base_cli, doctor_cli, freshness_cli
from bakestone.cli import build as build_cli
from bakestone.cli import library as library_cli
from bakestone.cli import pins as lock_cli
from bakestone.cli.options import (
    FORMAT,
    at_option,
    complete_variants,
    examples,
    format_option,
    project_of,
    project_options,
    selectors_argument,
)
from bakestone.errors import BakestoneError, fail, render


class _Commands(click.Group):
    """A group that shows `BakestoneError` as findings and exits with its code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; wrong input is a message, never a traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted; nothing is half done: run it again to go on", err=True)
            raise click.exceptions.Exit(128 + signal.SIGINT) from None
        except BakestoneError as problem:
            if ctx.meta.get(FORMAT) == "json":
                click.echo(
                    json.dumps({"findings": [f.as_dict() for f in problem.findings]}, indent=2)
                )
            else:
                click.echo(render(problem.findings), err=True)
                count = sum(f.severity == "error" for f in problem.findings)
                if count > 1:
                    click.echo(f"{count} errors", err=True)
            raise click.exceptions.Exit(problem.code) from None


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "bakestone validate                       is images.yaml right?",
        "bakestone list 'cuda=12.*' mpi=openmpi   which variants are there?",
        "bakestone lock && bakestone generate     pin everything, write dockerfiles/",
        "bakestone build --push                   build, measure, publish",
    ),
)
@click.version_option(__version__, prog_name="bakestone")
def main() -> None:
    """One YAML matrix in, pinned Dockerfiles and verified base images out."""


@main.command(
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
def validate(at: datetime.date, ahead: int, output_format: str, **paths: Any) -> None:
    """Check the matrix: schema, names, versions, rules, excludes, terms, profiles, end of life."""
    project = project_of(**paths)
    matrix, warnings = (
        project.matrix,
        project.warnings() + project.ends(at, datetime.timedelta(days=ahead)),
    )
    if output_format == "json":
        click.echo(
            json.dumps(
                {"variants": len(matrix.variants), "findings": [w.as_dict() for w in warnings]},
                indent=2,
            )
        )
        return
    if warnings:
        click.echo(render(warnings), err=True)
    families = ", ".join(
        f"{f.name} {sum(v.family is f for v in matrix.variants)}" for f in matrix.spec.families
    )
    click.echo(
        f"{project.matrix_path}: {len(matrix.variants)} variants ({families}),"
        f" {len(matrix.excluded)} combinations left out"
    )


@main.command(
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
    selectors: tuple[str, ...], at: datetime.date, output_format: str, **paths: Any
) -> None:
    """Show the variants that SELECTORS name: name globs, slot=pattern, family=name."""
    from bakestone.cli.views import matrix as show

    project = project_of(**paths)
    show.variants(project, project.select(selectors), at, as_json=output_format == "json")


@main.command(
    short_help="Say where each pin comes from, or why a variant is left out.",
    epilog=examples(
        "bakestone explain openmpi3.1.2-cuda10.1-cudnn7-ubuntu16.04",
        "bakestone explain intelmpi2018.3-cuda10.1-cudnn7-ubuntu16.04",
    ),
)
@click.argument("variant", shell_complete=complete_variants)
@project_options
@format_option
def explain(variant: str, output_format: str, **paths: Any) -> None:
    """Say where each pin of VARIANT comes from, or which rule leaves it out."""
    from bakestone.cli.views import matrix as show
    from bakestone.jobs.explain import explain as facts

    sentence, lines = facts(project_of(**paths), variant)
    show.facts(sentence, lines, as_json=output_format == "json")


@main.command(
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
def generate(check: bool, **paths: Any) -> None:
    """Write the Dockerfiles and docker-bake.json from the matrix and the lock. Needs no network."""
    project = project_of(**paths)
    if check:
        project.require_generated()
        click.echo(f"{project.output}: {len(project.texts())} files are up to date")
        return
    lock_cli.warn(project)
    written, removed = project.generate()
    for path in written:
        click.echo(f"wrote {path}")
    for path in removed:
        click.echo(f"removed {path}")
    click.echo(
        f"{project.output}: {len(project.texts())} files, {len(written)} written, {len(removed)}"
        " removed"
    )


@main.group()
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
    selectors: tuple[str, ...], changed_since: str | None, max_jobs: int, **paths: Any
) -> None:
    """A matrix for GitHub Actions: strategy.matrix with fromJSON."""
    from bakestone.jobs.publish import github as export_github

    project = project_of(**paths)
    there = {v.name for v in project.locked_variants}
    plan = project.plan([v for v in project.select(selectors) if v.name in there])
    click.echo(export_github.matrix(plan, changed_since, max_jobs))


@main.command(
    short_help="Print the completion script of a shell.",
    epilog=examples(
        'eval "$(bakestone completion bash)"',
        "bakestone completion fish > ~/.config/fish/completions/bakestone.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; variant names are completed too."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise fail(f"no completion for {shell}", code=2)
    click.echo(kind(main, {}, "bakestone", "_BAKESTONE_COMPLETE").source())


for command in (
    archive_cli.archive,
    base_cli.base,
    doctor_cli.doctor,
    freshness_cli.bump,
    freshness_cli.outdated,
    library_cli.component,
    library_cli.search,
    library_cli.versions,
    lock_cli.lock,
    build_cli.build,
    build_cli.reproduce,
    build_cli.retire,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
