"""The commands that keep pins fresh:

`outdated` says what is newer, `bump` edits images.yaml. Parse, call, print.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import click

from bakestone.cli.options import (
    at_option,
    examples,
    format_option,
    matrix_option,
    project_of,
    project_options,
    selectors_argument,
)
from bakestone.errors import ENVIRONMENT, INPUT, USAGE, BakestoneError, fail

KINDS = ("base", "version", "package", "security", "snapshot")


@click.command(
    short_help="Show what is newer than the pins.",
    epilog=examples(
        "bakestone outdated",
        "bakestone outdated family=debian --no-packages",
        "bakestone outdated --only security --exit-code     fail where a security update waits",
    ),
)
@selectors_argument
@click.option(
    "--only",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS),
    metavar="KIND",
    help=f"Only this kind, several times: {', '.join(KINDS)}.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also packages without a security update, and families that ignore end of life.",
)
@click.option(
    "--packages/--no-packages",
    default=True,
    show_default=True,
    help="Ask the package managers inside the bases, through the engine.",
)
@click.option(
    "--exit-code",
    is_flag=True,
    help="End with 1 when something is newer, with 3 when something could not be asked.",
)
@at_option
@project_options
@format_option
def outdated(
    selectors: tuple[str, ...], kinds: tuple[str, ...], everything: bool, packages: bool, exit_code: bool, at: datetime.date, output_format: str,
    **paths: Any,
) -> None:  # fmt: skip
    """Show what is newer than the pins of the variants that SELECTORS name, and the command that
    moves each.

    Base images are asked of their registry (or its mirror), versions of the component library, and
    packages of apt or dnf inside the locked bases. What cannot be asked is told, and hides nothing
    else.
    """
    from bakestone.cli.views import freshness as show_freshness
    from bakestone.jobs.freshness import outdated as asking

    wanted = frozenset(kinds or KINDS) - (frozenset() if packages else {"package", "security"})
    if not wanted:
        raise fail(
            "--no-packages leaves nothing of --only",
            "leave out one of the two",
            name="--only",
            code=USAGE,
        )
    say = (
        (lambda _text: None)
        if output_format == "json"
        else (lambda text: click.echo(text, err=True))
    )
    report = asking.ask(project_of(**paths), selectors, asking.Options(wanted, at, everything), say)
    show_freshness.report(
        report, at, everything=everything or "package" in kinds, as_json=output_format == "json"
    )
    if exit_code and (report.rows or report.unasked):
        raise click.exceptions.Exit(INPUT if report.rows else ENVIRONMENT)


def _complete_components(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of components for the shell's completion; silent when something is not right."""
    from bakestone.core.library.catalog import Library

    try:
        path = ctx.params.get("matrix_path") or Path("images.yaml")
        return [
            name
            for name in Library.beside(path.resolve().parent).names
            if name.startswith(incomplete)
        ]
    except BakestoneError:
        return []


def _beside(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """COMPONENT@VERSION taken apart."""
    parts = [value.partition("@") for value in values]
    wrong = next(
        (
            value
            for value, (name, _, version) in zip(values, parts, strict=True)
            if not name or not version
        ),
        None,
    )
    if wrong is not None:
        raise click.BadParameter(f"{wrong!r} is not COMPONENT@VERSION, such as cudnn@9.8.0.87")
    return tuple((name, version) for name, _, version in parts)


@click.command(
    short_help="Change the version of a component in images.yaml.",
    epilog=examples(
        "bakestone bump cuda 12.8.1 --from 12.4.1",
        "bakestone bump cuda 13.0.0 --together                 cuDNN and NCCL along with it",
        "bakestone bump cuda 13.0.2 --with cudnn@9.14.0.64     these ones",
        "bakestone bump openmpi --family debian --dry-run      the newest that passes",
    ),
)
@click.argument("component", shell_complete=_complete_components)
@click.argument("version", default="")
@click.option(
    "--from",
    "old",
    default="",
    metavar="VERSION",
    help="The version to replace, where images.yaml has several.",
)
@click.option(
    "--family",
    "families",
    multiple=True,
    metavar="NAME",
    help="Only in this family; several times for several.",
)
@click.option(
    "--together",
    is_flag=True,
    help=(
        "Where the rules ask for it, also change what stands beside it, to the nearest that passes."
    ),
)
@click.option(
    "--with",
    "beside",
    multiple=True,
    callback=_beside,
    metavar="COMPONENT@VERSION",
    help="Change this along with it, where it stands beside it.",
)
@click.option("--dry-run", is_flag=True, help="Show the difference, write nothing.")
@at_option
@matrix_option
@format_option
def bump(
    component: str, version: str, old: str, families: tuple[str, ...], together: bool, beside: tuple[tuple[str, str], ...], dry_run: bool,
    at: datetime.date, matrix_path: Path, output_format: str,
) -> None:  # fmt: skip
    """Write VERSION of COMPONENT into images.yaml, wherever the old one stands; without VERSION,
    the newest that passes.

    Comments, layout, quotes and line ends stay. Axes and includes are changed, and excludes that
    name the old version itself. Nothing is written unless the new file passes the schema and every
    rule.
    """
    from bakestone.cli.views import freshness as show_freshness
    from bakestone.core.documents import edits
    from bakestone.core.library.catalog import Library
    from bakestone.jobs.freshness import bump as bumping

    if beside and not version:
        raise fail(
            "--with needs the VERSION that it goes with",
            "bakestone bump cuda 13.0.2 --with cudnn@9.14.0.64",
            name="VERSION",
            code=USAGE,
        )
    source = edits.read(
        matrix_path,
        "the matrix",
        hint="give the file with -f FILE, or run bakestone where images.yaml is",
    )
    wish = bumping.Wish(component, version, old, families, together, beside)
    plan = bumping.plan(
        source.text, matrix_path, Library.beside(matrix_path.resolve().parent), wish, at
    )
    written = plan.text != source.text and not dry_run
    if written:
        edits.replace(source, plan.text)
    show_freshness.bumped(
        plan, source.text, matrix_path, written=written, as_json=output_format == "json"
    )
