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
    for terms, component in library.terms():
        asking.setdefault(terms, []).append(component)
    return dict(sorted(asking.items()))


def unknown(families: Iterable[Family], library: Library) -> list[Finding]:
    """A finding for every id under `accept` that no component of the library asks for, once for
    each place.
    """
    ids = known(library)
    places = {where: name for family in families for name, where in family.accept.items()}
    everything = f"what can be accepted: {', '.join(ids) or 'nothing; no component asks for it'}"
    return [
        Finding(f"no component asks to accept {name!r}", near(name, ids, everything), where)
        for where, name in places.items()
        if name not in ids
    ]


def findings(family: Family, slots: Mapping[str, Chosen]) -> Iterator[Finding]:
    """What the combination uses on terms that the family does not accept, at the place where each
    is chosen.
    """
    for slot in sorted(slots, key=slot_rank):
        component, where = slots[slot].component, slots[slot].where
        terms = component.terms
        if terms is not None and terms.id not in family.accept:
            why = (
                f"{component.name} is used under {terms.title}, which {PurePath(where.file).name}"
                f" does not accept: {terms.because}"
            )
            hint = f"read {terms.url}; then write `accept: [{terms.id}]`"
            if terms.instead:
                hint += f", or use {terms.instead}, which asks for none"
            yield Finding(why, hint, where)


def accepted(variant: Variant) -> tuple[str, ...]:
    """The ids that apply to a variant, sorted: what the label io.bakestone.accepted says."""
    asked = (chosen.component.terms for chosen in variant.slots.values())
    return tuple(sorted({terms.id for terms in asked if terms is not None}))
