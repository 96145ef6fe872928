"""Licences that a person must accept by name (`accept:` in images.yaml) before a component is used.

Pure. Which component asks for which terms is data: `terms` in its component.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import Chosen, Variant, slot_rank
from bakestone.errors import Finding


def known(library: Library) -> dict[str, list[str]]:
    """Every id that can be accepted -> the components that ask for it."""
    asking: dict[str, list[str]] = {}
    for name in library.names:
        component = library.get(name)
        if component is not None and component.terms is not None:
            asking.setdefault(component.terms.id, []).append(name)
    return dict(sorted(asking.items()))


def unknown(families: Iterable[Family], library: Library) -> list[Finding]:
    """A finding for every id under `accept` that no component of the library asks for, once for
    each place.
    """
    findings: dict[str, Finding] = {}
    families = list(families)
    lacking = {name for family in families for name in family.accept}
    for component in library.names:  # no more of the library is read than it takes to find them
        found = library.get(component) if lacking else None
        if found is not None and found.terms is not None:
            lacking.discard(found.terms.id)
    for family in families:
        for name in family.accept:
            if name in lacking:
                where = family.accept_positions[name]
                hint = near(
                    name,
                    known(library),
                    "what can be accepted:"
                    f" {', '.join(known(library)) or 'nothing; no component asks for it'}",
                )
                findings.setdefault(
                    str(where), Finding(f"no component asks to accept {name!r}", hint, where)
                )
    return list(findings.values())


def findings(
    family: Family, slots: Mapping[str, Chosen], told: set[str] | None = None
) -> Iterator[Finding]:
    """What the combination uses on terms that the family does not accept, at the place where each
    is chosen.

    `told` holds the names of components that were reported before, and grows: one finding for a
    family and a component.
    """
    told = set() if told is None else told
    for slot in sorted(slots, key=slot_rank):
        component = slots[slot].component
        terms = component.terms
        if terms is None or terms.id in family.accept or component.name in told:
            continue
        told.add(component.name)
        matrix = PurePath(slots[slot].where.file).name
        hint = f"read {terms.url}; then write `accept: [{terms.id}]`"
        if terms.instead:
            hint += f", or use {terms.instead}, which asks for none"
        yield Finding(
            f"{component.name} is used under {terms.title}, which {matrix} does not accept:"
            f" {terms.because}",
            hint,
            slots[slot].where,
        )


def accepted(variant: Variant) -> tuple[str, ...]:
    """The ids that apply to a variant, sorted: what the label io.bakestone.accepted says."""
    asked = (chosen.component.terms for chosen in variant.slots.values())
    return tuple(sorted({terms.id for terms in asked if terms is not None}))
