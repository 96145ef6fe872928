"""Which combinations of the library's components are allowed: found by trying, never listed by
hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from bakestone.core.documents.patterns import matches
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Rule
from bakestone.core.library.version import ENTRIES, Base
from bakestone.core.matrix import methods, spec
from bakestone.core.matrix.checks import rules, terms
from bakestone.core.matrix.conditions import all_hold, slots_of
from bakestone.core.matrix.expansion import Expansion
from bakestone.core.matrix.variant import INHERITED, Chosen, slot_rank
from bakestone.errors import Position

Slots = dict[str, Chosen]
Picks = dict[str, str]
"""Slot -> `component@version`."""

SOMEWHERE = Position("images.yaml", 1, 1)
DEEPEST = 4
"""Most slots that are filled to make room for one version:

CUDA, cuDNN and NCCL for TensorRT, and a conda for its Python.
"""


def matrix(library: Library, families: Iterable[dict[str, Any]]) -> str:
    """images.yaml in which all terms are accepted and every slot is in the names."""
    named = {"name_slots": sorted(library.slots, key=slot_rank)}
    plain = {
        "version": 1,
        "registry": "localhost:5000",
        "accept": list(terms.known(library)),
        "families": [{**named, **family} for family in families],
    }
    return yaml.dump(
        plain, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, width=1000
    )


class Finder:
    """Finds combinations that pass in a family that asks for `methods`, on `platforms`."""

    def __init__(
        self,
        library: Library,
        folder: Path,
        asked: Mapping[str, str] | None = None,
        platforms: Iterable[str] = ("linux/amd64",),
    ) -> None:
        self.library = library
        self.about: dict[str, Any] = {"methods": dict(asked or {}), "platforms": list(platforms)}
        path = folder / "images.yaml"
        path.write_text(
            matrix(library, [{"name": "one", "axes": {"distro": ["any@1"]}, **self.about}]), "utf-8"
        )
        (self.family,) = spec.load(path).families
        self._work = Expansion(self.family, library, {})
        self._verdicts: rules.Verdicts = {}
        self._decisions: methods.Decisions = {}
        self._slots_seen: dict[int, frozenset[str]] = {}

    def passes(self, slots: Slots) -> bool:
        """Whether a combination breaks no rule and can be installed."""
        return self._work.passes(slots)

    def name(self, slots: Slots) -> str:
        """The name of the variant."""
        return self._work.names.of(slots)

    def base(self, slots: Slots) -> Base:
        """The image that the variant starts from."""
        return methods.settle(self.family, slots, self._decisions)[1]

    def by(self, slots: Slots) -> dict[str, str]:
        """Slot -> the method that fills it."""
        return {
            slot: chosen.method
            for slot, chosen in methods.settle(self.family, slots, self._decisions)[0].items()
        }

    def around(self, chosen: Chosen, method: str) -> Slots | None:
        """A smallest combination with `chosen` by that method that passes;

        None when there is none.
        """
        platforms = self.family.platforms
        starts = [
            {**start, chosen.slot: chosen}
            for start in _starts(self.library, chosen, method, platforms)
        ]
        fitting = (self._filled(slots, depth) for depth in range(DEEPEST + 1) for slots in starts)
        return next((slots for slots in fitting if slots), None)

    def _filled(self, slots: Slots, depth: int) -> Slots | None:
        """The combination, with what it lacks: the slots of a refusal or problem that are empty
        yet.
        """
        refused = [r.slots for r in rules.refusals(slots, {}, self._verdicts)]
        problems = [p.slots for p in methods.settle(self.family, slots, self._decisions)[2]]
        lacking = [
            [slot for slot in wanted if slot not in slots] for wanted in (*refused, *problems)
        ]
        if not lacking:
            return slots
        if not depth or not all(lacking):  # nothing that could be added would mend it
            return None
        further = (chosen for slot in lacking[0] for chosen in everything(self.library, slot))
        return next(
            filter(
                None,
                (self._filled({**slots, chosen.slot: chosen}, depth - 1) for chosen in further),
            ),
            None,
        )

    def product(self, choices: Mapping[str, Iterable[Chosen | None]]) -> Iterator[Slots]:
        """Every combination of the choices that passes, chosen slot by slot in their order;

        None leaves a slot empty.

        A combination is given up as soon as something is wrong that no later choice can mend.
        """
        listed = {slot: tuple(found) for slot, found in choices.items()}
        order = list(listed)

        def go(index: int, slots: Slots) -> Iterator[Slots]:
            if self._hopeless(slots, frozenset(order[index:])):
                return
            if index == len(order):
                yield slots
                return
            for chosen in listed[order[index]]:
                yield from go(index + 1, {**slots, order[index]: chosen} if chosen else slots)

        return go(0, {})

    def _hopeless(self, slots: Slots, undecided: frozenset[str]) -> bool:
        """Whether a rule is broken, or something cannot be installed, whatever the undecided slots
        will hold.
        """
        for refusal in rules.refusals(slots, {}, self._verdicts):
            if undecided.isdisjoint(self._seen_by(refusal.rule)):
                return True
        if "distro" in undecided:
            return False
        return any(
            undecided.isdisjoint(problem.slots)
            and undecided.isdisjoint(_hosts(self.library, problem.slots[0]))
            for problem in methods.settle(self.family, slots, self._decisions)[2]
        )

    def _seen_by(self, rule: Rule) -> frozenset[str]:
        if id(rule) not in self._slots_seen:
            self._slots_seen[id(rule)] = frozenset(
                slot for key in (*rule.when, *rule.require) for slot in slots_of(key)
            )
        return self._slots_seen[id(rule)]


@cache
def everything(library: Library, slot: str) -> tuple[Chosen, ...]:
    """Every version of every component that fills a slot, newest first."""
    return tuple(
        Chosen(slot, c, version, SOMEWHERE)
        for c in library.of_slot(slot)
        for version in c.versions.values()
    )


def _starts(
    library: Library, chosen: Chosen, method: str, platforms: Iterable[str]
) -> Iterator[Slots]:
    """Where to look first: the images that bring it with all that they have; else every distro that
    its conditions allow.

    None when a platform has nothing of it: the search would try all other slots in vain, for
    hours.
    """
    entries = chosen.version.methods.get(method, {}).get(ENTRIES.get(method, ""), [])
    for platform in platforms:
        there = not entries or any(_is_for(entry, platform) for entry in entries)
        if not (there and chosen.version.made_for(platform)):
            return
    if chosen.slot == "distro":
        yield {}
    elif method == INHERITED:
        for host, image in _images(library):
            brings = {
                host.slot: host.version.version,
                **{slot: str(version) for slot, version in image.get("provides", {}).items()},
            }
            if brings.get(chosen.slot) == chosen.version.version:
                filled = {slot: _the(library, slot, version) for slot, version in brings.items()}
                yield {
                    **filled,
                    host.slot: host,
                    "distro": _the(library, "distro", image["distro"]),
                }
    else:
        for distro in everything(library, "distro"):
            conditions = [_texts(entry.get("when", {})) for entry in entries]
            if not conditions or any(
                all_hold({"distro": distro}, {k: w[k] for k in w if k == "distro"}, {})
                for w in conditions
            ):
                yield {"distro": distro}


def _is_for(entry: Mapping[str, Any], platform: str) -> bool:
    return platform in entry.get("files", [platform]) and platform == entry.get(
        "platform", platform
    )


@cache
def _images(library: Library) -> tuple[tuple[Chosen, Mapping[str, Any]], ...]:
    """Every base image that brings a component, with that component."""
    found = []
    for component in map(library.get, library.names):
        assert component is not None
        for host in everything(library, component.slot):
            if host.component is component:
                found += [
                    (host, image)
                    for image in host.version.methods.get(INHERITED, {}).get("images", [])
                ]
    return tuple(found)


@cache
def _hosts(library: Library, slot: str) -> frozenset[str]:
    """The slots whose base images bring what fills `slot`."""
    return frozenset(
        host.slot for host, image in _images(library) if slot in image.get("provides", {})
    )


def _the(library: Library, slot: str, text: str) -> Chosen:
    """What fills a slot in an image: `component@version`, or a version alone."""
    return next(c for c in everything(library, slot) if text in (c.text, c.version.version))


class Kinds:
    """The versions that nothing tells apart which looks at the slots `within` alone: one stands for
    all of its kind.
    """

    def __init__(self, library: Library, within: Iterable[str]) -> None:
        self.library = library
        self.within = frozenset(within)

    def of(self, slot: str) -> list[Chosen]:
        """The newest version of every kind, of all components of a slot."""
        found: dict[tuple[Any, ...], Chosen] = {}
        for chosen in everything(self.library, slot):
            found.setdefault(self._kind(chosen), chosen)
        return list(found.values())

    def _kind(self, chosen: Chosen) -> tuple[Any, ...]:
        version = chosen.version
        answers = []
        for key, pattern in self._patterns:
            slot, dot, attribute = key.partition(".")
            if slot == chosen.slot:
                name, value = (
                    ("", version.known(attribute))
                    if dot
                    else (chosen.component.name, version.version)
                )
                answers.append(value is not None and matches(pattern, name, value))
            elif key == "python" and chosen.slot in slots_of(key):
                answers.append(
                    any(
                        matches(pattern, "", known)
                        for known in map(version.known, ("python", "python_minor"))
                        if known
                    )
                )
        shapes = [
            (name, self._shape(data, ENTRIES.get(name, "")))
            for name, data in sorted(version.methods.items())
        ]
        shapes = [(name, shape) for name, shape in shapes if shape or name != INHERITED]
        brought = [
            (host.text, str(image["distro"]), str(image["provides"]))
            for host, image in _images(self.library)
            if str(image.get("provides", {}).get(chosen.slot)) == version.version
            and self.within.issuperset(image["provides"])
        ]
        return (
            chosen.component.name,
            version.platforms,
            tuple(shapes),
            tuple(answers),
            tuple(brought),
        )

    def _shape(self, data: Mapping[str, Any], entries: str) -> tuple[Any, ...]:
        """What of a method's data decides where it is offered: conditions, platforms, distros, and
        what comes along.
        """
        if entries not in data:
            return tuple(sorted(data.get("versions", {})))
        return tuple(
            sorted(
                {
                    (
                        *(
                            str(entry.get(key, ""))
                            for key in ("when", "platform", "distro", "provides")
                        ),
                        bool(entry.get("deleted")),
                        tuple(sorted(entry.get("files", ()))),
                    )
                    for entry in data[entries]
                    if self.within.issuperset(entry.get("provides", ()))
                }
            )
        )

    @cached_property
    def _patterns(self) -> list[tuple[str, str]]:
        """Every pattern of the components within, with the key that it looks at, unless it stands
        beside one of another slot.
        """
        found: set[tuple[str, str]] = set()
        for component in (
            component for slot in self.within for component in self.library.of_slot(slot)
        ):
            parts = [
                {
                    **rule.when,
                    **{key: (*rule.when.get(key, ()), *p) for key, p in rule.require.items()},
                }
                for rule in component.rules
                if rule.refuses  # the others decide nothing
            ]
            parts += [method.require for method in component.methods.values()]
            for version in component.versions.values():
                for name, data in version.methods.items():
                    parts += [
                        _texts(entry.get("when", {}))
                        for entry in data.get(ENTRIES.get(name, ""), [])
                    ]
            parts += [{"distro": method.distros} for method in component.methods.values()]
            for part in parts:
                if self.within.issuperset(slot for key in part for slot in _deciding(key)):
                    found.update(
                        (key, pattern) for key, patterns in part.items() for pattern in patterns
                    )
        return sorted(found)


def _deciding(key: str) -> set[str]:
    """The slots that decide a key, of those that the products fill: no product has a `python`
    beside `conda`, for one image has one of them.
    """
    return set(slots_of(key)) - {"python"} if key == "python" else set(slots_of(key))


def _texts(when: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(p) if isinstance(p, list) else (str(p),) for key, p in when.items()}
