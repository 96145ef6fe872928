"""Tables for people, JSON for programs: what `list`, `explain` and `build` print."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import click

from bakestone.cli.terminal import console, fits, paragraph, put, table
from bakestone.core.matrix.checks import lifecycle, terms
from bakestone.core.matrix.variant import Variant, slot_rank
from bakestone.jobs.explain import Line
from bakestone.project import Project


def variants(
    project: Project, chosen: Sequence[Variant], at: datetime.date, *, as_json: bool
) -> None:
    """The variants: a table, or one JSON object a variant.

    What has ended is told as of the date `at`.
    """
    if as_json:
        click.echo(
            json.dumps(
                {
                    "registry": project.registry,
                    "variants": [_plain(project, v, at) for v in chosen],
                },
                indent=2,
            )
        )
        return
    screen = console()
    for family in project.matrix.spec.families:
        own = [v for v in chosen if v.family is family]
        if own:
            click.echo(
                paragraph(
                    f"{family.name}: {family.description}" if family.description else family.name,
                    screen,
                )
            )
            _family(own, at, screen)
    click.echo(f"{len(chosen)} of {len(project.matrix.variants)} variants")


def _family(own: Sequence[Variant], at: datetime.date, screen: Any) -> None:
    """A table with a column a slot; a few lines a variant where the terminal is too narrow for it."""
    slots = sorted({s for v in own for s in v.slots}, key=slot_rank)
    filled = table()
    for title in ("variant", *slots, "support ends"):
        filled.add_column(title, no_wrap=True)
    for variant in own:
        filled.add_row(
            variant.name, *(_cell(variant, slot) for slot in slots), lifecycle.cell(variant, at)
        )
    if fits(filled, screen):
        put(filled, screen)
        return
    click.echo()
    for variant in own:
        filled_slots = [slot for slot in slots if slot in variant.slots]
        made_of = ", ".join(
            (
                _cell(variant, slot)
                if " " in _cell(variant, slot)
                else f"{slot} {_cell(variant, slot)}"
            )
            for slot in filled_slots
        )
        click.echo(variant.name)
        click.echo(paragraph(made_of, screen, "    ", "    "))
        click.echo(
            paragraph(f"support ends: {lifecycle.cell(variant, at)}", screen, "    ", "    ")
        )
    click.echo()


def _cell(variant: Variant, slot: str) -> str:
    chosen = variant.slots.get(slot)
    if chosen is None:
        return "-"
    return (
        chosen.version.version
        if chosen.component.name == slot
        else f"{chosen.component.name} {chosen.version.version}"
    )


def _plain(project: Project, variant: Variant, at: datetime.date) -> dict[str, Any]:
    return {
        "name": variant.name,
        "family": variant.family.name,
        "target": variant.target,
        "platforms": list(variant.platforms),
        "image": f"{project.registry}/{variant.family.name}:{variant.name}",
        "base": variant.base.ref,
        "slots": {
            slot: {"component": c.component.name, "version": c.version.version, "method": c.method}
            for slot, c in sorted(variant.slots.items(), key=lambda item: slot_rank(item[0]))
        },
        "accepted": list(terms.accepted(variant)),
        "ends": [end.as_dict() | {"ended": end.ended(at)} for end in lifecycle.ends_of(variant)],
        "dockerfile": str(project.path_of(variant)),
    }


def facts(sentence: str, lines: Sequence[Line], *, as_json: bool) -> None:
    """What `explain` found: each pin whole, and below it where it comes from."""
    if as_json:
        click.echo(
            json.dumps({"sentence": sentence, "facts": [line.__dict__ for line in lines]}, indent=2)
        )
        return
    click.echo(sentence)
    if not lines:
        return
    screen = console()
    room = max(len(line.topic) for line in lines) + 2
    click.echo()
    for line in lines:
        beginning = line.topic.ljust(room)
        for pin in line.pin.splitlines() or [""]:
            click.echo(beginning + pin)  # never broken: a pin is there to be copied
            beginning = " " * room
        for origin in line.origin.splitlines():
            text = paragraph(origin, screen, beginning + "  ", beginning + "  ")
            click.echo(
                click.style(text, dim=True) if screen.is_terminal and not screen.no_color else text
            )
