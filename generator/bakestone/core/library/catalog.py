"""The component library: all components that can be named in images.yaml.

A `components/` folder beside images.yaml is searched first, then Bakestone's own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from bakestone.core.documents.patterns import matches
from bakestone.core.documents.suggest import near
from bakestone.core.library.component import BUILT_IN, Component, read
from bakestone.errors import fail


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
        """Every component's name, sorted.

        Raises `BakestoneError` for versions of a component that does not exist.
        """
        found = [path for folder in self.folders for path in folder.glob("*/component.yaml")]
        names = sorted({path.parent.name for path in found})
        for path in (p for folder in self.folders for p in sorted(folder.glob("*/versions.yaml"))):
            name = path.parent.name
            if name not in names:
                why = f"{name} has versions.yaml but no component.yaml"
                why += ", and no component has that name"
                hint = near(name, names, "add a component.yaml: see docs/components.md")
                raise fail(why, hint, name=str(path))
        return names

    def get(self, name: str) -> Component | None:
        """The component, or None when there is none of that name.

        A folder with a versions.yaml alone adds its versions to the component of that name in a
        later folder.
        """
        if name not in self._loaded and name in self.names:
            folders = [root / name for root in self.folders]
            defined = [(folder / "component.yaml").is_file() for folder in folders].index(True)
            overlays = [folder / "versions.yaml" for folder in reversed(folders[:defined])]
            self._loaded[name] = read(
                folders[defined] / "component.yaml",
                f"components/{name}",
                tuple(path for path in overlays if path.is_file()),
            )
        return self._loaded.get(name)

    def components(self) -> Iterator[Component]:
        """Every component, by name; each is read when it is its turn."""
        return filter(None, map(self.get, self.names))

    def of_slot(self, slot: str) -> list[Component]:
        """Every component that can fill a slot."""
        return [c for c in self.components() if c.slot == slot]

    def meant(self, slot: str) -> list[Component]:
        """The components that a bare version in a slot can mean: the one that is named like the
        slot, else all that fill it.
        """
        named = self.get(slot)
        return [named] if named and named.slot == slot else self.of_slot(slot)

    @cached_property
    def slots(self) -> list[str]:
        """Every slot that some component fills."""
        return sorted({c.slot for c in self.components()})

    def suggest(self, name: str) -> str:
        """A hint for an unknown component."""
        return near(name, self.names, f"known components: {', '.join(self.names)}")


def not_to_be_had(component: Component, version: str) -> tuple[str, str] | None:
    """Why nobody can name a version, retired or not known, and a hint; None when it is there."""
    name = component.name
    for retired in component.retired:
        if matches(retired.versions, name, version):
            source = f"(source: {retired.source})"
            why = f"{name}@{version[:60]} is retired: {retired.because} {source}"
            return why, f"use {retired.instead}" if retired.instead else ""
    if version in component.versions:
        return None
    return f"{name} has no version {version[:60]}", nearest_version(component, version)


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
