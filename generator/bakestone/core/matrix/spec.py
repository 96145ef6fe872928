"""images.yaml -> Spec: what a person asked for, with a position for every part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from itertools import starmap
from pathlib import Path
from typing import Any

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.suggest import near
from bakestone.core.documents.yaml import Json, Path_
from bakestone.core.library.own_base import OwnBase
from bakestone.core.matrix import certificates, gpus, requirements
from bakestone.core.matrix.content import (
    CA_PACKAGE,
    MAX_FILE,
    PREFIX,
    Content,
    OwnFile,
    OwnPython,
    OwnStep,
)
from bakestone.errors import BakestoneError, Finding, Position, read_bytes

PLATFORMS = ("linux/amd64", "linux/arm64")
"""What images can be built for, as in schemas/images.schema.json."""
DEFAULT_NAME_SLOTS = ("mpi", "cuda", "cudnn", "rocm", "distro")
_OWN = ("name", "description", "suffix")
"""What a family has from no other."""
MAX_REQUIREMENTS = 500
"""Requirements of one environment of Python; what they bring is not among these."""
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
    """The user that images run as; `home` is empty for the usual one, `where` it is said None where
    nothing says it.
    """

    name: str = "dockeruser"
    uid: int = UID
    gid: int = UID
    where: Position | None = None
    home: str = ""

    @property
    def directory(self) -> str:
        """Its home."""
        return self.home or f"/home/{self.name}"


@dataclass(frozen=True)
class TagTemplate:
    """A further tag of images as the file has it, with fields such as `{mpi_major}`; `when` are the
    selectors of the variants that have it, none for all, and `condition` where these stand.
    """

    text: str
    when: tuple[str, ...]
    where: Position
    condition: Position


@dataclass(frozen=True)
class Family:
    """A named matrix.

    `accept` are the terms accepted for it, by the file or by itself, and `profiles` what it is for,
    each with its place; `host` is what is stated of the machines (driver, oldest_sm, newest_sm);
    `max_age` is its own, or else the file's; `roles` are empty when the family does not divide its
    images; `frameworks` are those that the images are for, as pip takes them, each with its place;
    with `every_platform` a component that lacks one is refused, and does not leave it out;
    `content` is what the team adds. `inherited` has the settings that another family or `defaults`
    said, each with its place; `package_places` where each package was asked for, `without` which
    are left out. Names end with `suffix`; `tags` are what images are called besides.
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
    content: Content = field(default_factory=Content)
    inherited: dict[str, Position] = field(default_factory=dict)
    package_places: dict[str, Position] = field(default_factory=dict)
    without: dict[str, Position] = field(default_factory=dict)
    suffix: str = ""
    tags: tuple[TagTemplate, ...] = ()


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
    hint = "begin one with `bakestone init`, or name the file with -f FILE"
    return read(yamldoc.load(path, "the matrix", hint=hint), path)


def read(document: yamldoc.Document, path: Path) -> Spec:
    """Like `load`, from a document that is, or would be, at `path`."""
    schema.check(document, "images")
    reader = _Reader(document, path.resolve().parent)
    families = tuple(
        reader.family(index, data) for index, data in enumerate(document.data["families"])
    )
    reader.unique_names(families)
    if reader.findings:
        raise BakestoneError(reader.findings)
    return Spec(path, path.resolve().parent, document.data["registry"], families)


class _Said:
    """What a family says, and what it inherits: `chain` is the mappings with their places, the
    nearest first; not `whole` where a family is missing.
    """

    def __init__(self, chain: list[tuple[Path_, Json]], whole: bool) -> None:
        self.chain = chain
        self.whole = whole

    @property
    def at(self) -> Path_:
        """The place of the family itself."""
        return self.chain[0][0]

    def nearest(self, key: str) -> tuple[Path_, Any] | None:
        """Place and value where it is said first."""
        return next((((*at, key), data[key]) for at, data in self.chain if key in data), None)

    def value(self, key: str, otherwise: Any) -> Any:
        """What is said first, or `otherwise` where nobody says it."""
        found = self.nearest(key)
        return otherwise if found is None else found[1]

    def entries(self, key: str) -> Iterator[tuple[Path_, Any]]:
        """Place and value of each entry of the list that is said first."""
        at, values = self.nearest(key) or ((), [])
        for index, entry in enumerate(values):
            yield (*at, index), entry

    def all(self, key: str) -> Iterator[tuple[Path_, Any]]:
        """The same of all lists, the nearest first."""
        for at, data in self.chain:
            for index, entry in enumerate(data.get(key, [])):
                yield (*at, key, index), entry

    def farthest_first(self, key: str) -> list[tuple[Path_, Any]]:
        """The same with what is inherited first, each list in its order."""
        return [
            ((*at, key, index), entry)
            for at, data in reversed(self.chain)
            for index, entry in enumerate(data.get(key, []))
        ]

    def mapping(self, key: str) -> dict[str, tuple[Path_, Any]]:
        """Name -> place and value of all mappings, each from the nearest; null takes one out."""
        found: dict[str, tuple[Path_, Any]] = {}
        for at, data in reversed(self.chain):
            found |= {name: ((*at, key, name), value) for name, value in data.get(key, {}).items()}
        return {name: pair for name, pair in found.items() if pair[1] is not None}

    def inherited(self) -> dict[str, Path_]:
        """Keys that others of the chain say first, each with its place."""
        own = self.chain[0][1]
        keys = dict.fromkeys(key for _, data in self.chain[1:] for key in data if key not in own)
        told = {key: self.nearest(key) for key in keys if key not in _OWN}
        return {key: found[0] for key, found in told.items() if found and key != "extends"}


def _nearest(entries: list[tuple[Path_, Any]], key: str) -> list[tuple[Path_, Any]]:
    """The entries without those that one of another list with the same `key` stands for."""
    last = {entry[key]: at[:-1] for at, entry in entries}
    return [(at, entry) for at, entry in entries if last[entry[key]] == at[:-1]]


def _ca_hint(problem: ValueError) -> str:
    """What to do about a file that no trust store can have."""
    if "private key" in str(problem):
        return "take it out of the file and out of the repository, where others have seen it"
    if "PEM" in str(problem):
        return "of a binary file `openssl x509 -inform der -in FILE` makes one"
    return "certificates of authorities alone, in PEM: `openssl x509 -in FILE -text` shows one"


class _Reader:
    """The parts of a document that follows the schema as records, each with its place."""

    def __init__(self, document: yamldoc.Document, folder: Path) -> None:
        self.position = document.position
        self.data = document.data
        self.folder = folder
        self.files: dict[Path, bytes] = {}
        self.findings: list[Finding] = []

    def family(self, index: int, data: Json) -> Family:
        said = self.said(index, data)
        methods = said.mapping("methods")
        axes = said.mapping("axes")
        packages, without = self.packages(said)
        content = self.content(said)
        names = {text.partition("=")[0] for text in packages}
        if content.certificates and CA_PACKAGE not in names:
            packages[CA_PACKAGE] = content.certificates[0].where
        return Family(
            name=data["name"],
            description=data.get("description", ""),
            platforms=tuple(said.value("platforms", ["linux/amd64"])),
            user=self.user(said),
            axes=tuple(self.axis(at, name, values) for name, (at, values) in axes.items()),
            exclude=tuple(starmap(self.exclude, said.entries("exclude"))),
            include=tuple(starmap(self.include, said.entries("include"))),
            methods={name: method for name, (_, method) in methods.items()},
            method_positions={name: self.position(at) for name, (at, _) in methods.items()},
            packages=tuple(packages),
            name_slots=tuple(said.value("name_slots", DEFAULT_NAME_SLOTS)),
            where=self.position((*said.at, "name")),
            accept=self.listed((), self.data, "accept") | self.of(said.all("accept")),
            profiles=self.of(said.entries("profiles")),
            end_of_life=said.value("end_of_life", "warn"),
            host=self.host(said),
            max_age=self.max_age(said),
            roles=tuple(said.value("roles", ())),
            max_size=self.max_size(said),
            frameworks=self.of(said.entries("frameworks")),
            every_platform=said.value("every_platform", False),
            content=content,
            inherited={key: self.position(at, key=True) for key, at in said.inherited().items()},
            package_places=packages,
            without=without,
            suffix=data.get("suffix", ""),
            tags=self.tags(said),
        )

    def said(self, index: int, data: Json) -> _Said:
        """What a family says, the families that it extends, the nearest first, and `defaults`."""
        families: list[Json] = self.data["families"]
        whole = True
        chain: list[tuple[Path_, Json]] = [(("families", index), data)]
        while "extends" in chain[-1][1]:
            at, last = chain[-1]
            where = self.position((*at, "extends"))
            known = [family["name"] for family in families]
            if last["extends"] not in known:
                hint = near(last["extends"], known, f"one of: {', '.join(known)}")
                if len(chain) == 1:  # else it is told where that family is read
                    why = f"no family is named {last['extends']!r}"
                    self.findings.append(Finding(why, hint, where))
                whole = False
                break
            number = known.index(last["extends"])
            if any(at == ("families", number) for at, _ in chain):
                why = f"the family {data['name']} extends itself"
                if len(chain) > 1:
                    why += f", by way of {', '.join(one['name'] for _, one in chain[1:])}"
                self.findings.append(Finding(why, "take `extends` out of one of them", where))
                whole = False
                break
            chain.append((("families", number), families[number]))
        return _Said([*chain, (("defaults",), self.data.get("defaults", {}))], whole)

    def packages(self, said: _Said) -> tuple[dict[str, Position], dict[str, Position]]:
        """Those of all as they are written (`name`, or `name=version`; the nearest version counts),
        without those that a nearer one leaves out, and the latter by name.
        """
        found: dict[str, tuple[Path_, str]] = {}
        without: dict[str, Position] = {}
        for at, text in said.farthest_first("packages"):
            where, name = self.position(at), text.removeprefix("!").partition("=")[0]
            if not text.startswith("!"):
                if name in found and found[name][0][:-1] == at[:-1]:
                    first = self.position(found[name][0]).line
                    why = f"the package {name} is asked for twice (the first on line {first})"
                    self.findings.append(Finding(why, "take one of them out", where))
                if name not in found or "=" in text or "=" not in found[name][1]:
                    found[name] = (at, text)
            elif name in found:
                del found[name]
                without[name] = where
            else:
                hint = near(name, found, "what is not there need not be left out: remove it")
                why = f"no package {name} is inherited here"
                self.findings.append(Finding(why, hint, where))
        return {text: self.position(at) for at, text in found.values()}, without

    def tags(self, said: _Said) -> tuple[TagTemplate, ...]:
        """Those of all, without those that a nearer one leaves out; a nearer one of the same text
        stands for the other.
        """
        found: list[tuple[Path_, Any]] = []
        for at, entry in said.farthest_first("tags"):
            asked: Json = {"tag": entry} if isinstance(entry, str) else entry
            text: str = asked["tag"]
            kept = [(place, other) for place, other in found if other["tag"] != text[1:]]
            if not text.startswith("!"):
                found.append((at, asked))
            elif len(kept) < len(found):
                found = kept
            else:
                names = [other["tag"] for _, other in found]
                hint = near(text[1:], names, "what is not there need not be left out: remove it")
                why = f"no tag {text[1:]} is inherited here"
                self.findings.append(Finding(why, hint, self.position(at)))
        return tuple(starmap(self.tag, _nearest(found, "tag")))

    def tag(self, at: Path_, entry: Json) -> TagTemplate:
        when = entry.get("when", [])
        where, condition = self.position((*at, "tag")), self.position((*at, "when"))
        selectors = (when,) if isinstance(when, str) else tuple(when)
        return TagTemplate(entry["tag"], selectors, where, condition)

    def taken_out(self, said: _Said, key: str) -> None:
        """A finding for each null that takes out what is not there."""
        at, data = said.chain[0]
        below = _Said(said.chain[1:], said.whole).mapping(key)
        for name, value in data.get(key, {}).items():
            if value is None and name not in below:
                why = f"no {name} is inherited here"
                hint = near(name, below, "what is not there need not be taken out: remove it")
                self.findings.append(Finding(why, hint, self.position((*at, key, name))))

    def content(self, said: _Said) -> Content:
        """What the team adds: mappings are merged, lists go one after the other, the rest is the
        nearest one's. A nearer file of one path, and a nearer step of one name, stands for the
        other.
        """
        named: dict[str, dict[str, str]] = {}
        places: dict[tuple[str, ...], Position] = {}
        for key in ("env", "labels", "annotations"):
            self.taken_out(said, key)
            values = said.mapping(key)
            named[key] = {name: value for name, (_, value) in values.items()}
            places |= {(key, name): self.position(at) for name, (at, _) in values.items()}
        for key in ("entrypoint", "cmd", "workdir", "shell"):
            if found := said.nearest(key):
                places[key,] = self.position(found[0])
        farthest_first = {key: said.farthest_first(key) for key in ("expose", "files", "run")}
        cmd = said.value("cmd", None)
        return Content(
            named["env"],
            named["labels"],
            named["annotations"],
            tuple(said.value("entrypoint", ())),
            None if cmd is None else tuple(cmd),
            said.value("workdir", ""),
            tuple(said.value("shell", ())),
            tuple(dict.fromkeys(port for _, port in farthest_first["expose"])),
            tuple(self.certificates(said)),
            tuple(starmap(self.file, _nearest(farthest_first["files"], "to"))),
            tuple(starmap(self.step, _nearest(farthest_first["run"], "name"))),
            places,
            python=self.python(said),
        )

    def python(self, said: _Said) -> OwnPython | None:
        """The environment of Python that is said first: what `packages` lists and the file has."""
        found = said.nearest("python")
        if found is None:
            return None
        at, data = found
        wanted: dict[str, None] = {}
        listed = [((*at, "packages", n), t) for n, t in enumerate(data.get("packages", []))]
        for place, text in listed:
            try:
                wanted[requirements.normal(text)] = None
            except BakestoneError as problem:
                self.found(problem, self.position(place))
        if "requirements" in data:
            name, where = data["requirements"], self.position((*at, "requirements"))
            content = self.text_of(name, where) or b""
            try:
                for line, text in requirements.of_file(name, content):
                    wanted[requirements.listed(name, line, text)] = None
            except BakestoneError as problem:
                self.found(problem, where)
            if content and not wanted and not self.findings:
                hint = "write a line for each package, or take it out"
                self.findings.append(Finding(f"{name} asks for no package", hint, where))
        if len(wanted) > MAX_REQUIREMENTS:
            why = f"an environment of {len(wanted)} requirements"
            hint = f"{MAX_REQUIREMENTS} at most; what they bring is locked without being named"
            self.findings.append(Finding(why, hint, self.position(at)))
        prefix, of_user = data.get("prefix", PREFIX), data.get("owner") == "user"
        sources = sorted({requirements.normal(text) for text in data.get("from_source", [])})
        if not wanted and not self.findings:
            hint = "say which under `packages`, or in a file under `requirements`"
            where = self.position(at, key=True)
            self.findings.append(Finding("an environment asks for no package", hint, where))
        where = self.position(at, key=True)
        return OwnPython(tuple(sorted(wanted)), prefix, of_user, where, tuple(sources))

    def found(self, problem: BakestoneError, where: Position) -> None:
        """What is wrong with a value, at its place."""
        self.findings += [replace(finding, where=where) for finding in problem.findings]

    def text_of(self, origin: str, where: Position) -> bytes | None:
        """A file of the repository; None, with a finding, where it cannot be read."""
        path = self.folder / origin
        try:
            if path not in self.files:  # many families may have it
                self.files[path] = read_bytes(path, "the file", limit=MAX_FILE, within=self.folder)
            return self.files[path]
        except BakestoneError as problem:
            (found,) = problem.findings
            said = found.message.replace(f"{self.folder}/", "")
            said = said.replace(str(self.folder), "the folder of images.yaml")
            hint = found.hint or "its path begins in the folder of images.yaml"
            self.findings.append(Finding(said, hint, where))
            return None

    def certificates(self, said: _Said) -> Iterable[certificates.OwnCertificate]:
        """Those of all files of `ca`, each once, what is inherited first."""
        found: dict[bytes, certificates.OwnCertificate] = {}
        for at, origin in said.farthest_first("ca"):
            where = self.position(at)
            content = self.text_of(origin, where)
            try:
                read = certificates.read(origin, content, where) if content is not None else ()
            except ValueError as problem:
                self.findings.append(Finding(f"{origin}: {problem}", _ca_hint(problem), where))
                continue
            for one in read:
                found.setdefault(one.der, one)
        return found.values()

    def file(self, at: Path_, entry: Json) -> OwnFile:
        where = self.position((*at, "from"))
        content = self.text_of(entry["from"], where) or b""
        mode, of_user = entry.get("mode", "0644"), entry.get("owner") == "user"
        return OwnFile(entry["from"], content, entry["to"], mode, of_user, where)

    def step(self, at: Path_, entry: Json) -> OwnStep:
        network = entry.get("network", False)
        where = self.position(at)
        return OwnStep(entry["name"], entry["because"], entry["script"], network, where)

    def host(self, said: _Said) -> dict[str, str]:
        """What is stated of the machines: their oldest driver, and the ends of their GPUs."""
        sms = list(said.value("sm", ()))
        for place, name in said.entries("gpus"):
            sm = gpus.capability(name)
            if sm is None:
                why = f"unknown GPU {name!r}"
                self.findings.append(Finding(why, gpus.hint(name), self.position(place)))
            else:
                sms.append(sm)
        driver = said.value("driver", "")
        return ({"driver": driver} if driver else {}) | gpus.host(sms)

    def user(self, said: _Said) -> User:
        """The user by name alone, or with ids; its group has the id of the user unless said."""
        at, value = said.nearest("user") or ((), {})
        about: Json = {"name": value} if isinstance(value, str) else value
        where = self.position(at) if value else None
        uid: int = about.get("uid", UID)
        gid: int = about.get("gid", uid)
        return User(about.get("name", User.name), uid, gid, where, about.get("home", ""))

    def entries(self, at: Path_, data: Json, key: str) -> Iterator[tuple[Path_, Any]]:
        """Place and value of each entry of a list that may not be there."""
        for index, entry in enumerate(data.get(key, [])):
            yield (*at, key, index), entry

    def of(self, entries: Iterable[tuple[Path_, str]]) -> dict[str, Position]:
        return {name: self.position(place) for place, name in entries}

    def listed(self, at: Path_, data: Json, key: str) -> dict[str, Position]:
        return self.of(self.entries(at, data, key))

    def max_age(self, said: _Said) -> MaxAge | None:
        """The family's, else the file's; None when there is none, or it is `none`."""
        at, text = said.nearest("max-age") or (("max-age",), self.data.get("max-age", "none"))
        return None if text == "none" else MaxAge(text, self.position(at))

    def max_size(self, said: _Said) -> MaxSize | None:
        found = said.nearest("max-size")
        return MaxSize(found[1], self.position(found[0])) if found else None

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
