"""Options that several commands have, each said in one place."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bakestone.errors import BakestoneError

FORMAT = "bakestone.format"
"""Key of click's context under which the form that was asked for is kept: errors are told in it."""

_F = TypeVar("_F", bound=Callable[..., Any])


def _remember_format(ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Errors are told in the form that was asked for."""
    ctx.meta[FORMAT] = value
    return value


def examples(*lines: str) -> str:
    """The epilog of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


format_option = click.option(
    "--format",
    "output_format",
    callback=_remember_format,
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people or for programs.",
)
matrix_option = click.option(
    "-f",
    "--file",
    "matrix_path",
    type=click.Path(path_type=Path),
    default=Path("images.yaml"),
    show_default=True,
    help="The matrix.",
)
site_option = click.option(
    "--site",
    "site_path",
    type=click.Path(path_type=Path),
    envvar="BAKESTONE_SITE",
    help="The site file: mirrors, registry, CA. Also BAKESTONE_SITE.",
)


def today() -> datetime.date:
    """The day in UTC: a run gives the same answer wherever it is."""
    return datetime.datetime.now(datetime.UTC).date()


def _date(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime.date:
    if value is None:
        return today()
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a day: write 2028-06-30") from None


at_option = click.option(
    "--at",
    callback=_date,
    metavar="DATE",
    help="Judge end of life as on that day.  [default: today]",
)


def project_options(command: _F) -> _F:
    """The options that say which files a command works on; `project_of` takes them."""
    for option in (
        matrix_option,
        site_option,
        click.option(
            "--lock",
            "lock_path",
            type=click.Path(path_type=Path),
            help="The lock.  [default: images.lock.yaml beside the matrix]",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            help="The generated folder.  [default: dockerfiles beside the matrix]",
        ),
        click.option(
            "--registry",
            "registry_override",
            default="",
            metavar="HOST/PATH",
            help="Where images go, instead of the file's registry.",
        ),
    ):
        command = option(command)
    return command


def project_of(
    matrix_path: Path,
    site_path: Path | None,
    lock_path: Path | None,
    output: Path | None,
    registry_override: str,
) -> Any:
    """The project that the options of `project_options` name."""
    from bakestone.core.documents.schema import check_value
    from bakestone.project import Project

    if registry_override:
        check_value(registry_override, "images", "registry", "--registry")
    lock = lock_path or matrix_path.with_name(matrix_path.stem + ".lock.yaml")
    return Project(
        matrix_path,
        lock,
        output or matrix_path.parent / "dockerfiles",
        site_path,
        registry_override,
    )


def complete_variants(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Variant names for the shell's completion; silent when images.yaml is not right."""
    try:
        path = ctx.params.get("matrix_path") or Path("images.yaml")
        return [
            v.name
            for v in project_of(path, None, None, None, "").matrix.variants
            if v.name.startswith(incomplete)
        ]
    except BakestoneError:
        return []


selectors_argument = click.argument("selectors", nargs=-1, shell_complete=complete_variants)
