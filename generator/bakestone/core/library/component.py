"""A component: a folder of data, read into frozen records.

`components/<name>/` has component.yaml (what it is), versions.yaml (what
exists, with checksums and sources), install.<method>.j2 and inventory.sh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bakestone.core.documents import schema, template
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import matches
from bakestone.core.documents.yaml import Json
from bakestone.core.library.version import Version, Versions, checked, patterns, texts
from bakestone.errors import fail, read_text

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


@dataclass(frozen=True)
class Method:
    """A way to install a component.

    `builder` is `component@version` of a distro, `distro`, or empty;
    `distros` are patterns of the distros that the result works on, all when empty;
    `require` is what must hold of the image, `because` why;
    `uses` names slots whose files the build stage needs -> slots that must be filled for that.
    """

    name: str
    summary: str = ""
    builder: str = ""
    packages: dict[str, tuple[str, ...]] = field(default_factory=dict)
    distros: tuple[str, ...] = ()
    require: dict[str, tuple[str, ...]] = field(default_factory=dict)
    because: str = ""
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @staticmethod
    def of(name: str, data: Json) -> Method:
        """From an entry of `methods` in component.yaml."""
        mappings = {key: patterns(data.get(key, {})) for key in ("packages", "require", "uses")}
        return Method(name, **data | mappings | {"distros": tuple(data.get("distros", ()))})


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
class Component:
    """A component's folder.

    `versions` is read when it is first asked for; `overlays` are a team's files with more versions.
    """

    name: str
    slot: str
    folder: Path
    data: Json = field(repr=False)
    methods: dict[str, Method] = field(repr=False)
    rules: tuple[Rule, ...] = field(repr=False)
    origin: str
    overlays: tuple[Path, ...] = ()

    @property
    def built_in(self) -> bool:
        """Whether it is Bakestone's own."""
        return self.folder.is_relative_to(BUILT_IN)

    @cached_property
    def versions(self) -> Mapping[str, Version]:
        """Every version, newest first; a component that was given up may have none."""
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

    def make_version(self, version: str, data: Json) -> Version:
        """A version from its entry in versions.yaml."""
        measure = {"version": version} | {k: str(v) for k, v in data.get("measure", {}).items()}
        facts = {k: str(v) for k, v in data.get("facts", {}).items()}
        platforms = tuple(data.get("platforms") or self.data.get("platforms") or ())
        methods = {name: dict(values or {}) for name, values in data.get("methods", {}).items()}
        return Version(
            version, str(data.get("label", version)), measure, facts, methods, platforms, data
        )

    def packages(
        self, wanted: dict[str, tuple[str, ...]] | None, distro: str, version: str
    ) -> list[str]:
        """The distro packages of a `packages:` mapping that apply to `distro@version`."""
        mapping = wanted if wanted is not None else self._base_packages
        return [
            name
            for key, names in mapping.items()
            if matches(key, distro, version)
            for name in names
        ]

    @cached_property
    def _base_packages(self) -> dict[str, tuple[str, ...]]:
        return patterns(self.data.get("packages", {}))

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
        return tuple(sorted({key for method in self.methods.values() for key in method.require}))

    @cached_property
    def programs(self) -> dict[str, str]:
        """The small real programs that the inventory compiles and runs: file name -> text."""
        files = sorted(path for path in self.folder.glob("programs/*") if not path.is_dir())
        return {path.name: _text(path, f"the program {path.name}") for path in files}

    @cached_property
    def inventory(self) -> str | None:
        """The script that measures the component in the finished image."""
        path = self.folder / "inventory.sh"
        return _text(path, "the inventory") if path.is_file() else None

    @cached_property
    def _templates(self) -> dict[str, str]:
        files = self.folder.glob("install.*.j2")
        return {path.name.split(".")[1]: _text(path, "the template") for path in files}

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


def read(path: Path, origin: str, overlays: tuple[Path, ...] = ()) -> Component:
    """The component of the component.yaml at `path`; a team's own is checked against its schema."""
    if path.is_relative_to(BUILT_IN):  # checked by the test suite, so a command need not
        data = yamldoc.fast(path)
    else:
        document = yamldoc.load(path, "the component")
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
    )


def _text(path: Path, what: str) -> str:
    """The text of a file, with the line breaks of Linux."""
    text = read_text(path, what, limit=MAX_BYTES)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _rule(entry: Json) -> Rule:
    return Rule(**entry | {key: patterns(entry[key]) for key in ("when", "require")})
