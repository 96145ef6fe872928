"""What the commands about the matrix print: tables for people, JSON for programs."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakestone.cli.terminal import console, looked_at, paragraph, put_json, put_line, put_rows, warn
from bakestone.core.documents.words import count
from bakestone.core.matrix.checks import lifecycle, platforms, terms
from bakestone.core.matrix.variant import Variant, slot_rank
from bakestone.errors import Finding, visible

if TYPE_CHECKING:
    from bakestone.jobs.changes.compare import Changes
    from bakestone.jobs.explain import Line
    from bakestone.project import Project


def validated(project: Project, warnings: Sequence[Finding], *, as_json: bool) -> None:
    """How many variants a matrix that is right has, and what is worth knowing about it."""
    matrix = project.matrix
    if as_json:
        findings = [finding.as_dict() for finding in warnings]
        put_json({"variants": len(matrix.variants), "findings": findings})
        return
    warn(warnings)
    sizes = Counter(variant.family.name for variant in matrix.variants)
    families = ", ".join(f"{f.name} {sizes[f.name]}" for f in matrix.spec.families)
    put_line(
        f"{project.matrix_path}: {count(len(matrix.variants), 'variant')} ({families}),"
        f" {count(len(matrix.excluded), 'combination')} left out"
    )


def up_to_date(project: Project) -> None:
    """Generated files that are what they should be."""
    put_line(f"{project.output}: {len(project.generated)} files are up to date")


def generated(project: Project, written: Sequence[Path], removed: Sequence[Path]) -> None:
    """What was written and removed."""
    for verb, paths in (("wrote", written), ("removed", removed)):
        for path in paths:
            put_line(f"{verb} {path}")
    counts = f"{len(project.generated)} files, {len(written)} written, {len(removed)} removed"
    put_line(f"{project.output}: {counts}")


def dockerfile(text: str) -> None:
    """A Dockerfile as it is."""
    click.echo(text, nl=False)  # a Dockerfile, byte for byte


def variants(
    project: Project, chosen: Sequence[Variant], at: datetime.date, *, as_json: bool
) -> None:
    """The variants: a table, or one JSON object a variant.

    What has ended is told as of the date `at`.
    """
    if as_json:
        plain = [_plain(project, variant, at) for variant in chosen]
        put_json({"registry": project.registry, "variants": plain})
        return
    for family in project.matrix.spec.families:
        own = [v for v in chosen if v.family is family]
        if own:
            about = f": {family.description}" if family.description else ""
            put_line(paragraph(f"{family.name}{about}"))
            _family(own, at)
            for note in platforms.notes(own):
                put_line(paragraph(note.message))
    put_line(f"{len(chosen)} of {len(project.matrix.variants)} variants")


def _family(own: Sequence[Variant], at: datetime.date) -> None:
    """A table with a column a slot; a few lines a variant where the terminal is too narrow."""
    slots = sorted({s for v in own for s in v.slots}, key=slot_rank)
    rows = [(v.name, *(_cell(v, slot) for slot in slots), lifecycle.cell(v, at)) for v in own]
    put_rows(("variant", *slots, "support ends"), rows, _narrow(own, slots, at))


def _narrow(own: Sequence[Variant], slots: Sequence[str], at: datetime.date) -> Iterator[str]:
    for variant in own:
        cells = {slot: _cell(variant, slot) for slot in slots if slot in variant.slots}
        made_of = ", ".join(c if " " in c else f"{slot} {c}" for slot, c in cells.items())
        yield variant.name
        for text in (made_of, f"support ends: {lifecycle.cell(variant, at)}"):
            yield paragraph(text, "    ", "    ")


def _cell(variant: Variant, slot: str) -> str:
    chosen = variant.slots.get(slot)
    if chosen is None:
        return "-"
    version = chosen.version.version
    return version if chosen.component.name == slot else f"{chosen.component.name} {version}"


def _plain(project: Project, variant: Variant, at: datetime.date) -> dict[str, object]:
    left_out = [{"platform": one.platform, "because": one.because} for one in variant.left_out]
    more: dict[str, object] = {"left_out": left_out} if left_out else {}
    return {
        "name": variant.name,
        "family": variant.family.name,
        "target": variant.target,
        "platforms": list(variant.platforms),
        "image": f"{project.registry}/{variant.family.name}:{variant.name}",
        "aliases": [alias.tag for alias in variant.aliases if not alias.dated],
        "dated": [alias.tag for alias in variant.aliases if alias.dated],
        "base": variant.base.ref,
        "slots": {
            slot: {"component": c.component.name, "version": c.version.version, "method": c.method}
            for slot, c in sorted(variant.slots.items(), key=lambda item: slot_rank(item[0]))
        },
        "accepted": list(terms.accepted(variant)),
        "ends": [end.as_dict() | {"ended": end.ended(at)} for end in lifecycle.ends_of(variant)],
        "dockerfile": str(project.path_of(variant)),
        **more,
    }


def changes(found: Changes, project: Project, commit: str, *, as_json: bool) -> None:
    """What became of the variants since a commit: those that changed, came and went."""
    if as_json:
        plain = [one.as_dict() for one in found.variants]
        told = [finding.as_dict() for finding in found.unlocked]
        put_json({"since": commit, "same": found.same, "variants": plain, "findings": told})
        return
    warn(found.unlocked)
    kinds = {kind: found.of(kind) for kind in ("changed", "added", "removed")}
    rows = []
    for kind, several in kinds.items():
        for one in several:
            was = [f"was {one.before}"] if one.before else []
            rows.append((kind, one.family, one.name, "; ".join([*one.what, *was])))
    if rows:
        narrow = (
            paragraph(f"{kind} {family}: {name}{what and ': '}{what}", further="    ")
            for kind, family, name, what in rows
        )
        put_rows(("", "family", "variant", "what"), rows, narrow)
    counted = ", ".join(f"{len(several)} {kind}" for kind, several in kinds.items())
    put_line(f"{project.matrix_path}: {counted}, {found.same} as at {commit}")


def facts(sentence: str, lines: Sequence[Line], *, as_json: bool) -> None:
    """What `explain` found: each pin whole, and below it where it comes from."""
    if as_json:
        put_json({"sentence": sentence, "facts": [asdict(fact) for fact in lines]})
        return
    put_line(sentence)
    if not lines:
        return
    screen = console() if looked_at() else None
    room = max(len(fact.topic) for fact in lines) + 2
    click.echo()
    for fact in lines:
        beginning = fact.topic.ljust(room)
        for pin in fact.pin.splitlines() or [""]:
            put_line(beginning + pin)  # never broken: a pin is there to be copied
            beginning = " " * room
        for origin in fact.origin.splitlines():
            text = paragraph(origin, beginning + "  ", beginning + "  ")
            dim = screen and screen.is_terminal and not screen.no_color
            click.echo(click.style(visible(text), dim=True) if dim else visible(text))
