"""Tables and texts on a terminal, as wide as it is; without one, a record a line, however long, and
no blanks at its end.
"""

from __future__ import annotations

import textwrap
from typing import Any

import click

UNBOUND = 10_000
"""Columns where nobody looks: no line is broken, so that other programs can read it."""


def console(*, markup: bool = False) -> Any:
    """rich's console. Text of a file is never read as markup."""
    from rich.console import Console

    out = Console(highlight=False, markup=markup)
    return out if out.is_terminal else Console(highlight=False, markup=markup, width=UNBOUND)


def table() -> Any:
    """An empty table in the form that all of them have."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)


def fits(filled: Any, screen: Any) -> bool:
    """Whether a table can be shown with no cell shortened or broken."""
    return bool(
        screen.measure(filled, options=screen.options.update(max_width=UNBOUND)).maximum
        <= screen.width
    )


def put(filled: Any, screen: Any) -> None:
    """Print a table, with an empty line before and after it."""
    click.echo()
    if screen.is_terminal:
        screen.print(filled)
    else:
        with screen.capture() as captured:
            screen.print(filled)
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
    click.echo()


def paragraph(text: str, screen: Any, first: str = "", further: str = "") -> str:
    """A text, broken between words where the terminal ends;

    `first` and `further` stand before its first line and the others.

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
