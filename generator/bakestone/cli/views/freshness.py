"""What `outdated` and `bump` print: tables for people, JSON for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path

import click

from bakestone.cli.terminal import console, count, fits, paragraph, put, put_json, table
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
        unasked = [asdict(question) for question in found.unasked]
        put_json(plain | {"unasked": unasked, "notes": found.notes})
        return
    shown = [row for row in found.rows if everything or row.kind != "package" or row.security]
    if shown:
        _table(shown, found.selected)
        _moves(shown)
    hidden = len(found.rows) - len(shown)
    if hidden:
        have = "s have newer versions" if hidden != 1 else " has a newer version"
        click.echo(f"{hidden} other package{have}, none a security update; --all shows them")
    for note in found.notes:
        click.echo(note)
    screen = console()
    for question in found.unasked:
        said = f"not asked: {question.what}: {question.why}"
        click.echo(paragraph(said, screen, further="    "))
        if question.hint:
            click.echo(paragraph(question.hint, screen, "    hint: ", " " * 10))
    if not found.rows:
        of = ", of what was asked" if found.unasked else ""
        click.echo(f"nothing newer for {count(found.selected, 'variant')}{of}")


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
        change = f"{kind} {what}: {pinned} -> {newest}, variants: {hit}"
        click.echo(paragraph(change, screen, "", "    "))
        if about:
            click.echo(paragraph(about, screen, "    ", "    "))
    click.echo()


def _cells(row: OutdatedRow, selected: int) -> tuple[str, ...]:
    width = _DIGEST if row.kind == "base" else None
    newest = row.newest[:width]
    if row.patch and row.patch != row.newest:
        newest = f"{row.patch}, {row.newest}"
    about = "; ".join(filter(None, (row.ends, f"on {row.base}" if row.base else "", row.note)))
    hit = "all" if len(row.variants) == selected > 1 else str(len(row.variants))
    kind = "security" if row.security else row.kind
    return kind, row.what, row.pinned[:width], newest, hit, about


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
        changes = [
            {
                "line": c.where.line,
                "column": c.where.column,
                "family": c.family,
                "before": c.before,
                "after": c.after,
            }
            for c in plan.changes
        ]
        plain = {
            "file": str(path),
            "component": plan.component,
            "from": plan.old,
            "to": plan.new,
            "written": written,
            "with": list(plan.companions),
            "changes": changes,
            "variants": list(plan.variants),
            "notes": list(plan.notes),
            "diff": plan.diff(before, str(path)),
        }
        put_json(plain)
        return
    if not plan.changes:
        click.echo(f"{path}: {plan.component} is at {plan.new} already; nothing to do")
        return
    click.echo(plan.diff(before, str(path)))
    beside = f" with {' and '.join(plan.companions)}" if plan.companions else ""
    variants = count(len(plan.variants), "variant")
    click.echo(f"{path}: {plan.component} {plan.old} -> {plan.new}{beside}, {variants}")
    for note in plan.notes:
        click.echo(f"note: {note}")
    next_step = "next: bakestone lock && bakestone generate"
    click.echo(next_step if written else "nothing was written (--dry-run)")
