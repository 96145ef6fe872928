"""Tables and texts on a terminal, as wide as it is; without one, a record a line, however long, and
no blanks at its end.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import click

from bakestone.errors import Finding, render

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

UNBOUND = 10_000
"""Columns where nobody looks: no line is broken, so that other programs can read it."""


def say(text: str) -> None:
    """A line for who waits, on standard error: what other programs read is not in its way."""
    click.echo(text, err=True)


def silent(_text: str) -> None:
    """What takes the place of `say` where programs read."""


def warn(findings: Iterable[Finding]) -> None:
    """Findings that stop nobody, on standard error."""
    text = told(findings)
    if text:
        say(text)


def told(findings: Iterable[Finding]) -> str:
    """Findings for standard error: as wide as a terminal is, and unbroken where there is none."""
    if not sys.stderr.isatty():
        return render(findings)
    from rich.console import Console

    return render(findings, Console(stderr=True).width)


def put_json(plain: Mapping[str, object]) -> None:
    """Print a document for programs."""
    click.echo(json.dumps(plain, indent=2))


def count(number: int, what: str) -> str:
    """`1 version`, `2 versions`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def console(*, markup: bool = False) -> Console:
    """rich's console. Text of a file is never read as markup."""
    from rich.console import Console

    out = Console(highlight=False, markup=markup)
    return out if out.is_terminal else Console(highlight=False, markup=markup, width=UNBOUND)


def table() -> Table:
    """An empty table in the form that all of them have."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)


def fits(filled: Table, screen: Console) -> bool:
    """Whether a table can be shown with no cell shortened or broken."""
    return bool(
        screen.measure(filled, options=screen.options.update(max_width=UNBOUND)).maximum
        <= screen.width
    )


def put(filled: Table, screen: Console) -> None:
    """Print a table, with an empty line before and after it."""
    click.echo()
    if screen.is_terminal:
        screen.print(filled)
    else:
        with screen.capture() as captured:
            screen.print(filled)
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
    click.echo()


def paragraph(text: str, screen: Console, first: str = "", further: str = "") -> str:
    """A text, broken between words where the terminal ends.

    `first` stands before its first line, `further` before the others.

    A word that is longer than a line, such as a checksum or a URL, stays whole, so that it can be
    copied.
    """
    width = screen.width if screen.is_terminal else UNBOUND
    filled = textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled or first.rstrip()
