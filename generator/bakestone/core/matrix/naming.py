"""How the variants of a family are called: by `name_slots`, no longer than tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from bakestone.core.documents import template
from bakestone.core.library.component import Option
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import Chosen, slot_context, slot_rank

_Slots = dict[str, Chosen]


class Names:
    """The names of one family's combinations."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._labels: dict[tuple[str, ...], str] = {}
        self._with: dict[str, list[tuple[Option, ...]]] = {}

    def know(self, chosen: Chosen) -> None:
        """Take note of a value of the family: an option is in a name only where another value of
        the same version is without it.
        """
        self._with.setdefault(chosen.pin, []).append(chosen.options)

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """The slots in a name: `name_slots` in order, then every axis with a choice that is not
        among them.
        """
        wanted = list(self.family.name_slots)
        for axis in self.family.axes:
            if len(axis.values) > 1 and not axis.slots & set(wanted):
                wanted += sorted(axis.slots, key=slot_rank)
        return tuple(wanted)

    def of(self, slots: _Slots) -> str:
        """The name of a combination by itself."""
        return self._joined(slots, {})

    def label(self, slots: _Slots, slot: str) -> str:
        """What names have of a slot, at its shortest: `openmpi5.0.10`, `cudnn9`, `debian12`."""
        seen = slot_context(slots)[slot]
        return self._label(slots[slot], {**seen, "version": seen["label"]})

    def distinct(self, combinations: Sequence[_Slots]) -> list[str]:
        """A name for each combination: of those that would have one name, the labels of versions
        that differ are longer, `cudnn9.8` and `cudnn9.10` for two `cudnn9`. All others keep theirs.
        """
        found = [self.of(slots) for slots in combinations]
        alike: dict[str, list[int]] = {}
        for index, name in enumerate(found):
            alike.setdefault(name, []).append(index)
        for name, indexes in alike.items():
            if len(indexes) > 1:
                group = [combinations[index] for index in indexes]
                longer = {slot: self._told_apart(slot, group) for slot in self.slots}
                for index in indexes:
                    found[index] = self._joined(combinations[index], longer) or name
        return found

    def _told_apart(self, slot: str, group: Sequence[_Slots]) -> dict[str, str]:
        """`component@version` -> a longer label, for the versions in a slot that have one label;
        empty where there is one version, or no label tells them apart.
        """
        chosen = {slots[slot].text: slots for slots in group if slot in slots}
        if len(chosen) < 2:
            return {}
        longest = max(len(_parts(slots[slot])) for slots in chosen.values())
        tried = (
            {
                text: self._label(slots[slot], _shortened(slots, slot, length))
                for text, slots in chosen.items()
            }
            for length in range(1, longest + 1)
        )
        return next((labels for labels in tried if len({*labels.values()}) == len(labels)), {})

    def _joined(self, slots: _Slots, longer: dict[str, dict[str, str]]) -> str:
        context = slot_context(slots)
        parts: list[str] = []
        for slot in self.slots:
            if slot in slots:
                chosen, seen = slots[slot], context[slot]
                label = longer.get(slot, {}).get(chosen.text)
                parts.append(label or self._label(chosen, {**seen, "version": seen["label"]}))
                parts += self._telling(chosen)
        return "-".join([*parts, *([self.family.suffix] if self.family.suffix else [])])

    def _telling(self, chosen: Chosen) -> list[str]:
        """The options of a component that another value of the family has it without."""
        others = self._with.get(chosen.pin, [])
        return [o.name for o in chosen.options if not all(o in options for options in others)]

    def _label(self, chosen: Chosen, context: dict[str, str]) -> str:
        """A component's part of a name, such as cudnn7."""
        key = (*context.values(),)
        if key not in self._labels:
            text = chosen.component.data.get("label") or "{{ component }}{{ version }}"
            origin = f"{chosen.component.origin}/component.yaml"
            self._labels[key] = template.render(text, context, origin=origin)
        return self._labels[key]


def _shortened(slots: _Slots, slot: str, length: int) -> dict[str, str]:
    """What a label sees when so many parts of the version stand for all of it."""
    said = ".".join(_parts(slots[slot])[:length])
    return slot_context(slots)[slot] | {"version": said, "major": said, "minor": said}


def _parts(chosen: Chosen) -> list[str]:
    return chosen.version.label.split(".")
