"""What the doctor says: a table of what is not well, and a line of how much was looked at; or JSON."""

from __future__ import annotations

import json

import click

from generator.doctor.trouble import KINDS, NETWORK, Report, Trouble
from generator.show import console

_NAMES = 2
"""Variants that a row names; the others are in the JSON."""
_PLURAL = {
    "base": "base images", "file": "files", "wheel": "wheels", "package": "bases' packages", "snapshot": "snapshots",
    "repository": "vendors' repositories", "key": "keys", "registry": "repositories to push to",
}  # fmt: skip


def report(found: Report, *, as_json: bool, code: int) -> None:
    """Print the report; `code` is what the command ends with."""
    if as_json:
        plain = {
            "variants": len(found.variants),
            "would_not_build": found.hit(),
            "checks": {kind: {"asked": found.asked[kind], "good": found.good[kind]} for kind in KINDS if found.asked[kind]},
            "problems": [row.as_dict() for row in found.rows()],
            "exit": code,
        }
        click.echo(json.dumps(plain, indent=2))
        return
    rows = found.rows()
    if rows:
        _table(rows, len(found.variants))
    parts = [f"{_PLURAL.get(kind, kind)} {found.good[kind]}/{found.asked[kind]}" for kind in KINDS if found.asked[kind]]
    click.echo(f"good: {', '.join(parts)}")
    hit = len(found.hit())
    if hit:
        click.echo(f"{hit} of {len(found.variants)} variants would not build today")
    elif rows:
        click.echo(f"nothing that is pinned was found broken for {len(found.variants)} variants; see above for what is in the way")
    else:
        click.echo(f"all is well: {len(found.variants)} variants")


def _table(rows: list[Trouble], total: int) -> None:
    from rich import box
    from rich.table import Table

    out = console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, leading=1, expand=out.is_terminal)
    table.add_column("state", no_wrap=True)
    table.add_column("what, and why", overflow="fold", ratio=5)
    table.add_column("variants", overflow="fold", ratio=3)
    table.add_column("what to do", overflow="fold", ratio=3)
    for row in rows:
        what = row.what if row.kind in (NETWORK, "clock", "engine") else f"{row.kind} {row.what.removeprefix(row.kind + ' ')}"
        table.add_row(row.state, f"{what}\n{_why(row)}", _variants(row.variants, total), row.hint)
    out.print(table)


def _why(row: Trouble) -> str:
    if row.kind == NETWORK and len(row.items) > 1:
        return f"{row.why}; {len(row.items)} checks were not made"
    return row.why


def _variants(names: tuple[str, ...], total: int) -> str:
    if not names:
        return "-"
    if len(names) == total > _NAMES:
        return f"all {total}"
    more = [f"and {len(names) - _NAMES} more"] if len(names) > _NAMES else []
    return "\n".join([*names[:_NAMES], *more])
