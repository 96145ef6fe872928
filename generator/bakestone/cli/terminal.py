"""Tables and texts on a terminal, as wide as it is; without one, a record a line, however long, and
no blanks at its end.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from bakestone.errors import Finding, masked, render, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_ASKED = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables by which rich is told that it writes to a terminal."""
_BETWEEN = " " * 3
"""What stands between the columns of a table."""
UNBOUND = 10_000
"""Columns where nobody looks: no line is broken, so that other programs can read it."""


def say(text: str) -> None:
    """A line for who waits, on standard error: what other programs read is not in its way."""
    click.echo(visible(text), err=True)


def put_line(text: str) -> None:
    """A line, or lines, of a report: what others wrote in it goes out as it may."""
    click.echo(visible(text))


def warn(findings: Iterable[Finding]) -> None:
    """Findings on standard error: as wide as a terminal is, and unbroken where there is none."""
    width = 0
    if sys.stderr.isatty():
        from rich.console import Console

        width = Console(stderr=True).width
    text = render(findings, width)
    if text:
        say(text)


def put_json(plain: Mapping[str, object]) -> None:
    """Print a document for programs, without the accounts of URLs. In a CI system's log no line of
    it is a command.
    """
    click.echo(json.dumps(_masked(plain), indent=2).replace("##[", "#\\u0023["))


def _masked(value: object) -> object:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {masked(str(key)): _masked(inner) for key, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list | tuple) else value


def console() -> Console:
    """rich's console. Text of a file is never read as markup."""
    from rich.console import Console

    out = Console(highlight=False, markup=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, width=UNBOUND)


def looked_at() -> bool:
    """Whether somebody may look at the output: a terminal, or what asks for the form of one."""
    return sys.stdout.isatty() or any(name in os.environ for name in _ASKED)


def table(*whole: str, folded: Iterable[str] = ()) -> Table:
    """An empty table in the form that all of them have, by the titles of its columns: first those
    whose cells stay on a line, then those whose cells are broken where there is no room.
    """
    from rich import box
    from rich.table import Table

    class Shown(Table):
        """Its cells are texts of others."""

        def add_row(self, *cells: Any, **settings: Any) -> None:
            """A row, with its texts as they may go out."""
            shown = (visible(cell) if isinstance(cell, str) else cell for cell in cells)
            super().add_row(*shown, **settings)

    made = Shown(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for title in whole:
        made.add_column(title, no_wrap=True)
    for title in folded:
        made.add_column(title, overflow="fold")
    return made


def put(filled: Table, instead: Iterable[str] | None = None) -> None:
    """Print a table, with an empty line before and after it; where no cell may be shortened and the
    terminal is too narrow for that, the lines `instead`.
    """
    screen = console()
    click.echo()
    unbound = screen.options.update(max_width=UNBOUND)
    if instead is not None and screen.measure(filled, options=unbound).maximum > screen.width:
        for line in instead:
            put_line(line)
    elif screen.is_terminal:
        screen.print(filled)
    else:
        with screen.capture() as captured:
            screen.print(filled)
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
    click.echo()


def put_rows(titles: Sequence[str], rows: Sequence[Sequence[str]], instead: Iterable[str]) -> None:
    """Print a table whose cells stay on a line, as `put` does. Where nobody looks it is made
    without rich, which takes ten times as long for thousands of rows.
    """
    known: dict[str, str] = {}  # most cells are there many times
    shown = [[known.get(c) or known.setdefault(c, visible(c)) for c in r] for r in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    usual = all(cell.isascii() and cell.isprintable() for cell in known.values())
    wide = sum(widths) + len(_BETWEEN) * len(widths)
    if looked_at() or not usual or wide > UNBOUND:
        filled = table(*titles)
        for row in rows:
            filled.add_row(*row)
        put(filled, instead)
        return
    lines = [_BETWEEN.join(map(str.ljust, row, widths)).rstrip() for row in shown]
    rule = "\u2500" * (wide - len(_BETWEEN))
    click.echo("\n".join(["", lines[0], rule, *lines[1:], ""]))


def paragraph(text: str, first: str = "", further: str = "") -> str:
    """A text, broken between words where the terminal ends.

    `first` stands before its first line, `further` before the others. A word that is longer than a
    line, such as a checksum or a URL, stays whole, so that it can be copied.
    """
    filled = textwrap.fill(
        text,
        console().width if looked_at() else UNBOUND,  # rich takes a while to be imported
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled or first.rstrip()
