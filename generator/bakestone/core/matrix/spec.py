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
from bakestone.core.documents.yaml import Json, Path_
from bakestone.core.library.own_base import OwnBase
from bakestone.core.matrix import gpus
from bakestone.errors import BakestoneError, Finding, Position

PLATFORMS = ("linux/amd64", "linux/arm64")
"""What images can be built for, as in schemas/images.schema.json."""
DEFAULT_NAME_SLOTS = ("mpi", "cuda", "cudnn", "rocm", "distro")
OPTIONS = "with"
"""The key of a value that has a component with options: `{openmpi: "5.0.10", with: [fortran]}`."""


@dataclass(frozen=True)
class Pick:
    """One slot filled by hand: `component@version`, a version alone, or nothing (`version` None).

    `component` is empty when only a version was written; the library knows
    which component the slot has. `own` is a base image of a team's own, for the slot distro;
    `options` are what the component is built with besides, each with its place.
    """

    component: str
    version: str | None
    where: Position
    own: OwnBase | None = None
    options: dict[str, Position] = field(default_factory=dict)


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
class MaxSize:
    """How large an image may be: `900MB` or `8.5GB`, in decimal units, and where that stands."""

    text: str
    where: Position

    @property
    def bytes(self) -> int:
        """The compressed bytes that it means."""
        return round(float(self.text[:-2]) * {"MB": 10**6, "GB": 10**9}[self.text[-2:]])


UID = 10001
"""User id of the images' user: above the ids that distros and cloud images hand out (Ubuntu 24.04
has 1000 taken).
"""


@dataclass(frozen=True)
class User:
    """The user that images run as; `where` it is said, None where nothing says it."""

    name: str = "dockeruser"
    uid: int = UID
    gid: int = UID
    where: Position | None = None


@dataclass(frozen=True)
class Family:
    """A named matrix.

    `accept` are the terms accepted for it, by the file or by itself, and `profiles` what it is for,
    each with its place; `host` is what is stated of the machines (driver, oldest_sm, newest_sm);
    `max_age` is its own, or else the file's; `roles` are empty when the family does not divide its
    images; `frameworks` are those that the images are for, as pip takes them, each with its place;
    with `every_platform` a component that lacks one is refused, and does not leave it out.
    """

    name: str
    description: str
    platforms: tuple[str, ...]
    user: User
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
    roles: tuple[str, ...] = ()
    max_size: MaxSize | None = None
    frameworks: dict[str, Position] = field(default_factory=dict)
    every_platform: bool = False


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
            user=self.user(at, data),
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
            host=self.host(at, data),
            max_age=self.max_age(at, data),
            roles=tuple(data.get("roles", ())),
            max_size=self.max_size(at, data),
            frameworks=self.listed(at, data, "frameworks"),
            every_platform=data.get("every_platform", False),
        )

    def host(self, at: Path_, data: Json) -> dict[str, str]:
        """What is stated of the machines: their oldest driver, and the ends of their GPUs."""
        sms = list(data.get("sm", []))
        for place, name in self.entries(at, data, "gpus"):
            sm = gpus.capability(name)
            if sm is None:
                why = f"unknown GPU {name!r}"
                self.findings.append(Finding(why, gpus.hint(name), self.position(place)))
            else:
                sms.append(sm)
        driver = {"driver": data["driver"]} if "driver" in data else {}
        return driver | gpus.host(sms)

    def user(self, at: Path_, data: Json) -> User:
        """The user by name alone, or with ids; its group has the id of the user unless said."""
        said = data.get("user", {})
        about: Json = {"name": said} if isinstance(said, str) else said
        where = self.position((*at, "user")) if said else None
        uid: int = about.get("uid", UID)
        gid: int = about.get("gid", uid)
        return User(about.get("name", User.name), uid, gid, where)

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

    def max_size(self, at: Path_, data: Json) -> MaxSize | None:
        text = data.get("max-size")
        return MaxSize(text, self.position((*at, "max-size"))) if text else None

    def include(self, at: Path_, entry: Json) -> Combination:
        return self.combination(at, {k: v for k, v in entry.items() if k != "because"})

    def exclude(self, at: Path_, entry: dict[str, str]) -> Exclude:
        where = self.position(at)
        patterns = {slot: pattern for slot, pattern in entry.items() if slot != "because"}
        return Exclude(patterns, entry["because"], where)

    def axis(self, at: Path_, name: str, values: list[Any]) -> Axis:
        out = []
        linked = any(isinstance(value, dict) and OPTIONS not in value for value in values)
        for index, value in enumerate(values):
            place = (*at, index)
            if linked and value == "none":  # beside mappings it leaves all their slots empty
                value = {}
            if isinstance(value, dict) and "image" in value:
                out.append(self.own_base(place, name, value))
            elif isinstance(value, dict) and OPTIONS not in value:
                out.append(self.combination(place, value))
            else:
                picks = {name: self.pick(place, value)}
                out.append(Combination(picks, self.position(place)))
        return Axis(name, tuple(out), self.position(at, key=True))

    def combination(self, at: Path_, data: Json) -> Combination:
        picks = {slot: self.pick((*at, slot), value) for slot, value in data.items()}
        return Combination(picks, self.position(at))

    def own_base(self, at: Path_, axis: str, data: dict[str, str]) -> Combination:
        where, own = self.position(at), OwnBase(**data)
        if axis != "distro":
            why, hint = (
                "a base image of your own fills the slot distro",
                "move it to the axis distro",
            )
            self.findings.append(Finding(why, hint, where))
        return Combination({axis: Pick(own.component, own.release, where, own)}, where)

    def pick(self, at: Path_, value: str | Json) -> Pick:
        if isinstance(value, dict):  # its other key is the component
            ((component, version),) = ((k, v) for k, v in value.items() if k != OPTIONS)
            options = self.listed(at, value, OPTIONS)
            return Pick(component, version, self.position((*at, component)), options=options)
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
