"""Tables for people, JSON for programs: what `versions` and `search` print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date
from itertools import compress
from pathlib import Path

import click

from bakestone.cli.terminal import console, paragraph, put, put_json, table, warn
from bakestone.clients.http.session import readable
from bakestone.core.documents.words import count
from bakestone.core.library.component import Component
from bakestone.errors import Finding
from bakestone.jobs.library.acquire import AddedVersion
from bakestone.jobs.library.additions import FetchedFile
from bakestone.jobs.library.browse import BUILT_IN, ComponentRow, VersionRow
from bakestone.jobs.library.search import Hit

TITLES, LICENCES = 120, 150
"""Columns of a terminal from which there is room for titles, and for licences; `versions COMPONENT`
and JSON have them always.
"""
METHODS = 100
"""Columns of a terminal from which `search` has room for methods."""


def components(entries: Sequence[ComponentRow], *, as_json: bool) -> None:
    """Every component of the library."""
    if as_json:
        put_json({"components": [asdict(e) for e in entries]})
        return
    screen = console()
    wide, wider = screen.width >= TITLES, screen.is_terminal and screen.width >= LICENCES
    teams = any(e.added or e.origin != BUILT_IN for e in entries)
    shown = (True, True, wide, True, True, True, teams, wider)
    titles = ("slot", "component", "what", "versions", "newest", "methods", "from", "licence")
    listed = table()
    for title in compress(titles, shown):
        listed.add_column(
            title,
            justify="right" if title == "versions" else "left",
            no_wrap=title in ("slot", "component", "versions", "newest"),
            overflow="fold" if title == "licence" else "ellipsis",
        )
    before = ""
    for e in (e for e in entries if not e.retired):
        slot = e.slot if e.slot != before else ""
        about = (slot, e.component, e.title, str(e.versions), e.newest or "-", ", ".join(e.methods))
        origin = f"{e.origin}, {e.added} added" if e.added else e.origin
        listed.add_row(*compress((*about, origin, e.licence), shown))
        before = e.slot
    put(listed)
    terms = dict.fromkeys(e.terms for e in entries if e.terms)
    users = {term: ", ".join(e.component for e in entries if e.terms == term) for term in terms}
    for title, names in (
        ("accept", [f"{term} for {who}" for term, who in users.items()]),
        ("retired", [e.component for e in entries if e.retired]),
    ):
        if names:
            click.echo(paragraph(f"{title}: {'; '.join(names)}", further="  "))
    click.echo(paragraph(f"{summary(entries)}; `bakestone versions COMPONENT` shows one"))


def summary(entries: Sequence[ComponentRow]) -> str:
    """How much there is."""
    return f"{sum(e.versions for e in entries)} versions of {len(entries)} components"


def versions(
    component: Component,
    entry: ComponentRow,
    rows: Sequence[VersionRow],
    distro: str,
    *,
    at: date,
    as_json: bool,
) -> None:
    """The versions of one component, all or those for a distro."""
    if as_json:
        plain = [asdict(row) | {"ends": [end.as_dict() for end in row.ends]} for row in rows]
        put_json(asdict(entry) | {"distro": distro, "versions": plain})
        return
    click.echo(paragraph(f"{entry.title}, slot {entry.slot}, {entry.licence}"))
    about = [str(component.data.get("homepage", ""))]
    if terms := component.terms:
        accept = f"`accept: [{entry.terms}]` in images.yaml"
        about.append(f"terms: {terms.title}, {terms.url}; {accept}")
    if entry.retired:
        about.append(f"retired: {entry.retired}")
    for text in about:
        click.echo(paragraph(text, further="  "))
    own = any(row.origin != entry.origin for row in rows)
    listed = table("version", folded=("methods", "platforms", "end of life", "checksums"))
    if own:
        listed.add_column("from")
    for row in rows:
        cells = [", ".join(row.methods) or "-", _platforms(row), _ends(row, at), _confidence(row)]
        listed.add_row(row.version, *cells, *([row.origin] if own else []))
    if rows:
        put(listed)
    where = f" for {distro}" if distro else ""
    some = f"{len(rows)} of {entry.versions} versions{where}"
    click.echo(some if distro else count(entry.versions, "version"))


def _platforms(row: VersionRow) -> str:
    return ", ".join(p.removeprefix("linux/") for p in row.platforms) or "all"


def _ends(row: VersionRow, at: date) -> str:
    """The first end and what it is of; what support is paid for after it."""
    if row.retired:
        return f"retired: {row.retired}"
    if not row.ends:
        return "-"
    end = min(row.ends, key=lambda e: e.date)
    said = f"{end.date}{' (ended)' if end.ended(at) else ''}"
    return f"{said}, {end.after} {end.extended}" if end.extended else said


def _confidence(row: VersionRow) -> str:
    """One word where every method has the same, else each method with its own."""
    stated = {method: text or "-" for method, text in row.confidence.items()}
    if len(set(stated.values())) <= 1:
        return next(iter(stated.values()), "-")
    return ", ".join(f"{method} {text}" for method, text in stated.items())


def hits(found: Sequence[Hit], limit: int, *, as_json: bool) -> None:
    """What a search found, best first; `limit` lines of it for people, 0 for all."""
    if as_json:
        plain = [{k: v for k, v in asdict(hit).items() if k != "score"} for hit in found]
        put_json({"hits": plain})
        return
    shown = found[:limit] if limit else found
    methods = console().width >= METHODS
    folded = ("methods", "found in") if methods else ("found in",)
    listed = table("component", "version", folded=folded)
    for hit in shown:
        cells = [", ".join(hit.methods) or "-"] if methods else []
        places = "; ".join(hit.found) or hit.title
        listed.add_row(hit.component, hit.version or "(all)", *cells, places)
    put(listed)
    more = f"; the first {limit} are shown, --limit 0 shows all" if len(found) > len(shown) else ""
    click.echo(f"{len(found)} found{more}")


def fetched(files: Sequence[FetchedFile], program: str = "") -> None:
    """A line for each file that was downloaded and hashed, and the program found in them."""
    for file in files:
        platform = f", {file.platform}" if file.platform else ""
        click.echo(f"{file.filename}: {readable(file.size)}{platform}, sha256 {file.sha256}")
    if program:
        click.echo(f"program: {program}")


def written(folder: Path, names: Iterable[str]) -> None:
    """The files of a new component."""
    click.echo(f"{folder}: {', '.join(names)}")


def added(found: AddedVersion) -> None:
    """A version that a team has now, and what it is made of."""
    fetched(found.files)
    click.echo(
        f"{found.path}: {found.component} {found.version} added, method {found.method},"
        f" confidence {found.files[0].confidence}"
    )


def next_step(slot: str, chosen: str) -> None:
    """How a new component comes into images."""
    click.echo(f"next: name it in images.yaml, under `axes`:  {slot}: [{chosen}]")


def checked(
    component: Component, rendered: int, findings: Sequence[Finding], *, as_json: bool
) -> None:
    """A component that is whole, and what is worth knowing about it."""
    versions = len(component.versions)
    if as_json:
        plain = {"component": component.name, "versions": versions, "dockerfiles": rendered}
        put_json(plain | {"findings": [finding.as_dict() for finding in findings]})
        return
    warn(findings)
    whole = f"{count(versions, 'version')}, {count(rendered, 'Dockerfile')} rendered"
    click.echo(f"{component.origin}: whole ({whole})")
