"""The component library: all components that can be named in images.yaml.

A `components/` folder beside images.yaml is searched first, then Bakestone's own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from bakestone.core.documents.patterns import matches
from bakestone.core.documents.suggest import near
from bakestone.core.library.component import BUILT_IN, Component, read
from bakestone.core.library.own_base import OwnBase
from bakestone.errors import Finding, Position, fail

FILE = "component.yaml"
_SLOT = re.compile(r"^slot: ([a-z0-9_]+)$", re.MULTILINE)
_TERMS = re.compile(r"^terms:\n(?:  .*\n)*?  id: ([a-z0-9-]+)$", re.MULTILINE)


class Library:
    """All components that can be named, a team's own folder first."""

    def __init__(self, *folders: Path) -> None:
        self.folders = [f for f in folders if f.is_dir()]
        self._loaded: dict[str, Component] = {}
        self._own: dict[tuple[str, str], tuple[OwnBase, Component]] = {}

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
            # whatever stands under that name: reading it says what is wrong
            files = [folder / "component.yaml" for folder in folders]
            defined = [path.is_symlink() or path.exists() for path in files].index(True)
            overlays = [folder / "versions.yaml" for folder in reversed(folders[:defined])]
            self._loaded[name] = read(
                folders[defined] / "component.yaml",
                f"components/{name}",
                tuple(path for path in overlays if path.is_symlink() or path.exists()),
                self.get,
            )
        return self._loaded.get(name)

    @cached_property
    def _outlines(self) -> dict[str, tuple[str, str]]:
        """Component -> the slot that it fills, and the id of the terms that it asks to accept.

        A matrix names a few of them. Of Bakestone's own files, which have a key a line at their
        first level, the lines are looked for; others are read whole.
        """
        found = {}
        for name in self.names:
            paths = (root / name / FILE for root in self.folders)
            path = next(p for p in paths if p.is_symlink() or p.exists())
            text = path.read_text("utf-8") if path.parent.parent == BUILT_IN else ""
            slot, terms = _SLOT.search(text), _TERMS.search(text)
            component = None if slot else self.get(name)
            if component:
                found[name] = component.slot, component.terms.id if component.terms else ""
            elif slot:
                found[name] = slot[1], terms[1] if terms else ""
        return found

    def terms(self) -> Iterator[tuple[str, str]]:
        """The id of what each component asks to accept, and the component, by name."""
        yield from ((terms, name) for name, (_, terms) in self._outlines.items() if terms)

    def components(self) -> Iterator[Component]:
        """Every component, by name; each is read when it is its turn."""
        return filter(None, map(self.get, self.names))

    def own_base(self, own: OwnBase, where: Position) -> Component | Finding:
        """The distro of a base image that images.yaml names, or what is wrong with it."""
        if odd := own.odd(where):
            return odd
        name, _, version = own.like.partition("@")
        like = self.get(name)
        if like is None or like.slot != "distro":
            known = [c.name for c in self.of_slot("distro")]
            hint = near(name, known, f"one of: {', '.join(known)}")
            return Finding(f"{name} is no distro of the library", hint, where)
        if lacking := not_to_be_had(like, version):
            return Finding(*lacking, where)
        if own.component in self.names:
            why = f"the library has a component {own.component} already"
            return Finding(why, "give the image another name: `name: golden`", where)
        key = own.component, own.release
        first, component = self._own.setdefault(key, (own, own.distro(like)))
        if (first.image, first.like) != (own.image, own.like):
            why = f"{own.component}@{own.release} is {first.image} like {first.like} as well"
            return Finding(why, "say another `name` or `version` for one of them", where)
        return component

    def of_slot(self, slot: str) -> list[Component]:
        """Every component that can fill a slot."""
        found = (self.get(name) for name, (its, _) in self._outlines.items() if its == slot)
        return list(filter(None, found))

    def meant(self, slot: str) -> list[Component]:
        """The components that a bare version in a slot can mean: the one that is named like the
        slot, else all that fill it.
        """
        named = self.get(slot)
        return [named] if named and named.slot == slot else self.of_slot(slot)

    @cached_property
    def slots(self) -> list[str]:
        """Every slot that some component fills."""
        return sorted({slot for slot, _ in self._outlines.values()})

    def suggest(self, name: str, *, slots: bool = False) -> str:
        """A hint for an unknown component, or a word that may be a slot as well."""
        known = [*self.names, *self.slots] if slots else self.names
        return near(name, known, f"known components: {', '.join(self.names)}")


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


_FEW = 3
"""How far apart the first number that differs may be for a version to be meant by another one: a
minor or two, and not the `12.44` of a typing error.
"""


def _apart(wanted: str, other: str) -> tuple[int, ...]:
    """How far another version is from the one that is wanted, number by number up to the first that
    differs; behind that the newer is nearer where it is older than what is wanted (of all 2.x the
    last is next to 3.0), and the older where it is newer.
    """
    numbers = ([int(n) for n in re.findall("[0-9]{1,9}", text)] for text in (wanted, other))
    pairs = list(zip_longest(*numbers, fillvalue=0))
    first = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
    differing = pairs[first : first + 1]
    side = -1 if any(b < a for a, b in differing) else 1
    behind = (side * b for _, b in pairs[first + 1 :])
    return (*(0,) * first, *(abs(a - b) for a, b in differing), *behind)


def nearest_version(component: Component, version: str) -> str:
    """A hint for an unknown version: one that it begins, of its minor, a few numbers away; else
    the one that looks most like it.
    """
    known = list(component.versions)
    if not known:
        return f"{component.name} has no versions"
    starting = [v for v in known if v.startswith(version + ".")]
    closest = difflib.get_close_matches(version, known, n=1, cutoff=0.6)
    parts = version.split(".")
    apart = {v: _apart(version, v) for v in known}
    by_number = sorted(known, key=apart.__getitem__)
    same_minor = [v for v in by_number if v.split(".")[:2] == parts[:2]]
    few = [v for v in by_number[:1] if next(filter(None, apart[v]), 0) <= _FEW]
    best = (starting or same_minor or few or closest or by_number)[0]
    listed = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return f"did you mean {best}? known: {listed}"
