"""The compatibility rules, which are data with a source, applied to one combination."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from generator.component import Rule
from generator.patterns import matches, version_key
from generator.variant import Chosen

_Slots = dict[str, Chosen]
MAX_ALTERNATIVES = 40
"""How many neighbouring versions of a slot are tried for a suggestion."""


@dataclass(frozen=True)
class Refusal:
    """A rule that a combination breaks: `slot` is what must change, `asked` what made the rule apply."""

    rule: Rule
    asked: str
    slot: str
    found: str

    @property
    def message(self) -> str:
        """What does not go together, why, and who says so."""
        return f"{self.asked} does not go with {self.found}: {self.rule.because} (rule {self.rule.id}; source: {self.rule.source})"


Verdicts = dict[tuple[str, ...], list[Refusal]]
"""What the rules said before, of the same library: most combinations differ in slots that no rule looks at."""


def refusals(slots: _Slots, known: Verdicts | None = None) -> Iterator[Refusal]:
    """Every rule of the combination's own components that it breaks. `known` keeps verdicts from one call to the next."""
    known = {} if known is None else known
    for chosen in slots.values():
        if chosen.component.rules:
            key = (chosen.text, *(slots[slot].text if slot in slots else "" for slot in chosen.component.rule_slots))
            if key not in known:
                known[key] = list(_broken(chosen, slots))
            yield from known[key]


def _broken(chosen: Chosen, slots: _Slots) -> Iterator[Refusal]:
    for rule in chosen.component.rules:
        if all(_holds(patterns, slots.get(slot)) for slot, patterns in rule.when.items()):
            for slot, patterns in rule.require.items():
                if not _holds(patterns, slots.get(slot)):
                    found = slots[slot].text if slot in slots else f"no {slot}"
                    yield Refusal(rule, chosen.text, slot, found)


def _holds(patterns: tuple[str, ...], chosen: Chosen | None) -> bool:
    component, version = (chosen.component.name, chosen.version.version) if chosen else (None, None)
    return any(matches(pattern, component, version) for pattern in patterns)


def nearest(slots: _Slots, candidates: Iterable[str], passes: Callable[[_Slots], bool]) -> str:
    """The nearest combination that passes, as text, changing one of the `candidates` slots; empty if there is none.

    Near means near in the list of a component's known versions.
    """
    best: tuple[int, str] | None = None
    for slot in candidates:
        if slot not in slots:
            continue
        chosen = slots[slot]
        known = sorted(chosen.component.versions.values(), key=lambda v: version_key(v.version))
        here = [v.version for v in known].index(chosen.version.version)
        others = sorted(range(len(known)), key=lambda i: (abs(i - here), -i))[1 : MAX_ALTERNATIVES + 1]
        for index in others:
            distance = abs(index - here)
            if best and distance >= best[0]:
                break
            changed = Chosen(slot, chosen.component, known[index], chosen.where)
            if passes({**slots, slot: changed}):
                best = (distance, changed.text)
                break
    return best[1] if best else ""
