"""What the doctor says: a table of what is not well, and how much was looked at; or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from bakestone.cli.terminal import console, fits, paragraph, put, put_json, table
from bakestone.jobs.doctor.report import KINDS, LEFT_OVER, NETWORK, DoctorReport, Trouble

if TYPE_CHECKING:
    from rich.console import Console

_NAMES = 2
"""Variants that a row names; the others are in the JSON."""
_PLURAL = {
    "base": "base images",
    "file": "files",
    "wheel": "wheels",
    "package": "bases' packages",
    "snapshot": "snapshots",
    "repository": "vendors' repositories",
    "key": "keys",
    "registry": "repositories to push to",
}


def report(found: DoctorReport, *, as_json: bool, code: int) -> None:
    """Print the report; `code` is what the command ends with."""
    if as_json:
        plain = {
            "variants": len(found.variants),
            "would_not_build": found.hit(),
            "checks": {
                kind: {"asked": found.asked[kind], "good": found.good[kind]}
                for kind in KINDS
                if found.asked[kind]
            },
            "problems": [row.as_dict() for row in found.rows()],
            "exit": code,
        }
        put_json(plain)
        return
    rows = found.rows()
    if rows:
        _table(rows, len(found.variants))
    parts = [
        f"{_PLURAL.get(kind, kind)} {found.good[kind]}/{found.asked[kind]}"
        for kind in KINDS
        if found.asked[kind]
    ]
    click.echo(paragraph(f"good: {', '.join(parts)}", console(), further="  "))
    hit = len(found.hit())
    if hit:
        click.echo(f"{hit} of {len(found.variants)} variants would not build today")
    elif any(row.state != LEFT_OVER for row in rows):
        click.echo(
            f"nothing that is pinned was found broken for {len(found.variants)} variants; see above"
            " for what is in the way"
        )
    else:
        click.echo(f"all is well: {len(found.variants)} variants")


def _table(rows: Sequence[Trouble], total: int) -> None:
    """A row a line; on a terminal that is too narrow for that, a few lines a row."""
    screen, filled = console(), table()
    for name in ("state", "what", "why", "variants", "what to do"):
        filled.add_column(name)
    cells = [
        (row.state, _what(row), _why(row), _variants(row.variants, total), row.hint) for row in rows
    ]
    for row in cells:
        filled.add_row(*row)
    if fits(filled, screen):
        put(filled, screen)
        return
    click.echo()
    for state, what, why, variants, hint in cells:
        for line in (
            f"{state}: {what}",
            *_indented((why, f"variants: {variants}", f"do: {hint}"), screen),
        ):
            click.echo(line)
        click.echo()


def _indented(texts: Sequence[str], screen: Console) -> Iterator[str]:
    for text in texts:
        yield paragraph(text, screen, "    ", "      ")


def _what(row: Trouble) -> str:
    return (
        row.what
        if row.kind in (NETWORK, "clock", "engine")
        else f"{row.kind} {row.what.removeprefix(row.kind + ' ')}"
    )


def _why(row: Trouble) -> str:
    if row.kind == NETWORK and len(row.items) > 1:
        return f"{row.why}; {len(row.items)} checks were not made"
    return row.why


def _variants(names: tuple[str, ...], total: int) -> str:
    if not names:
        return "-"
    if len(names) == total > _NAMES:
        return f"all {total}"
    return ", ".join(names[:_NAMES]) + (
        f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    )
