"""Tables for people, JSON for programs: what `versions` and `search` print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date
from itertools import compress
from pathlib import Path

from bakestone.cli.terminal import console, paragraph, put, put_json, put_line, table, warn
from bakestone.clients.http.session import readable
from bakestone.core.documents.words import count
from bakestone.core.library.component import Component
from bakestone.errors import Finding, render
from bakestone.jobs.library.acquire import AddedVersion
from bakestone.jobs.library.additions import FetchedFile
from bakestone.jobs.library.browse import BUILT_IN, ComponentRow, VersionRow
from bakestone.jobs.library.frameworks import FrameworkPins
from bakestone.jobs.library.search import Hit
from bakestone.jobs.library.update import ComponentUpdate

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
            put_line(paragraph(f"{title}: {'; '.join(names)}", further="  "))
    put_line(paragraph(f"{summary(entries)}; `bakestone versions COMPONENT` shows one"))


def slot(name: str, found: Sequence[tuple[ComponentRow, Sequence[str]]], *, as_json: bool) -> None:
    """The components of a slot, and the newest versions of each."""
    if as_json:
        plain = [{**asdict(row), "newest_versions": list(versions)} for row, versions in found]
        put_json({"slot": name, "components": plain})
        return
    listed = table("component", "versions", folded=("newest versions", "methods"))
    for row, versions in found:
        more = ["..."] if row.versions > len(versions) else []
        newest, methods = ", ".join([*versions, *more]), ", ".join(row.methods)
        listed.add_row(row.component, str(row.versions), newest or "-", methods or "-")
    put(listed)
    shows = "`bakestone versions COMPONENT` shows one"
    put_line(paragraph(f"{count(len(found), 'component')} of the slot {name}; {shows}"))


def framework(found: FrameworkPins, *, as_json: bool) -> None:
    """What a framework's wheel pins, what the library has of it, and a value to paste."""
    if as_json:
        put_json({**asdict(found), "axis": found.axis})
        return
    made_for = f"{found.pythons[0]} to {found.pythons[-1]}" if found.pythons else ""
    wheels = f", with wheels for {made_for}" if made_for else ""
    asks = f"Python {found.requires_python or 'any'}{wheels}"
    put_line(paragraph(f"{found.framework}: {asks} ({found.wheel})"))
    listed = table("slot", "asked for", "library")
    for pin in found.pins:
        lacking = f"not there; nearest {pin.nearest}" if pin.nearest else "not there"
        listed.add_row(pin.slot, pin.wanted, pin.version or lacking)
    put(listed)
    put_line(f"an axis value: {found.axis}")
    where = ", ".join(found.distros) or "no distro of the library"
    put_line(paragraph(f"it can be built on {where}", further="  "))
    if found.withdrawn is not None:
        why = found.withdrawn or "for no reason given"
        put_line(paragraph(f"its publisher withdrew this version: {why}", further="  "))


def updates(done: Sequence[ComponentUpdate], *, write: bool, as_json: bool) -> None:
    """What an update found: how much there is, what is new, why something is left out."""
    if as_json:
        put_json({"components": [_update(one) for one in done]})
    else:
        listed = table("component", "on the index", "in the library", "left out", folded=("new",))
        for one in done:
            new = [*one.added, *(f"{version} (further files)" for version in one.further)]
            left = len(one.left_out)
            listed.add_row(
                one.component, str(one.listed), str(one.held), str(left), ", ".join(new) or "-"
            )
        put(listed)
        told = [f for one in done for f in one.findings if f.severity == "warning"]
        if told:
            put_line(render(told))
        put_line(update_summary(done, write=write))


def update_summary(done: Sequence[ComponentUpdate], *, write: bool) -> str:
    """One line on an update."""
    added = sum(len(one.added) for one in done)
    further = sum(len(one.further) for one in done)
    if not added and not further:
        return f"nothing new for {count(len(done), 'component')}"
    more = f" and further files of {count(further, 'version')}" if further else ""
    return f"{count(added, 'new version')}{more}{'' if write else ': not written'}"


def _update(one: ComponentUpdate) -> dict[str, object]:
    left_out: dict[str, dict[str, str]] = {}
    for (project, version), why in one.left_out.items():
        left_out.setdefault(project, {})[version] = why
    return {
        "component": one.component,
        "listed": one.listed,
        "held": one.held,
        "added": list(one.added),
        "further": list(one.further),
        "left_out": left_out,
        "findings": [finding.as_dict() for finding in one.findings],
    }


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
    put_line(paragraph(f"{entry.title}, slot {entry.slot}, {entry.licence}"))
    about = [str(component.data.get("homepage", ""))]
    if terms := component.terms:
        accept = f"`accept: [{entry.terms}]` in images.yaml"
        about.append(f"terms: {terms.title}, {terms.url}; {accept}")
    if entry.retired:
        about.append(f"retired: {entry.retired}")
    for text in about:
        put_line(paragraph(text, further="  "))
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
    put_line(some if distro else count(entry.versions, "version"))


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
    put_line(f"{len(found)} found{more}")


def fetched(files: Sequence[FetchedFile], program: str = "") -> None:
    """A line for each file that was downloaded and hashed, and the program found in them."""
    for file in files:
        platform = f", {file.platform}" if file.platform else ""
        put_line(f"{file.filename}: {readable(file.size)}{platform}, sha256 {file.sha256}")
    if program:
        put_line(f"program: {program}")


def written(folder: Path, names: Iterable[str]) -> None:
    """The files of a new component."""
    put_line(f"{folder}: {', '.join(names)}")


def added(found: AddedVersion) -> None:
    """A version that a team has now, and what it is made of."""
    fetched(found.files)
    put_line(
        f"{found.path}: {found.component} {found.version} added, method {found.method},"
        f" confidence {found.files[0].confidence}"
    )


def added_from_index(path: Path, name: str, version: str) -> None:
    """A version that a team has now, as the package index says it."""
    put_line(f"{path}: {name} {version} added, from the package index")


def next_step(slot: str, chosen: str) -> None:
    """How a new component comes into images."""
    put_line(f"next: name it in images.yaml, under `axes`:  {slot}: [{chosen}]")


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
    put_line(f"{component.origin}: whole ({whole})")
