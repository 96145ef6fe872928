"""A component: a folder of data, read into frozen records.

`components/<name>/` has component.yaml (what it is), versions.yaml (what
exists, with checksums and sources), install.<method>.j2 and inventory.sh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bakestone.core.documents import schema, template
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import matches
from bakestone.core.documents.yaml import Json
from bakestone.core.library.version import Version, Versions, checked, patterns, texts
from bakestone.errors import fail, read_text

Line = tuple[tuple[str, str], ...]
"""A distro as (component, version), then what it is like, nearest first."""

MAX_BYTES = 2**20
"""Size of a script, a program or a template; real ones have some KB."""
BUILT_IN = Path(__file__).parents[2] / "components"
"""Bakestone's own components. Their files are checked by the test suite, so a command need not."""


@dataclass(frozen=True)
class Rule:
    """What must hold between slots: where `when` matches, `require` must match too."""

    id: str
    when: dict[str, tuple[str, ...]]
    require: dict[str, tuple[str, ...]]
    because: str
    source: str
    level: str = "required"
    """How sure it is: `required` (it cannot work), `supported` (its vendor excludes it), or
    `packaged` (nobody packaged it so, which refuses nothing).
    """

    @property
    def refuses(self) -> bool:
        """Whether a combination that breaks it is refused, not only told."""
        return self.level != "packaged"


@dataclass(frozen=True)
class Use:
    """What a build stage makes of a slot whose files it needs, where the image has that slot.

    `slots` must be filled as well for that; `build` are distro packages of the stage besides;
    `measure` is what the inventory must find then.
    """

    slots: tuple[str, ...] = ()
    build: dict[str, tuple[str, ...]] = field(default_factory=dict)
    measure: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(data: Json | list[str]) -> Use:
        """From an entry of `uses` in component.yaml: a list is that of the slots."""
        if isinstance(data, list):
            return Use(tuple(data))
        build, measure = patterns(data.get("build", {})), dict(data.get("measure", {}))
        return Use(tuple(data.get("slots", ())), build, measure)


@dataclass(frozen=True)
class Method:
    """A way to install a component.

    `builder` is `component@version` of a distro, `distro`, or empty;
    `distros` are patterns of the distros that the result works on, all when empty;
    `require` is what must hold of the image, `because` why;
    `uses` names slots whose files the build stage needs where they are filled.
    """

    name: str
    summary: str = ""
    builder: str = ""
    packages: dict[str, tuple[str, ...]] = field(default_factory=dict)
    distros: tuple[str, ...] = ()
    require: dict[str, tuple[str, ...]] = field(default_factory=dict)
    because: str = ""
    uses: dict[str, Use] = field(default_factory=dict)

    @property
    def used_keys(self) -> set[str]:
        """The slots that decide which packages its build stage needs."""
        return {s for slot, use in self.uses.items() if use.build for s in (slot, *use.slots)}

    @staticmethod
    def of(name: str, data: Json) -> Method:
        """From an entry of `methods` in component.yaml."""
        mappings = {key: patterns(data.get(key, {})) for key in ("packages", "require")}
        lists = {"distros": tuple(data.get("distros", ()))}
        return Method(name, **data | mappings | lists | {"uses": _uses(data)})


@dataclass(frozen=True)
class Option:
    """Something that a component is built with where images.yaml asks for it.

    `methods` are those that can; `packages` are distro packages of the finished image,
    `development` those that only the role devel has besides, `build` those of the build stage;
    `uses`, `require` and `because` are as of a method; `conflicts` are options that exclude it;
    `configure` is what the template makes of it; `measure` is what the inventory must find with it,
    `otherwise` without it, by the same methods; `programs` are measured with where it is there.
    """

    name: str
    title: str
    methods: tuple[str, ...]
    packages: dict[str, tuple[str, ...]] = field(default_factory=dict)
    development: dict[str, tuple[str, ...]] = field(default_factory=dict)
    build: dict[str, tuple[str, ...]] = field(default_factory=dict)
    uses: dict[str, Use] = field(default_factory=dict)
    require: dict[str, tuple[str, ...]] = field(default_factory=dict)
    because: str = ""
    conflicts: tuple[str, ...] = ()
    configure: tuple[str, ...] = ()
    measure: dict[str, str] = field(default_factory=dict)
    otherwise: dict[str, str] = field(default_factory=dict)
    programs: tuple[str, ...] = ()

    @staticmethod
    def of(name: str, data: Json) -> Option:
        """From an entry of `options` in component.yaml."""
        kinds = ("packages", "development", "build", "require")
        mappings = {key: patterns(data.get(key, {})) for key in kinds} | {"uses": _uses(data)}
        lists = ("methods", "conflicts", "configure", "programs")
        known = {key: value for key, value in data.items() if key != "source"}
        return Option(name, **known | mappings | {key: tuple(data.get(key, ())) for key in lists})


@dataclass(frozen=True)
class Repository:
    """A vendor's package repository: what stands behind `deb` (URL, suite, parts), its key and that
    key's fingerprint.

    `platform` is empty when the repository has packages for every platform.
    """

    name: str
    line: str
    key: str
    fingerprint: str
    platform: str = ""


@dataclass(frozen=True)
class Terms:
    """Terms that a person must accept by name before the component is used."""

    id: str
    title: str
    url: str
    because: str
    instead: str = ""


@dataclass(frozen=True)
class Retired:
    """Versions that were given up: naming one is refused with the reason."""

    versions: str
    because: str
    source: str
    instead: str = ""


@dataclass(frozen=True)
class Development:
    """What programs are made with and not run with, which images of the role runtime are without.

    `packages` are distro packages as in `packages`; `files` are patterns below the prefix;
    `measures` are what only an image with all this can be asked; by the methods in `inseparable` it
    cannot be left out.
    """

    packages: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    inseparable: tuple[str, ...] = ()

    @staticmethod
    def of(data: Json) -> Development:
        """From `development` in component.yaml."""
        lists = {key: tuple(data.get(key, ())) for key in ("files", "measures", "inseparable")}
        return Development(patterns(data.get("packages", {})), **lists)


@dataclass(frozen=True)
class Component:
    """A component's folder.

    `versions` is read when it is first asked for; `overlays` are a team's files with more versions;
    `others` finds the components that a distro can be like; `given` are versions that stand in no
    versions.yaml.
    """

    name: str
    slot: str
    folder: Path
    data: Json = field(repr=False)
    methods: dict[str, Method] = field(repr=False)
    rules: tuple[Rule, ...] = field(repr=False)
    origin: str
    overlays: tuple[Path, ...] = ()
    others: Callable[[str], Component | None] = field(
        default=lambda _: None, repr=False, compare=False
    )
    given: Json | None = field(default=None, repr=False)

    @property
    def built_in(self) -> bool:
        """Whether it is Bakestone's own."""
        return self.folder.is_relative_to(BUILT_IN)

    @cached_property
    def versions(self) -> Mapping[str, Version]:
        """Every version, newest first; a component that was given up may have none."""
        if self.given is not None:
            return Versions(self.make_version, None, [{"versions": self.given}])
        path = self.folder / "versions.yaml"
        team = () if self.built_in or (self.retired and not path.is_file()) else (path,)
        needed = {"image"} if self.slot == "distro" else set()
        if needed and self.data.get("package_manager") != "dnf":
            needed.add("codename")
        return Versions(
            self.make_version,
            path if self.built_in and path.is_file() else None,
            [checked(file, self.name, needed) for file in (*team, *self.overlays)],
        )

    def make_version(self, version: str, data: Json, methods: Callable[[], Json]) -> Version:
        """A version from its entry in versions.yaml, and what gives the methods of that."""
        measure = {"version": version} | {k: str(v) for k, v in data.get("measure", {}).items()}
        facts = {k: str(v) for k, v in data.get("facts", {}).items()}
        platforms = tuple(data.get("platforms") or self.data.get("platforms") or ())
        label = str(data.get("label", version))
        return Version(version, label, measure, facts, platforms, data, methods)

    @cached_property
    def packages(self) -> dict[str, tuple[str, ...]]:
        """Distro packages of the finished image: key -> names; see `packages_for`."""
        return patterns(self.data.get("packages", {}))

    @cached_property
    def python_packages(self) -> dict[str, tuple[str, ...]]:
        """The distro's Python for an image that has no other: key -> names; see `packages_for`."""
        return patterns(self.data.get("python_packages", {}))

    @cached_property
    def users(self) -> dict[str, tuple[str, ...]]:
        """Of a distro: users that its image has, `name` or `name:id`, keyed as `packages`."""
        return patterns(self.data.get("users", {}))

    @cached_property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The same of groups, besides those of its users."""
        return patterns(self.data.get("groups", {}))

    @cached_property
    def development(self) -> Development:
        """What an image of the role runtime is without."""
        return Development.of(self.data.get("development", {}))

    def line(self, version: str) -> Line:
        """A version of a distro, and what it is like: its `like`, that one's `like`, and so on.

        Raises `BakestoneError` when it is like something that the library does not have, or like
        itself.
        """
        if version not in self._lines:
            self._lines[version] = self._line(version)
        return self._lines[version]

    @cached_property
    def _lines(self) -> dict[str, Line]:
        """What `line` gave before."""
        return {}

    def _line(self, version: str) -> Line:
        found = {(self.name, version): None}
        one: Component = self
        while like := one.likeness(version):
            name, mark, wanted = like.partition("@")
            version = wanted if mark else version
            other = self.others(name)
            if other is None or other.slot != "distro" or version not in other.versions:
                why = f"{one.name} is like {name}@{version}, which is no distro of the library"
                raise fail(why, "correct `like`: see docs/components.md", name=one.origin)
            if (name, version) in found:
                why = f"{one.name} is like {name}@{version}, which is like {one.name}"
                raise fail(why, "correct `like`: see docs/components.md", name=one.origin)
            found[name, version] = None
            one = other
        return tuple(found)

    def likeness(self, version: str) -> str:
        """What a version of a distro is like: `debian@12`, or a name where the versions are the
        same; empty when it says nothing.
        """
        known = self.versions.get(version)
        return str((known.data.get("like") if known else "") or self.data.get("like", ""))

    @cached_property
    def options(self) -> dict[str, Option]:
        """What it can be built with, in the order in which names and texts have it."""
        return {
            name: Option.of(name, entry) for name, entry in self.data.get("options", {}).items()
        }

    @cached_property
    def terms(self) -> Terms | None:
        """What must be accepted, if anything."""
        return Terms(**self.data["terms"]) if "terms" in self.data else None

    @cached_property
    def retired(self) -> tuple[Retired, ...]:
        """What was given up."""
        return tuple(
            Retired(**entry | {"source": texts(entry["source"])})
            for entry in self.data.get("retired", [])
        )

    @cached_property
    def repositories(self) -> dict[str, Repository]:
        """The vendor's package repositories, by name."""
        return {
            name: Repository(
                name, r["line"], r["key"]["url"], r["key"]["fingerprint"], r.get("platform", "")
            )
            for name, r in self.data.get("repositories", {}).items()
        }

    @cached_property
    def setting_names(self) -> frozenset[str]:
        """The names that the templates under `environment`, `path` and `library_path` use."""
        found = [
            *self.data.get("environment", {}).values(),
            *self.data.get("path", []),
            *self.data.get("library_path", []),
        ]
        return frozenset().union(*(template.names(str(text)) for text in found))

    @cached_property
    def rule_keys(self) -> tuple[str, ...]:
        """The slots and attributes that its rules look at."""
        return tuple(sorted({key for rule in self.rules for key in (*rule.when, *rule.require)}))

    @cached_property
    def method_keys(self) -> tuple[str, ...]:
        """The slots and attributes that its methods ask for."""
        asked = {key for method in self.methods.values() for key in method.require}
        return tuple(sorted(asked.union(*(method.used_keys for method in self.methods.values()))))

    @cached_property
    def programs(self) -> dict[str, str]:
        """The small real programs that the inventory compiles and runs: file name -> text."""
        files = sorted(path for path in self.folder.glob("programs/*") if not path.is_dir())
        return {path.name: _text(path, f"the program {path.name}", self.folder) for path in files}

    @cached_property
    def inventory(self) -> str | None:
        """The script that measures the component in the finished image."""
        path = self.folder / "inventory.sh"
        there = path.is_symlink() or path.exists()  # one that leads nowhere is told
        return _text(path, "the inventory", self.folder) if there else None

    @cached_property
    def _templates(self) -> dict[str, str]:
        files = self.folder.glob("install.*.j2")
        return {path.name.split(".")[1]: _text(path, "the template", self.folder) for path in files}

    def has_template(self, method: str) -> bool:
        """Whether there is an install template of a method."""
        return method in self._templates

    def template(self, method: str) -> tuple[str, str]:
        """The install template of a method, and its file name for messages."""
        name = f"install.{method}.j2"
        if method not in self._templates:
            hint = "add the template, or choose another method"
            raise fail(f"{self.name} has no {name}", hint, name=self.origin)
        return self._templates[method], f"{self.origin}/{name}"


def packages_for(mapping: Mapping[str, tuple[str, ...]], line: Line) -> tuple[str, ...] | None:
    """The distro packages of a `packages:` mapping that apply to a distro.

    The nearest in its line that any key matches counts, with all keys that match it: what a distro
    is like counts where the mapping does not know the distro itself. None when it knows none of
    them.
    """
    for name, version in line:
        found = [names for key, names in mapping.items() if matches(key, name, version)]
        if found:
            return tuple(package for names in found for package in names)
    return None


def read(
    path: Path,
    origin: str,
    overlays: tuple[Path, ...] = (),
    others: Callable[[str], Component | None] = lambda _: None,
) -> Component:
    """The component of the component.yaml at `path`; a team's own is checked against its schema."""
    if path.is_relative_to(BUILT_IN):  # checked by the test suite, so a command need not
        data = yamldoc.fast(path)
    else:
        document = yamldoc.load(path, "the component", within=home(path.parent))
        schema.check(document, "component")
        data = document.data
    return Component(
        data["component"],
        data["slot"],
        path.parent,
        data,
        {name: Method.of(name, entry or {}) for name, entry in data.get("methods", {}).items()},
        tuple(_rule(entry) for entry in data.get("rules", [])),
        origin,
        overlays,
        others,
    )


def _uses(data: Json) -> dict[str, Use]:
    return {slot: Use.of(entry) for slot, entry in data.get("uses", {}).items()}


def home(folder: Path) -> Path:
    """The folder that all files of a component must lie below: that of `components`, whose other
    files a link may lead to.
    """
    return folder.absolute().parents[1]


def _text(path: Path, what: str, folder: Path) -> str:
    """The text of a file of the component in a folder, with the line breaks of Linux."""
    text = read_text(path, what, limit=MAX_BYTES, within=home(folder))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _rule(entry: Json) -> Rule:
    return Rule(**entry | {key: patterns(entry[key]) for key in ("when", "require")})
