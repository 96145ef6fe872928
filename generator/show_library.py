"""Tables for people, JSON for programs: what `versions` and `search` print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import click

from generator.browse import BUILT_IN, Entry, Row
from generator.component import Component
from generator.search import Hit
from generator.show import console

WIDE = 150
"""Columns of a terminal that has room for titles and licences; in a smaller one `versions COMPONENT` and JSON have them."""


def _table(title: str = "") -> Any:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)


def components(entries: Sequence[Entry], *, as_json: bool) -> None:
    """Every component of the library."""
    if as_json:
        click.echo(json.dumps({"components": [asdict(e) for e in entries]}, indent=2))
        return
    screen = console()
    wide, teams = screen.width >= WIDE, any(e.added or e.origin != BUILT_IN for e in entries)
    table = _table()
    for name in ("slot", "component"):
        table.add_column(name, no_wrap=True)
    if wide:
        table.add_column("what")
    table.add_column("versions", justify="right", no_wrap=True)
    table.add_column("newest", no_wrap=True)
    table.add_column("methods")
    if wide:
        table.add_column("licence", overflow="fold")
    if teams:
        table.add_column("from")
    before = ""
    for e in (e for e in entries if not e.retired):
        cells = [
            e.slot if e.slot != before else "",
            e.component,
            *([e.title] if wide else []),
            str(e.versions),
            e.newest or "-",
            ", ".join(e.methods),
        ]
        origin = f"{e.origin}, {e.added} added" if e.added else e.origin
        table.add_row(*cells, *([e.licence] if wide else []), *([origin] if teams else []))
        before = e.slot
    screen.print(table)
    terms = {e.terms: [other.component for other in entries if other.terms == e.terms] for e in entries if e.terms}
    for title, names in (
        ("accept", [f"{term} for {', '.join(names)}" for term, names in terms.items()]),
        ("retired", [e.component for e in entries if e.retired]),
    ):
        if names:
            screen.print(f"{title}: {'; '.join(names)}")
    click.echo(f"{len(entries)} components, {sum(e.versions for e in entries)} versions; `bakestone versions COMPONENT` shows one")


def versions(component: Component, entry: Entry, rows: Sequence[Row], distro: str, *, at: date, as_json: bool) -> None:
    """The versions of one component, all or those for a distro."""
    if as_json:
        plain = [asdict(row) | {"ends": [end.as_dict() for end in row.ends]} for row in rows]
        click.echo(json.dumps(asdict(entry) | {"distro": distro, "versions": plain}, indent=2))
        return
    retired = f" (retired: {entry.retired})" if entry.retired else ""
    terms = f", used under {component.terms.title}: accept: [{entry.terms}]" if component.terms else ""
    table = _table(f"{entry.title}, slot {entry.slot}{retired}, {entry.licence}{terms}\n{component.data.get('homepage', '')}")
    table.add_column("version", no_wrap=True)
    for name in ("methods", "platforms", "end of life", "checksums"):
        table.add_column(name, overflow="fold")
    own = any(row.origin != entry.origin for row in rows)
    if own:
        table.add_column("from")
    for row in rows:
        cells = [", ".join(row.methods) or "-", _platforms(row), _ends(row, at), _confidence(row)]
        table.add_row(row.version, *cells, *([row.origin] if own else []))
    console().print(table)
    where = f" for {distro}" if distro else ""
    click.echo(f"{len(rows)} of {entry.versions} versions{where}" if distro else f"{entry.versions} versions")


def _platforms(row: Row) -> str:
    return ", ".join(p.removeprefix("linux/") for p in row.platforms) or "all"


def _ends(row: Row, at: date) -> str:
    """The first end and what it is of; what support is paid for after it."""
    if row.retired:
        return f"retired: {row.retired}"
    if not row.ends:
        return "-"
    end = min(row.ends, key=lambda e: e.date)
    said = f"{end.date}{' (ended)' if end.ended(at) else ''}"
    return f"{said}, {end.after} {end.extended}" if end.extended else said


def _confidence(row: Row) -> str:
    """One word where every method has the same, else each method with its own."""
    stated = {method: text or "-" for method, text in row.confidence.items()}
    if len(set(stated.values())) <= 1:
        return next(iter(stated.values()), "-")
    return ", ".join(f"{method} {text}" for method, text in stated.items())


def hits(found: Sequence[Hit], limit: int, *, as_json: bool) -> None:
    """What a search found, best first; `limit` lines of it for people, 0 for all."""
    if as_json:
        click.echo(json.dumps({"hits": [{k: v for k, v in asdict(hit).items() if k != "score"} for hit in found]}, indent=2))
        return
    shown = found[:limit] if limit else found
    table = _table()
    table.add_column("component", no_wrap=True)
    table.add_column("version", no_wrap=True)
    for name in ("methods", "found in"):
        table.add_column(name, overflow="fold")
    for hit in shown:
        table.add_row(hit.component, hit.version or "(all)", ", ".join(hit.methods) or "-", "; ".join(hit.found) or hit.title)
    console().print(table)
    more = f"; the first {limit} are shown, --limit 0 shows all" if len(found) > len(shown) else ""
    click.echo(f"{len(found)} found{more}")
