"""The nearest combination that passes: what a refusal offers instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, combinations, islice, product, takewhile

from bakestone.core.documents.patterns import version_key
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from bakestone.core.matrix.variant import INHERITED, Chosen, slot_rank

NEIGHBOURS = 40
"""How many neighbouring versions of a slot are tried alone."""
PAIRED = 30
"""How many are tried of each of two slots that change together."""

Changes = Mapping[str, Chosen | None]
"""Slot -> what it would be instead; None leaves it empty."""

_Slots = dict[str, Chosen]
_Passes = Callable[[_Slots], bool]


def nearest(slots: _Slots, candidates: Iterable[str], passes: _Passes, library: Library) -> Changes:
    """The smallest change that passes; empty when none was found.

    Tried in this order: filling empty slots with what a base image has that brings one of them;
    another version in one of the `candidates`, near in the list of known
    versions before far; another version in one of them and in a second slot; what a base image with
    one of them has, where the images of the method `image` alone would do; filling one or two empty
    slots among the candidates; the same without one of its options; another component; leaving the
    slot empty.
    """
    candidates = tuple(dict.fromkeys(candidates))
    wanted = [slot for slot in candidates if slot in slots]
    images = list(_as_an_image(slots, wanted, library))
    tries = chain(
        (changes for changes in images if not changes.keys() & slots.keys()),
        _one(slots, wanted),
        _two(slots, wanted),
        images,
        _filling(slots, candidates, library),
        _without_an_option(slots, wanted),
        _other_component(slots, wanted, library),
        ({slot: None} for slot in wanted if slot != "distro"),
    )
    return next((changes for changes in tries if passes(applied(slots, changes))), {})


def applied(slots: _Slots, changes: Changes) -> _Slots:
    """The combination with the changes."""
    merged = {**slots, **changes}
    return {slot: chosen for slot, chosen in merged.items() if chosen is not None}


def another(slots: _Slots, changes: Changes) -> bool:
    """Whether nothing was found, or something that a person did not ask for: another component in
    the place of one, none, or one without an option.
    """
    replaced = (
        slot
        for slot, chosen in changes.items()
        if slot in slots and (not chosen or _is_another(slots[slot], chosen))
    )
    return not changes or any(True for _ in replaced)


def _is_another(before: Chosen, chosen: Chosen) -> bool:
    kept = all(option in chosen.options for option in before.options)
    return chosen.component.name != before.component.name or not kept


def adds(slots: _Slots, changes: Changes) -> bool:
    """Whether nothing is changed but empty slots."""
    return bool(changes) and not changes.keys() & slots.keys()


def text(slots: _Slots, changes: Changes) -> str:
    """As a person reads it: `cuda@12.8.1 with cudnn@9.8.0.87`, `no nccl`, `openmpi@5.0.10 without
    fortran`.
    """
    return " with ".join(
        _said(slots.get(slot), chosen) if chosen else f"no {slot}"
        for slot, chosen in changes.items()
    )


def _said(before: Chosen | None, chosen: Chosen) -> str:
    if before is None or before.pin != chosen.pin:
        return chosen.text
    left = (option.name for option in before.options if option not in chosen.options)
    return f"{chosen.text} without {', '.join(left)}"


def _nearest_first(found: Iterable[tuple[int, Changes]]) -> Iterator[Changes]:
    """Changes by their distance; of equally near ones the first found is the first again."""
    for _, changes in sorted(found, key=lambda item: item[0]):
        yield changes


def _one(slots: _Slots, wanted: list[str]) -> Iterator[Changes]:
    yield from _nearest_first(
        (distance, {slot: chosen})
        for slot in wanted
        for distance, chosen in neighbours(slots[slot], NEIGHBOURS)
    )


def _two(slots: _Slots, wanted: list[str]) -> Iterator[Changes]:
    order = sorted(slots, key=slot_rank)
    pairs = [
        (slot, second)
        for index, slot in enumerate(wanted)
        for second in order
        if second not in wanted[: index + 1]  # those were tried from the other side
    ]
    yield from _nearest_first(
        (distance + further, {slot: chosen, second: other})
        for slot, second in pairs
        for distance, chosen in neighbours(slots[slot], PAIRED)
        for further, other in neighbours(slots[second], PAIRED)
    )


def _as_an_image(slots: _Slots, wanted: list[str], library: Library) -> Iterator[Changes]:
    """What the base images that bring a component have besides it, on the combination's distro:
    those with fewest changes first.
    """
    found: list[dict[str, Chosen]] = []
    for host in (slots[slot] for slot in wanted):
        for image in host.version.methods.get(INHERITED, {}).get("images", []):
            if image["distro"] == slots["distro"].text:
                provides = image.get("provides", {}).items()
                brought = [_named(library, slot, str(version), host) for slot, version in provides]
                known = [chosen for chosen in brought if chosen]
                if len(known) == len(brought):
                    there = {chosen.pin for chosen in slots.values()}
                    found.append({c.slot: c for c in known if c.pin not in there})
    yield from sorted(filter(None, found), key=len)


def _named(library: Library, slot: str, version: str, host: Chosen) -> Chosen | None:
    component = next((c for c in library.of_slot(slot) if version in c.versions), None)
    return Chosen(slot, component, component.versions[version], host.where) if component else None


def _filling(slots: _Slots, candidates: Iterable[str], library: Library) -> Iterator[Changes]:
    """What empty slots could hold, the newest first: one of them, then two."""
    empty = [slot for slot in candidates if slot not in slots]
    found = {
        slot: [
            {slot: Chosen(slot, component, version, slots["distro"].where)}
            for component in library.of_slot(slot)
            for version in islice(component.versions.values(), PAIRED)
        ]
        for slot in empty
    }
    yield from chain.from_iterable(found.values())
    for one, other in combinations(empty, 2):
        for first, second in product(found[one], found[other]):
            yield {**first, **second}


def _without_an_option(slots: _Slots, wanted: list[str]) -> Iterator[Changes]:
    for slot in wanted:
        options = slots[slot].options
        for one in options:
            left = tuple(option for option in options if option != one)
            yield {slot: replace(slots[slot], options=left)}


def _other_component(slots: _Slots, wanted: list[str], library: Library) -> Iterator[Changes]:
    for slot in wanted:
        for component in library.of_slot(slot):
            if component.name != slots[slot].component.name and component.methods:
                yield from ({slot: chosen} for chosen in alike(slots[slot], component))


def alike(chosen: Chosen, other: Component) -> Iterator[Chosen]:
    """Versions of another component for a slot: the same one, those of its minor, of its major (the
    libraries of CUDA are counted as CUDA is), then the newest.
    """
    mine = chosen.version.version.split(".")

    def in_common(version: str) -> int:
        pairs = zip(mine, version.split("."), strict=False)
        return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))

    for name in sorted(other.versions, key=in_common, reverse=True)[:PAIRED]:
        yield Chosen(chosen.slot, other, other.versions[name], chosen.where)


def neighbours(chosen: Chosen, limit: int) -> Iterator[tuple[int, Chosen]]:
    """At most `limit` other versions of a component with their distance in the list, the nearest
    first, a newer before an older.
    """
    known = sorted(chosen.component.versions, key=version_key)
    here = known.index(chosen.version.version)
    others = sorted(range(len(known)), key=lambda index: (abs(index - here), -index))[1 : limit + 1]
    for index in others:
        version = chosen.component.versions[known[index]]
        yield abs(index - here), replace(chosen, version=version)
