"""images.yaml -> Spec: what a person asked for, with a position for every part."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import matches
from bakestone.core.documents.yaml import Json
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

    @property
    def text(self) -> str:
        """As a person would write it."""
        if self.version is None:
            return "none"
        return f"{self.component}@{self.version}" if self.component else self.version


@dataclass(frozen=True)
class AxisValue:
    """One value of an axis: the slots that it sets."""

    picks: dict[str, Pick]
    where: Position


@dataclass(frozen=True)
class Axis:
    """A list of values; `name` is a slot, or any name when the values set several slots."""

    name: str
    values: tuple[AxisValue, ...]
    where: Position


@dataclass(frozen=True)
class Exclude:
    """Leave out the combinations in which every slot matches its pattern."""

    patterns: dict[str, str]
    because: str
    where: Position


@dataclass(frozen=True)
class Include:
    """A combination added to the product of the axes."""

    picks: dict[str, Pick]
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

    `accept` are the terms accepted for it, by the file or by itself; `host` is what is stated of
    the machines (driver); `max_age` is its own, or else the file's.
    """

    name: str
    description: str
    platforms: tuple[str, ...]
    user: str
    axes: tuple[Axis, ...]
    exclude: tuple[Exclude, ...]
    include: tuple[Include, ...]
    methods: dict[str, str]
    method_positions: dict[str, Position]
    packages: tuple[str, ...]
    name_slots: tuple[str, ...]
    where: Position
    accept: tuple[str, ...] = ()
    accept_positions: dict[str, Position] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    profile_positions: dict[str, Position] = field(default_factory=dict)
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
    def __init__(self, document: yamldoc.Document) -> None:
        self.document = document
        self.findings: list[Finding] = []

    def family(self, index: int, data: Json) -> Family:
        at: tuple[str | int, ...] = ("families", index)
        position = self.document.position
        methods = data.get("methods", {})
        accept = {
            a: position(("accept", i)) for i, a in enumerate(self.document.data.get("accept", []))
        }
        accept |= {a: position((*at, "accept", i)) for i, a in enumerate(data.get("accept", []))}
        return Family(
            name=data["name"],
            description=data.get("description", ""),
            platforms=tuple(data.get("platforms", ["linux/amd64"])),
            user=data.get("user", "dockeruser"),
            axes=tuple(
                self.axis((*at, "axes", name), name, values)
                for name, values in data["axes"].items()
            ),
            exclude=tuple(
                self.exclude((*at, "exclude", i), entry)
                for i, entry in enumerate(data.get("exclude", []))
            ),
            include=tuple(
                Include(
                    self.picks(
                        (*at, "include", i), {k: v for k, v in entry.items() if k != "because"}
                    ),
                    entry["because"],
                    position((*at, "include", i)),
                )
                for i, entry in enumerate(data.get("include", []))
            ),
            methods=methods,
            method_positions={name: position((*at, "methods", name)) for name in methods},
            packages=tuple(data.get("packages", [])),
            name_slots=tuple(data.get("name_slots", DEFAULT_NAME_SLOTS)),
            where=position((*at, "name")),
            accept=tuple(accept),
            accept_positions=accept,
            profiles=tuple(data.get("profiles", [])),
            profile_positions={
                name: position((*at, "profiles", i))
                for i, name in enumerate(data.get("profiles", []))
            },
            end_of_life=data.get("end_of_life", "warn"),
            host={"driver": data["driver"]} if "driver" in data else {},
            max_age=self.max_age(at),
        )

    def max_age(self, at: tuple[str | int, ...]) -> MaxAge | None:
        """The family's, else the file's; None when there is none, or it is `none`."""
        for path, data in ((at, self.document.data["families"][at[1]]), ((), self.document.data)):
            if "max-age" in data:
                text = data["max-age"]
                return (
                    None
                    if text == "none"
                    else MaxAge(text, self.document.position((*path, "max-age")))
                )
        return None

    def exclude(self, at: tuple[str | int, ...], entry: dict[str, str]) -> Exclude:
        where = self.document.position(at)
        patterns = {slot: pattern for slot, pattern in entry.items() if slot != "because"}
        for pattern in patterns.values():
            try:
                matches(pattern, "component", "1")
            except ValueError as problem:
                self.findings.append(Finding(str(problem), "write a range as >=12.0,<13", where))
        return Exclude(patterns, entry["because"], where)

    def axis(self, at: tuple[str | int, ...], name: str, values: list[Any]) -> Axis:
        out = []
        linked = any(isinstance(value, dict) for value in values)
        for index, value in enumerate(values):
            where = self.document.position((*at, index))
            if isinstance(value, dict):
                picks = self.picks((*at, index), value)
            elif linked and value == "none":  # beside mappings, `none` leaves all their slots empty
                picks = {}
            else:
                picks = {name: self.pick((*at, index), value)}
            out.append(AxisValue(picks, where))
        return Axis(name, tuple(out), self.document.position(at, key=True))

    def picks(self, at: tuple[str | int, ...], data: dict[str, str]) -> dict[str, Pick]:
        return {slot: self.pick((*at, slot), value) for slot, value in data.items()}

    def pick(self, at: tuple[str | int, ...], value: str) -> Pick:
        component, mark, version = value.rpartition("@")
        if value == "none":
            return Pick("", None, self.document.position(at))
        return Pick(component if mark else "", version, self.document.position(at))

    def unique_names(self, families: tuple[Family, ...]) -> None:
        first: dict[str, Family] = {}
        for family in families:
            if family.name in first:
                line = first[family.name].where.line
                why = f"two families are named {family.name} (first on line {line})"
                self.findings.append(Finding(why, "rename one of them", family.where))
            first.setdefault(family.name, family)
