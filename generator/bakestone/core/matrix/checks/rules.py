"""The compatibility rules, which are data with a source, applied to one combination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bakestone.core.library.component import Rule
from bakestone.core.matrix.checks.families import counted, together
from bakestone.core.matrix.conditions import Refusal, Slots, all_hold, holds, shown, slots_of
from bakestone.core.matrix.variant import Chosen, Variant
from bakestone.errors import Finding


@dataclass(frozen=True)
class BrokenRule(Refusal):
    """A rule that a combination breaks."""

    rule: Rule


Verdicts = dict[tuple[object, ...], list[BrokenRule]]
"""What the rules said before, of the same library and host: most combinations differ in slots that
no rule looks at.
"""


def refusals(
    slots: Slots, host: Mapping[str, str], known: Verdicts | None = None
) -> Iterator[BrokenRule]:
    """Every rule of the combination's own components that it breaks and that refuses it.

    `known` keeps verdicts from one call to the next.
    """
    return (broken for broken in _all(slots, host, known) if broken.rule.refuses)


def doubts(
    slots: Slots, host: Mapping[str, str], known: Verdicts | None = None
) -> Iterator[BrokenRule]:
    """Every rule that it breaks and that refuses nothing: the vendor says that it works, and nobody
    packaged it so.
    """
    return (broken for broken in _all(slots, host, known) if not broken.rule.refuses)


def warnings(variants: Iterable[Variant]) -> list[Finding]:
    """The doubts about some variants: one for a family and what does not meet."""
    found: dict[tuple[str, ...], tuple[BrokenRule, list[Variant]]] = {}
    known: dict[str, Verdicts] = {}
    for variant in variants:
        family = variant.family
        for doubt in doubts(variant.slots, family.host, known.setdefault(family.name, {})):
            found.setdefault((family.name, doubt.message), (doubt, []))[1].append(variant)
    return [
        Finding(
            f"{doubt.message}; {counted(those)}",
            "it is built all the same; `bakestone explain VARIANT` shows what is known of it",
            doubt.where,
            severity="warning",
        )
        for doubt, those in together(found, lambda doubt: doubt.where)
    ]


def _all(slots: Slots, host: Mapping[str, str], known: Verdicts | None) -> Iterator[BrokenRule]:
    known = {} if known is None else known
    for chosen in slots.values():
        if chosen.component.rules:
            key = (chosen.text, chosen.where, *seen(slots, chosen.component.rule_keys))
            if key not in known:
                known[key] = list(_broken(chosen, slots, host))
            yield from known[key]


def seen(slots: Slots, keys: tuple[str, ...]) -> Iterator[str]:
    """What `keys` see of a combination: where it is equal, so is every answer they decide."""
    for key in keys:
        for slot in slots_of(key):
            yield slots[slot].text if slot in slots else ""


def _broken(chosen: Chosen, slots: Slots, host: Mapping[str, str]) -> Iterator[BrokenRule]:
    for rule in chosen.component.rules:
        if all_hold(slots, rule.when, host):
            for key, patterns in rule.require.items():
                if not holds(slots, key, patterns, host):
                    against = _against(chosen, rule, key)
                    found = ", ".join(shown(slots, other, host) for other in against)
                    about = f"rule {rule.id}; source: {rule.source}"
                    goes = "does not go" if rule.refuses else "is not packaged together"
                    why = f"{chosen.text} {goes} with {found}: {rule.because} ({about})"
                    changeable = dict.fromkeys(
                        slot for other in (key, *against, chosen.slot) for slot in slots_of(other)
                    )
                    yield BrokenRule(why, chosen.where, tuple(changeable), rule)


def _against(chosen: Chosen, rule: Rule, key: str) -> tuple[str, ...]:
    """What does not fit: what the rule requires, or what makes it apply where it requires something
    of the component itself.
    """
    others = tuple(k for k in rule.when if chosen.slot not in slots_of(k))
    return others if chosen.slot in slots_of(key) and others else (key,)
