"""A component: a folder of data, read into frozen records.

`components/<name>/` has component.yaml (what it is), versions.yaml (what
exists, with checksums and sources), install.<method>.j2 and inventory.sh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from generator import template, yamldoc
from generator.errors import BakestoneError, Finding, fail
from generator.patterns import version_key

BUILT_IN = Path(__file__).parent / "components"
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
    `distros` are patterns of the distros that the result works on, all when empty.
    """

    name: str
    summary: str
    builder: str
    packages: dict[str, tuple[str, ...]]
    distros: tuple[str, ...] = ()


@dataclass(frozen=True)
class Base:
    """A base image: the reference, and what the library knows of its digest."""

    ref: str
    digest: str = ""
    kind: str = ""
    platforms: dict[str, str] = field(default_factory=dict)
    provides: dict[str, str] = field(default_factory=dict)
    serial: str = ""
    source: str = ""
    note: str = ""

    @staticmethod
    def of(data: dict[str, Any]) -> Base:
        """From a distro version's data, or an entry of a method `image`."""
        source = data.get("source", "")
        return Base(
            ref=data.get("ref") or data["image"],
            digest=data.get("digest") or "",
            kind=data.get("kind", ""),
            platforms=dict(data.get("platforms") or {}) if isinstance(data.get("platforms"), dict) else {},
            provides={k: str(v) for k, v in data.get("provides", {}).items()},
            serial=str(data.get("serial", "")),
            source=", ".join(source) if isinstance(source, list) else str(source),
            note=data.get("note", ""),
        )


@dataclass(frozen=True)
class Version:
    """One version of a component, with the data of each method that offers it."""

    version: str
    label: str
    measure: dict[str, str]
    methods: dict[str, dict[str, Any]]
    platforms: tuple[str, ...]
    data: dict[str, Any] = field(repr=False)

    @property
    def major(self) -> str:
        """The part before the first dot."""
        return self.version.split(".")[0]

    @property
    def minor(self) -> str:
        """The first two parts: 13.0 of 13.0.2."""
        return ".".join(self.version.split(".")[:2])

    @cached_property
    def packages(self) -> dict[str, tuple[str, ...]]:
        """Distro packages that this version needs besides those of the component."""
        return {key: tuple(names) for key, names in self.data.get("packages", {}).items()}

    @cached_property
    def base(self) -> Base:
        """The image of a distro version."""
        return Base.of(self.data)

    @cached_property
    def companions(self) -> tuple[str, ...]:
        """The slots that decide which image of a method `image` fits."""
        images = self.methods.get("image", {}).get("images", [])
        return tuple(sorted({slot for image in images for slot in image.get("provides", {})}))


class _Versions(Mapping[str, "Version"]):
    """The versions of a component, newest first; each is read when it is asked for.

    A matrix names a few of the hundreds of versions in the library. Bakestone's own files have one form,
    in which an entry is found without a YAML parser; a file in any other form, or a team's own, is read whole.
    """

    _FORM = re.compile(r'(?:#.*\n|\n)*versions:\n((?:  "[^"\\\n]+":\n| {4}.*\n| {0,3}#.*\n|\n)*)')
    _ENTRY = re.compile(r'^  "([^"\n]+)":\n', re.MULTILINE)

    def __init__(self, component: Component) -> None:
        self._component = component
        self._read: dict[str, Version] = {}
        path = component.folder / "versions.yaml"
        built_in = path.is_relative_to(BUILT_IN)
        usual = self._FORM.fullmatch(path.read_text("utf-8")) if built_in else None
        if usual:
            parts = self._ENTRY.split(usual[1])  # what is before the first entry, then name, text, name, text, ...
            self._texts = dict(zip(parts[1::2], parts[2::2], strict=True))
        else:
            self._texts = {}
            known = yamldoc.fast(path) if built_in else _checked(path, component)
            self._read = {str(name): component.make_version(str(name), data or {}) for name, data in known["versions"].items()}

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self._texts or self._read, key=version_key, reverse=True)

    def __getitem__(self, name: str) -> Version:
        if name not in self._read:
            self._read[name] = self._component.make_version(name, yamldoc.fast_text(self._texts[name]) or {})
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in (self._texts or self._read)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _checked(path: Path, component: Component) -> Any:
    """A team's versions.yaml, against its schema: what is in it reaches Dockerfiles."""
    from generator import schema

    document = yamldoc.load(path, "the component's versions.yaml", hint="every component needs one: see docs/components.md")
    schema.check(document, "versions")
    needed = {"image", "codename"} if component.slot == "distro" else set()
    lacking = {name: sorted(needed - set(data)) for name, data in document.data["versions"].items()}
    findings = [
        Finding(
            f"{component.name}@{name} has no {' and no '.join(keys)}",
            "a distro needs both: see docs/components.md",
            document.position(("versions", name), key=True),
        )
        for name, keys in lacking.items()
        if keys
    ]
    if findings:
        raise BakestoneError(findings)
    return document.data


@dataclass(frozen=True)
class Component:
    """A component's folder. `versions` is read when it is first asked for."""

    name: str
    slot: str
    folder: Path
    data: dict[str, Any] = field(repr=False)
    methods: dict[str, Method] = field(repr=False)
    rules: tuple[Rule, ...] = field(repr=False)
    origin: str

    @cached_property
    def versions(self) -> Mapping[str, Version]:
        """Every version, newest first."""
        return _Versions(self)

    def make_version(self, version: str, data: dict[str, Any]) -> Version:
        """A version from its entry in versions.yaml."""
        measure = {"version": version} | {k: str(v) for k, v in data.get("measure", {}).items()}
        platforms = tuple(data.get("platforms") or self.data.get("platforms") or ())
        methods = {name: dict(values or {}) for name, values in data.get("methods", {}).items()}
        return Version(version, str(data.get("label", version)), measure, methods, platforms, data)

    def packages(self, wanted: dict[str, tuple[str, ...]] | None, distro: str, version: str) -> list[str]:
        """The distro packages of a `packages:` mapping that apply to `distro@version`."""
        from generator.patterns import matches

        mapping = wanted if wanted is not None else self._base_packages
        return [name for key, names in mapping.items() if matches(key, distro, version) for name in names]

    def file(self, name: str) -> str | None:
        """The text of a file in the folder, or None when it is not there."""
        path = self.folder / name
        return path.read_text("utf-8") if path.is_file() else None

    @cached_property
    def _base_packages(self) -> dict[str, tuple[str, ...]]:
        return {k: tuple(v) for k, v in self.data.get("packages", {}).items()}

    @cached_property
    def setting_names(self) -> frozenset[str]:
        """The names that the templates under `environment`, `path` and `library_path` use."""
        texts = [*self.data.get("environment", {}).values(), *self.data.get("path", []), *self.data.get("library_path", [])]
        return frozenset().union(*(template.names(str(text)) for text in texts))

    @cached_property
    def rule_slots(self) -> tuple[str, ...]:
        """The slots that its rules look at."""
        return tuple(sorted({slot for rule in self.rules for slot in (*rule.when, *rule.require)}))

    @cached_property
    def programs(self) -> dict[str, str]:
        """The small real programs that the inventory compiles and runs: file name -> text."""
        folder = self.folder / "programs"
        return {p.name: p.read_text("utf-8") for p in sorted(folder.iterdir())} if folder.is_dir() else {}

    @cached_property
    def inventory(self) -> str | None:
        """The script that measures the component in the finished image."""
        return self.file("inventory.sh")

    @cached_property
    def _templates(self) -> dict[str, str]:
        return {p.name.split(".")[1]: p.read_text("utf-8") for p in self.folder.glob("install.*.j2")}

    def template(self, method: str) -> tuple[str, str]:
        """The install template of a method, and its file name for messages."""
        name = f"install.{method}.j2"
        if method not in self._templates:
            raise fail(f"{self.name} has no {name}", "add the template, or choose another method", name=self.origin)
        return self._templates[method], f"{self.origin}/{name}"


def read(path: Path, origin: str) -> Component:
    """The component whose component.yaml is at `path`; a team's own is checked against its schema."""
    from generator import schema

    built_in = path.is_relative_to(BUILT_IN)
    if built_in:  # checked by the test suite, so a command need not
        data = yamldoc.fast(path)
    else:
        document = yamldoc.load(path, "the component")
        schema.check(document, "component")
        data = document.data
    methods = {
        name: Method(
            name, m.get("summary", ""), m.get("builder", ""), {k: tuple(v) for k, v in m.get("packages", {}).items()}, tuple(m.get("distros", ()))
        )
        for name, m in ((n, m or {}) for n, m in data.get("methods", {}).items())
    }
    rules = tuple(Rule(r["id"], _patterns(r.get("when", {})), _patterns(r["require"]), r["because"], r["source"]) for r in data.get("rules", []))
    return Component(data["component"], data["slot"], path.parent, data, methods, rules, origin)


def _patterns(mapping: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {slot: tuple(map(str, p)) if isinstance(p, list) else (str(p),) for slot, p in mapping.items()}
