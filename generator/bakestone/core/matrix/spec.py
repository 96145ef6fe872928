"""images.yaml -> Spec: what a person asked for, with a position for every part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import starmap
from pathlib import Path
from typing import Any

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import matches
from bakestone.core.documents.yaml import Json, Path_
from bakestone.errors import BakestoneError, Finding, Position

DEFAULT_NAME_SLOTS = ("mpi", "cuda", "cudnn", "distro")


@dataclass(frozen=True)
class Pick:
    """One slot filled by hand: `component@version`, a version alone, or nothing (`version` None).

    `component` is empty when only a version was written; the library knows
    which component the slot has.
    """

    component: str
    version: str | None
    where: Position


@dataclass(frozen=True)
class Combination:
    """Slots set together: by one value of an axis, or added to the product by `include`."""

    picks: dict[str, Pick]
    where: Position


@dataclass(frozen=True)
class Axis:
    """A list of values; `name` is a slot, or any name when the values set several slots."""

    name: str
    values: tuple[Combination, ...]
    where: Position

    @cached_property
    def slots(self) -> frozenset[str]:
        """The slots that its values set."""
        return frozenset(slot for value in self.values for slot in value.picks)


@dataclass(frozen=True)
class Exclude:
    """Leave out the combinations in which every slot matches its pattern."""

    patterns: dict[str, str]
    because: str
    where: Position


@dataclass(frozen=True)
class MaxAge:
    """How old an entry of the lock may be: `30d` and where that stands."""

    text: str
    where: Position

    @property
    def span(self) -> timedelta:
        """The time that it means."""
        number, unit = int(self.text[:-1]), self.text[-1]
        return timedelta(hours=number * {"h": 1, "d": 24, "w": 168}[unit])


@dataclass(frozen=True)
class Family:
    """A named matrix.

    `accept` are the terms accepted for it, by the file or by itself, and `profiles` what it is for,
    each with its place; `host` is what is stated of the machines (driver); `max_age` is its own, or
    else the file's.
    """

    name: str
    description: str
    platforms: tuple[str, ...]
    user: str
    axes: tuple[Axis, ...]
    exclude: tuple[Exclude, ...]
    include: tuple[Combination, ...]
    methods: dict[str, str]
    method_positions: dict[str, Position]
    packages: tuple[str, ...]
    name_slots: tuple[str, ...]
    where: Position
    accept: dict[str, Position] = field(default_factory=dict)
    profiles: dict[str, Position] = field(default_factory=dict)
    end_of_life: str = "warn"
    host: dict[str, str] = field(default_factory=dict)
    max_age: MaxAge | None = None


@dataclass(frozen=True)
class Spec:
    """The whole file. `folder` is where a team's own `components/` may be."""

    path: Path
    folder: Path
    registry: str
    families: tuple[Family, ...]


def load(path: Path) -> Spec:
    """Read and check images.yaml.

    Raises `BakestoneError` with every finding: file, line, column, hint.
    """
    hint = "give the file with -f FILE, or run bakestone where images.yaml is"
    return read(yamldoc.load(path, "the matrix", hint=hint), path)


def read(document: yamldoc.Document, path: Path) -> Spec:
    """Like `load`, from a document that is, or would be, at `path`."""
    schema.check(document, "images")
    reader = _Reader(document)
    families = tuple(
        reader.family(index, data) for index, data in enumerate(document.data["families"])
    )
    reader.unique_names(families)
    if reader.findings:
        raise BakestoneError(reader.findings)
    return Spec(path, path.resolve().parent, document.data["registry"], families)


class _Reader:
    """The parts of a document that follows the schema as records, each with its place."""

    def __init__(self, document: yamldoc.Document) -> None:
        self.position = document.position
        self.data = document.data
        self.findings: list[Finding] = []

    def family(self, index: int, data: Json) -> Family:
        at: Path_ = ("families", index)
        methods = data.get("methods", {})
        axes = data["axes"].items()
        return Family(
            name=data["name"],
            description=data.get("description", ""),
            platforms=tuple(data.get("platforms", ["linux/amd64"])),
            user=data.get("user", "dockeruser"),
            axes=tuple(self.axis((*at, "axes", name), name, values) for name, values in axes),
            exclude=tuple(starmap(self.exclude, self.entries(at, data, "exclude"))),
            include=tuple(starmap(self.include, self.entries(at, data, "include"))),
            methods=methods,
            method_positions={name: self.position((*at, "methods", name)) for name in methods},
            packages=tuple(data.get("packages", [])),
            name_slots=tuple(data.get("name_slots", DEFAULT_NAME_SLOTS)),
            where=self.position((*at, "name")),
            accept=self.listed((), self.data, "accept") | self.listed(at, data, "accept"),
            profiles=self.listed(at, data, "profiles"),
            end_of_life=data.get("end_of_life", "warn"),
            host={"driver": data["driver"]} if "driver" in data else {},
            max_age=self.max_age(at, data),
        )

    def entries(self, at: Path_, data: Json, key: str) -> Iterator[tuple[Path_, Any]]:
        """Place and value of each entry of a list that may not be there."""
        for index, entry in enumerate(data.get(key, [])):
            yield (*at, key, index), entry

    def listed(self, at: Path_, data: Json, key: str) -> dict[str, Position]:
        return {name: self.position(place) for place, name in self.entries(at, data, key)}

    def max_age(self, at: Path_, data: Json) -> MaxAge | None:
        """The family's, else the file's; None when there is none, or it is `none`."""
        path, said = (at, data) if "max-age" in data else ((), self.data)
        text = said.get("max-age", "none")
        return None if text == "none" else MaxAge(text, self.position((*path, "max-age")))

    def include(self, at: Path_, entry: dict[str, str]) -> Combination:
        return self.combination(at, {k: v for k, v in entry.items() if k != "because"})

    def exclude(self, at: Path_, entry: dict[str, str]) -> Exclude:
        where = self.position(at)
        patterns = {slot: pattern for slot, pattern in entry.items() if slot != "because"}
        for pattern in patterns.values():
            try:
                matches(pattern, "component", "1")
            except ValueError as problem:
                self.findings.append(Finding(str(problem), "write a range as >=12.0,<13", where))
        return Exclude(patterns, entry["because"], where)

    def axis(self, at: Path_, name: str, values: list[Any]) -> Axis:
        out = []
        linked = any(isinstance(value, dict) for value in values)
        for index, value in enumerate(values):
            place = (*at, index)
            if linked and value == "none":  # beside mappings it leaves all their slots empty
                value = {}
            if isinstance(value, dict):
                out.append(self.combination(place, value))
            else:
                picks = {name: self.pick(place, value)}
                out.append(Combination(picks, self.position(place)))
        return Axis(name, tuple(out), self.position(at, key=True))

    def combination(self, at: Path_, data: dict[str, str]) -> Combination:
        picks = {slot: self.pick((*at, slot), value) for slot, value in data.items()}
        return Combination(picks, self.position(at))

    def pick(self, at: Path_, value: str) -> Pick:
        component, _, version = value.rpartition("@")
        return Pick(component, None if value == "none" else version, self.position(at))

    def unique_names(self, families: tuple[Family, ...]) -> None:
        first: dict[str, Family] = {}
        for family in families:
            if family.name in first:
                line = first[family.name].where.line
                why = f"two families are named {family.name} (first on line {line})"
                self.findings.append(Finding(why, "rename one of them", family.where))
            first.setdefault(family.name, family)
