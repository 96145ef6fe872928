"""What `outdated` and `bump` print: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path

from bakestone.cli.terminal import paragraph, put, put_json, put_line, table
from bakestone.core.documents.words import count
from bakestone.jobs.freshness.bump import BumpPlan
from bakestone.jobs.freshness.rows import OutdatedReport, OutdatedRow

_DIGEST = 19
"""Characters of a digest that are shown: `sha256:` and twelve more, as Docker does."""


def report(found: OutdatedReport, at: date, *, everything: bool, as_json: bool) -> None:
    """What is newer; packages without a security update are only counted, unless `everything` is
    shown.
    """
    if as_json:
        plain = asdict(found)
        put_json({"at": str(at), "variants": plain.pop("selected"), **plain})
        return
    shown = [row for row in found.rows if everything or row.kind != "package" or row.security]
    if shown:
        _table(shown, found.selected)
        _moves(shown)
    hidden = len(found.rows) - len(shown)
    if hidden:
        have = "s have newer versions" if hidden != 1 else " has a newer version"
        put_line(f"{hidden} other package{have}, none a security update; --all shows them")
    for note in found.notes:
        put_line(note)
    for question in found.unasked:
        said = f"not asked: {question.what}: {question.why}"
        put_line(paragraph(said, further="    "))
        if question.hint:
            put_line(paragraph(question.hint, "    hint: ", " " * 10))
    if not found.rows:
        of = ", of what was asked" if found.unasked else ""
        put_line(f"nothing newer for {count(found.selected, 'variant')}{of}")


def _table(rows: list[OutdatedRow], selected: int) -> None:
    """A table; a few lines a row where the terminal is too narrow for it."""
    filled = table("kind", "what", "pinned", "newest", "variants", "about")
    cells = [_cells(row, selected) for row in rows]
    for row in cells:
        filled.add_row(*row)
    put(filled, instead=_narrow(cells))


def _narrow(cells: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for kind, what, pinned, newest, hit, about in cells:
        yield paragraph(f"{kind} {what}: {pinned} -> {newest}, variants: {hit}", further="    ")
        if about:
            yield paragraph(about, "    ", "    ")


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
        put_line(
            "what moves them (after a bump also `bakestone lock`), and then `bakestone generate`:"
        )
    for move in moves:
        put_line(f"  {move}")


def bumped(plan: BumpPlan, before: str, path: Path, *, written: bool, as_json: bool) -> None:
    """The difference, and what to do next."""
    diff = plan.diff(before, str(path))
    if as_json:
        plain = {
            "file": str(path),
            "component": plan.component,
            "from": plan.old,
            "to": plan.new,
            "written": written,
            "with": plan.companions,
            "changes": [
                {"line": c.where.line, "column": c.where.column}
                | {"family": c.family, "before": c.before, "after": c.after}
                for c in plan.changes
            ],
            "variants": plan.variants,
            "notes": plan.notes,
            "diff": diff,
        }
        put_json(plain)
        return
    if not plan.changes:
        put_line(f"{path}: {plan.component} is at {plan.new} already; nothing to do")
        return
    put_line(diff)
    beside = f" with {' and '.join(plan.companions)}" if plan.companions else ""
    variants = count(len(plan.variants), "variant")
    put_line(f"{path}: {plan.component} {plan.old} -> {plan.new}{beside}, {variants}")
    for note in plan.notes:
        put_line(f"note: {note}")
    next_step = "next: bakestone lock && bakestone generate"
    put_line(next_step if written else "nothing was written (--dry-run)")
