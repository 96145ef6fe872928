"""Tables for people, JSON for programs: what `list`, `explain` and `build` print."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import click

from generator import lifecycle, terms
from generator.explain import Line
from generator.project import Project
from generator.variant import Variant, slot_rank


def console(*, markup: bool = False) -> Any:
    """rich's console; without a terminal, wide enough that no line is broken. Text of a file is never read as markup."""
    from rich.console import Console

    out = Console(highlight=False, markup=markup)
    return out if out.is_terminal else Console(highlight=False, markup=markup, width=240)


def variants(project: Project, chosen: Sequence[Variant], at: datetime.date, *, as_json: bool) -> None:
    """The variants: a table, or one JSON object a variant. What has ended is told as of the date `at`."""
    if as_json:
        click.echo(json.dumps({"registry": project.registry, "variants": [_plain(project, v, at) for v in chosen]}, indent=2))
        return
    from rich import box
    from rich.table import Table

    for family in project.matrix.spec.families:
        own = [v for v in chosen if v.family is family]
        if not own:
            continue
        slots = sorted({s for v in own for s in v.slots}, key=slot_rank)
        table = Table(
            box=box.SIMPLE_HEAD,
            title=f"{family.name}: {family.description}" if family.description else family.name,
            title_justify="left",
            pad_edge=False,
        )
        table.add_column("variant", no_wrap=True)
        for slot in slots:
            table.add_column(slot)
        table.add_column("support ends")
        for variant in own:
            table.add_row(variant.name, *(_cell(variant, slot) for slot in slots), lifecycle.cell(variant, at))
        console().print(table)
    click.echo(f"{len(chosen)} of {len(project.matrix.variants)} variants")


def _cell(variant: Variant, slot: str) -> str:
    chosen = variant.slots.get(slot)
    if chosen is None:
        return "-"
    return chosen.version.version if chosen.component.name == slot else f"{chosen.component.name} {chosen.version.version}"


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
    """What `explain` found."""
    if as_json:
        click.echo(json.dumps({"sentence": sentence, "facts": [line.__dict__ for line in lines]}, indent=2))
        return
    click.echo(sentence)
    if not lines:
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("pin", overflow="fold")
    table.add_column("from", overflow="fold")
    for line in lines:
        table.add_row(line.topic, line.pin, line.origin)
    console().print(table)
