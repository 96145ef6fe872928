"""`bakestone doctor`: parse, call, print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from bakestone.cli.options import (
    examples,
    format_option,
    project_of,
    project_options,
    selectors_argument,
)
from bakestone.jobs.doctor.report import KINDS


@click.command(
    short_help="Is everything that is pinned still there, and can this machine build?",
    epilog=examples(
        "bakestone doctor",
        "bakestone doctor family=debian --format json",
        "bakestone doctor --skip registry --skip engine       the pins only, from a machine that"
        " does not build",
        "bakestone doctor --deep                              download and hash every file",
    ),
)
@selectors_argument
@click.option(
    "--deep", is_flag=True, help="Download every file and wheel and compare its checksum."
)
@click.option(
    "--offline-ok",
    is_flag=True,
    help="What cannot be asked from here does not count for the exit code.",
)
@click.option(
    "--skip",
    multiple=True,
    type=click.Choice(KINDS),
    metavar="KIND",
    help=f"Do not look at these: {', '.join(KINDS)}.",
)
@click.option(
    "--max-time",
    type=click.FloatRange(1, 86400),
    default=900,
    show_default=True,
    help="Seconds for all checks together.",
)
@project_options
@format_option
def doctor(
    selectors: tuple[str, ...],
    deep: bool,
    offline_ok: bool,
    skip: tuple[str, ...],
    max_time: float,
    output_format: str,
    **paths: Any,
) -> None:
    """Look at everything that the lock names, for the variants that SELECTORS name, and at this
    machine.

    Tells which variants would not build today, why, and what to do. Exit 0: all is well; 1:
    something that is pinned is broken; 3: the environment is at fault, or something could not be
    asked from here.
    """
    from bakestone.cli.views import doctor as show
    from bakestone.clients.engine.buildx import Engine
    from bakestone.jobs.doctor import examine

    project = project_of(**paths)
    options = examine.DoctorOptions(deep=deep, skip=frozenset(skip), max_time=max_time)
    world = examine.World(Engine(project.site))
    with _progress() as watch:
        found = examine.examine(project, selectors, options, world, watch)
    code = found.code(offline_ok=offline_ok)
    show.report(found, as_json=output_format == "json", code=code)
    if code:
        raise click.exceptions.Exit(code)


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """A bar while a person waits; nothing is shown where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda _done, _total, _what: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, what: bar.update(
            task, completed=done, total=total, description=what[-60:]
        )
