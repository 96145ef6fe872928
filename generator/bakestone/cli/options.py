"""Options that several commands have, each said in one place."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

from bakestone.errors import USAGE, BakestoneError, fail

if TYPE_CHECKING:
    from bakestone.core.library.catalog import Library
    from bakestone.project import Project

FORMAT = "bakestone.format"
"""Key of click's context under which the form that was asked for is kept: errors are told in it."""

Command = TypeVar("Command", bound=Callable[..., Any])
"""What click makes a command of."""
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


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


def day(text: str) -> datetime.date:
    """A day as people write it. Raises `click.BadParameter`."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as problem:
        raise click.BadParameter(f"{text!r} is not a day: write 2028-06-30") from problem


def _date(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime.date:
    return today() if value is None else day(value)


at_option = click.option(
    "--at",
    callback=_date,
    metavar="DATE",
    help="Judge end of life as on that day.  [default: today]",
)


class Paths(TypedDict):
    """What the options of `project_options` say."""

    matrix_path: Path
    site_path: Path | None
    lock_path: Path | None
    output: Path | None
    registry_override: str


def project_options(command: Command) -> Command:
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
) -> Project:
    """The project that the options of `project_options` name."""
    from bakestone.core.documents.schema import check_value
    from bakestone.project import Project

    if not matrix_path.name:
        hint = "name the file in it: -f FOLDER/images.yaml"
        raise fail(f"{matrix_path} is a folder", hint, name="--file", code=USAGE)
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


def library_beside(matrix_path: Path) -> Library:
    """The library of a matrix, which need not be there yet."""
    from bakestone.core.library.catalog import Library

    return Library.beside(matrix_path.resolve().parent)


def _completed(names: Callable[[Path], Sequence[str]], ctx: click.Context, word: str) -> list[str]:
    """Names for the shell's completion; silent when something is not right."""
    try:
        path = ctx.params.get("matrix_path") or Path("images.yaml")
        return [name for name in names(path) if name.startswith(word)]
    except BakestoneError:
        return []


def complete_variants(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Variant names for the shell's completion."""

    def names(path: Path) -> list[str]:
        return [v.name for v in project_of(path, None, None, None, "").matrix.variants]

    return _completed(names, ctx, incomplete)


def complete_components(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of components for the shell's completion."""
    return _completed(lambda path: list(library_beside(path).names), ctx, incomplete)


selectors_argument = click.argument("selectors", nargs=-1, shell_complete=complete_variants)


class Size(click.ParamType[int]):
    """Bytes, such as 4GiB, 500M or 1000000."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The number of bytes; `value` may be one already."""
        if isinstance(value, int):
            return value
        digits = str(value).rstrip("kKMGiB")
        unit = str(value)[len(digits) :].removesuffix("B")
        if not digits.isascii() or not digits.isdigit() or unit not in _UNITS or not int(digits):
            self.fail(f"{value!r} is not a size: write 500M or 4GiB", param, ctx)
        return int(digits) * _UNITS[unit]
