"""Commands and options as all of them are, and the options that several commands have."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bakestone.errors import USAGE, BakestoneError, fail

if TYPE_CHECKING:
    from bakestone.core.library.catalog import Library
    from bakestone.project import Project

FORMAT = "bakestone.format"
"""Key of click's context under which the form that was asked for is kept: errors are told in it."""
FILE = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)

Function = TypeVar("Function", bound=Callable[..., Any])
"""What click makes a command of."""
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def command(
    short: str, *examples: str, name: str | None = None, group: click.Group | None = None
) -> Callable[[Callable[..., object]], click.Command]:
    """A command: its line in the list of all, and examples for its own help.

    It is added to `group`; without one, app.py adds it to `bakestone` itself.
    """
    made = group.command if group else click.command
    return made(name, short_help=short, epilog=epilog(*examples))


def epilog(*examples: str) -> str:
    """What stands at the end of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples)


def option(names: str, text: str, **settings: object) -> Callable[[Function], Function]:
    """An option by its spellings and the name of its parameter (between blanks), and its help.

    A default that says something is shown; a plain text that is not given is empty.
    """
    if settings.keys() <= {"metavar"}:
        settings["default"] = ""
    made: Callable[..., Any] = click.option  # with settings of many types
    shown = bool(settings.get("default"))
    decorator: Callable[[Function], Function]
    decorator = made(*names.split(), help=text, show_default=shown, **settings)
    return decorator


def several(
    names: str, metavar: str, text: str, **settings: object
) -> Callable[[Function], Function]:
    """An option that may be given several times."""
    return option(names, text, metavar=metavar, multiple=True, **settings)


def flag(name: str, text: str) -> Callable[[Function], Function]:
    """An option that is given or not."""
    return option(name, text, is_flag=True)


def _is_json(ctx: click.Context, _param: click.Parameter, value: str) -> bool:
    """Errors are told in the form that was asked for."""
    ctx.meta[FORMAT] = value
    return value == "json"


as_json = option(
    "--format as_json",
    "For people or for programs.",
    callback=_is_json,
    type=click.Choice(["table", "json"]),
    default="table",
)
MATRIX = Path("images.yaml")


def _found(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path:
    """The file that was named; else the images.yaml of this folder, or of the nearest folder above
    that has one, as git looks for its own. One that is somebody else's is left alone.
    """
    if value is not None:
        return value
    here = Path.cwd()
    owner = os.stat(here).st_uid
    for folder in (here, *here.parents):
        matrix = folder / MATRIX
        if matrix.is_file() and os.stat(matrix).st_uid == owner:
            return Path(os.path.relpath(matrix, here))
        if (folder / ".git").exists():
            break
    return MATRIX


matrix = option(
    "-f --file matrix_path",
    f"The matrix.  [default: {MATRIX} here or in the nearest folder above]",
    type=FILE,
    default=None,
    callback=_found,
)
_site_path_option = option(
    "--site site_path",
    "The site file: mirrors, registry, CA. Also BAKESTONE_SITE.",
    type=FILE,
    envvar="BAKESTONE_SITE",
)


def site(function: Function) -> Function:
    """--site: the command gets the `Site`, so that a file that is wrong is told by each."""

    @_site_path_option
    @wraps(function)
    def with_site(site_path: Path | None, **given: Any) -> Any:
        from bakestone.clients.site.site import load

        return function(site=load(site_path), **given)

    return with_site  # type: ignore[return-value]  # click calls it in the function's place


def today() -> datetime.date:
    """The day in UTC: a run gives the same answer wherever it is."""
    return datetime.datetime.now(datetime.UTC).date()


def day(text: str) -> datetime.date:
    """A day as people write it. Raises `click.BadParameter`."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as problem:
        raise click.BadParameter(f"{text!r} is not a day: write 2028-06-30") from problem


at = option(
    "--at",
    "Judge end of life as on that day.  [default: today]",
    callback=lambda _ctx, _param, value: today() if value is None else day(value),
    metavar="DATE",
)


def project(function: Function) -> Function:
    """The options that say which files a command works on: it gets the `Project`."""

    @option(
        "--registry registry_override",
        "Where images go, instead of the file's registry.",
        metavar="HOST/PATH",
    )
    @option(
        "-o --output", "The generated folder.  [default: dockerfiles beside the matrix]", type=FILE
    )
    @option(
        "--lock lock_path", "The lock.  [default: images.lock.yaml beside the matrix]", type=FILE
    )
    @_site_path_option
    @matrix
    @wraps(function)
    def with_project(matrix_path: Path, **given: Any) -> Any:
        names = ("site_path", "lock_path", "output", "registry_override")
        project = project_of(matrix_path, *(given.pop(name) for name in names))
        _ = project.site  # read at once: each command says what is wrong with it
        return function(project=project, **given)

    return with_project  # type: ignore[return-value]  # click calls it in the function's place


def project_of(
    matrix_path: Path,
    site_path: Path | None = None,
    lock_path: Path | None = None,
    output: Path | None = None,
    registry_override: str = "",
) -> Project:
    """The project that the options of `project` name."""
    from bakestone.core.documents.schema import check_value
    from bakestone.project import Project

    if not matrix_path.name:
        hint = "name the file in it: -f FOLDER/images.yaml"
        raise fail(f"{matrix_path} is a folder", hint, name="--file", code=USAGE)
    if registry_override:
        check_value(registry_override, "images", "registry", "--registry")
    lock = lock_path or matrix_path.with_name(matrix_path.stem + ".lock.yaml")
    output = output or matrix_path.parent / "dockerfiles"
    return Project(matrix_path, lock, output, site_path, registry_override)


def library_beside(matrix_path: Path) -> Library:
    """The library of a matrix, which need not be there yet."""
    from bakestone.core.library.catalog import Library

    return Library.beside(matrix_path.resolve().parent)


def _completed(names: Callable[[Path], Sequence[str]]) -> Callable[..., list[str]]:
    """Names for the shell's completion; silent when something is not right."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        try:
            path = ctx.params.get("matrix_path") or MATRIX
            return [name for name in names(path) if name.startswith(incomplete)]
        except BakestoneError:
            return []

    return complete


complete_variants = _completed(lambda path: [v.name for v in project_of(path).matrix.variants])
complete_components = _completed(lambda path: list(library_beside(path).names))
selectors = click.argument("selectors", nargs=-1, shell_complete=complete_variants)


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
