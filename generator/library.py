"""The component library: folders of data, read into frozen records.

A component is `components/<name>/` with component.yaml (what it is),
versions.yaml (what exists, with checksums and sources), install.<method>.j2
and inventory.sh. A `components/` folder beside images.yaml is searched first.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from generator import yamldoc
from generator.errors import fail
from generator.patterns import version_key

BUILT_IN = Path(__file__).parent / "components"


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
    """A way to install a component. `builder` is `component@version` of a distro, `distro`, or empty."""

    name: str
    summary: str
    builder: str
    packages: dict[str, tuple[str, ...]]


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
    def versions(self) -> dict[str, Version]:
        """Every version, newest first."""
        raw = yamldoc.fast(self.folder / "versions.yaml")["versions"]
        known = [self._version(str(version), data or {}) for version, data in raw.items()]
        known.sort(key=lambda v: version_key(v.version), reverse=True)
        return {v.version: v for v in known}

    def _version(self, version: str, data: dict[str, Any]) -> Version:
        measure = {"version": version} | {k: str(v) for k, v in data.get("measure", {}).items()}
        platforms = tuple(data.get("platforms") or self.data.get("platforms") or ())
        methods = {name: dict(values or {}) for name, values in data.get("methods", {}).items()}
        return Version(version, str(data.get("label", version)), measure, methods, platforms, data)

    def packages(self, wanted: dict[str, tuple[str, ...]] | None, distro: str, version: str) -> list[str]:
        """The distro packages of a `packages:` mapping that apply to `distro@version`."""
        from generator.patterns import matches

        mapping = wanted if wanted is not None else {k: tuple(v) for k, v in self.data.get("packages", {}).items()}
        return [name for key, names in mapping.items() if matches(key, distro, version) for name in names]

    def file(self, name: str) -> str | None:
        """The text of a file in the folder, or None when it is not there."""
        path = self.folder / name
        return path.read_text("utf-8") if path.is_file() else None

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


class Library:
    """All components that can be named, a team's own folder first."""

    def __init__(self, *folders: Path) -> None:
        self.folders = [f for f in folders if f.is_dir()]
        self._loaded: dict[str, Component] = {}

    @classmethod
    def beside(cls, folder: Path) -> Library:
        """The library for an images.yaml in `folder`."""
        return cls(folder / "components", BUILT_IN)

    @cached_property
    def names(self) -> list[str]:
        """Every component's name, sorted."""
        return sorted({p.parent.name for folder in self.folders for p in folder.glob("*/component.yaml")})

    def get(self, name: str) -> Component | None:
        """The component, or None when there is none of that name."""
        if name not in self._loaded:
            for root in self.folders:
                path = root / name / "component.yaml"
                if name in self.names and path.is_file():
                    self._loaded[name] = _component(path, f"components/{name}")
                    break
            else:
                return None
        return self._loaded[name]

    def of_slot(self, slot: str) -> list[Component]:
        """Every component that can fill a slot."""
        return [c for c in map(self.get, self.names) if c is not None and c.slot == slot]

    @cached_property
    def slots(self) -> list[str]:
        """Every slot that some component fills."""
        return sorted({c.slot for c in map(self.get, self.names) if c is not None})

    def suggest(self, name: str) -> str:
        """A hint for an unknown component."""
        found = difflib.get_close_matches(name, self.names, n=1, cutoff=0.5)
        return f"did you mean {found[0]}?" if found else f"known components: {', '.join(self.names)}"


def nearest_version(component: Component, version: str) -> str:
    """A hint for an unknown version: the known one that is nearest in digits, else in order."""
    known = list(component.versions)
    if not known:
        return f"{component.name} has no versions"
    starting = [v for v in known if v.startswith(version + ".")]
    closest = difflib.get_close_matches(version, known, n=1, cutoff=0.6)
    parts = version.split(".")
    same_minor = [v for v in known if v.split(".")[:2] == parts[:2]]
    best = (starting or same_minor[:1] or closest or known)[0]
    listed = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return f"did you mean {best}? known: {listed}"


def _component(path: Path, origin: str) -> Component:
    from generator import schema

    built_in = path.is_relative_to(BUILT_IN)
    if built_in:  # checked by the test suite, so a command need not
        data = yamldoc.fast(path)
    else:
        document = yamldoc.load(path, "the component")
        schema.check(document, "component")
        data = document.data
    methods = {
        name: Method(name, m.get("summary", ""), m.get("builder", ""), {k: tuple(v) for k, v in m.get("packages", {}).items()})
        for name, m in ((n, m or {}) for n, m in data.get("methods", {}).items())
    }
    rules = tuple(Rule(r["id"], _patterns(r.get("when", {})), _patterns(r["require"]), r["because"], r["source"]) for r in data.get("rules", []))
    return Component(data["component"], data["slot"], path.parent, data, methods, rules, origin)


def _patterns(mapping: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {slot: tuple(map(str, p)) if isinstance(p, list) else (str(p),) for slot, p in mapping.items()}
