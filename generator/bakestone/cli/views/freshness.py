"""What `outdated` and `bump` print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click

from bakestone.cli.terminal import console, fits, paragraph, put, table
from bakestone.jobs.freshness.bump import BumpPlan
from bakestone.jobs.freshness.rows import OutdatedReport, OutdatedRow

_DIGEST = 19
"""Characters of a digest that are shown: `sha256:` and twelve more, as Docker does."""


def report(found: OutdatedReport, at: date, *, everything: bool, as_json: bool) -> None:
    """What is newer; packages without a security update are only counted, unless `everything` is
    shown.
    """
    if as_json:
        plain = {"at": str(at), "variants": found.selected, "rows": [asdict(r) for r in found.rows]}
        click.echo(
            json.dumps(
                plain | {"unasked": [asdict(u) for u in found.unasked], "notes": found.notes},
                indent=2,
            )
        )
        return
    shown = [row for row in found.rows if everything or row.kind != "package" or row.security]
    if shown:
        _table(shown, found.selected)
        _moves(shown)
    hidden = len(found.rows) - len(shown)
    if hidden:
        click.echo(
            f"{hidden} other"
            f" package{'s have newer versions' if hidden != 1 else ' has a newer version'}, none a"
            " security update; --all shows them"
        )
    for note in found.notes:
        click.echo(note)
    for unasked in found.unasked:
        click.echo(
            f"not asked: {unasked.what}: {unasked.why}"
            + (f"\n    hint: {unasked.hint}" if unasked.hint else "")
        )
    if not found.rows:
        click.echo(
            f"nothing newer for {found.selected} variant{'s' if found.selected != 1 else ''}"
            + (", of what was asked" if found.unasked else "")
        )


def _table(rows: list[OutdatedRow], selected: int) -> None:
    """A table; a few lines a row where the terminal is too narrow for it."""
    screen = console()
    filled = table()
    for title in ("kind", "what", "pinned", "newest", "variants", "about"):
        filled.add_column(title, no_wrap=True)
    for row in rows:
        filled.add_row(*_cells(row, selected))
    if fits(filled, screen):
        put(filled, screen)
        return
    click.echo()
    for row in rows:
        kind, what, pinned, newest, hit, about = _cells(row, selected)
        click.echo(
            paragraph(f"{kind} {what}: {pinned} -> {newest}, variants: {hit}", screen, "", "    ")
        )
        if about:
            click.echo(paragraph(about, screen, "    ", "    "))
    click.echo()


def _cells(row: OutdatedRow, selected: int) -> tuple[str, ...]:
    width = _DIGEST if row.kind == "base" else None
    newest = (
        f"{row.patch}, {row.newest}"
        if row.patch and row.patch != row.newest
        else row.newest[:width]
    )
    about = "; ".join(
        text for text in (row.ends, f"on {row.base}" if row.base else "", row.note) if text
    )
    hit = "all" if len(row.variants) == selected > 1 else str(len(row.variants))
    return (
        "security" if row.security else row.kind,
        row.what,
        row.pinned[:width],
        newest,
        hit,
        about,
    )


def _moves(rows: list[OutdatedRow]) -> None:
    """The commands, each once."""
    moves = list(dict.fromkeys(row.move for row in rows if row.move))
    if moves:
        click.echo(
            "what moves them (after a bump also `bakestone lock`), and then `bakestone generate`:"
        )
    for move in moves:
        click.echo(f"  {move}")


def bumped(plan: BumpPlan, before: str, path: Path, *, written: bool, as_json: bool) -> None:
    """The difference, and what to do next."""
    if as_json:
        changes: list[dict[str, Any]] = [
            {
                "line": c.where.line,
                "column": c.where.column,
                "family": c.family,
                "before": c.before,
                "after": c.after,
            }
            for c in plan.changes
        ]
        plain: dict[str, Any] = {
            "file": str(path),
            "component": plan.component,
            "from": plan.old,
            "to": plan.new,
            "written": written,
        }
        plain |= {
            "with": list(plan.companions),
            "changes": changes,
            "variants": list(plan.variants),
            "notes": list(plan.notes),
        }
        click.echo(json.dumps(plain | {"diff": plan.diff(before, str(path))}, indent=2))
        return
    if not plan.changes:
        click.echo(f"{path}: {plan.component} is at {plan.new} already; nothing to do")
        return
    click.echo(plan.diff(before, str(path)))
    beside = f" with {' and '.join(plan.companions)}" if plan.companions else ""
    count = len(plan.variants)
    click.echo(
        f"{path}: {plan.component} {plan.old} -> {plan.new}{beside}, {count}"
        f" variant{'s' if count != 1 else ''}"
    )
    for note in plan.notes:
        click.echo(f"note: {note}")
    click.echo(
        "next: bakestone lock && bakestone generate"
        if written
        else "nothing was written (--dry-run)"
    )
