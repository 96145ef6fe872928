"""Where in images.yaml the version of a component is written: values of axes, includes, and
excludes that name one version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from bakestone.core.documents.yaml import Document, Path_
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from bakestone.core.matrix.spec import OPTIONS
from bakestone.core.matrix.variant import Chosen
from bakestone.errors import Position, fail

_KIND, _AXIS = 2, 4
"""In a path: where axes, include or exclude stands, and how much of it names an axis (families,
number, axes, name).
"""


@dataclass(frozen=True)
class Filling:
    """What stands where a slot is filled; `component` is empty where `text` says it or nobody does,
    `options` are what `with` has beside it.
    """

    slot: str
    text: str
    component: str = ""
    options: frozenset[str] = frozenset()


_Fillings = dict[Path_, Filling]
"""Where a slot is filled -> what stands there."""


@dataclass(frozen=True)
class Place:
    """A value that stands for one version of a component.

    `companions` are the places beside it that can change along with it: the other slots of the same
    mapping, and slots whose axis has a single value; never a distro. A `pattern` is that of an
    exclude; nothing is built from it.
    """

    path: Path_
    family: str
    slot: str
    component: Component
    value: str
    where: Position
    pattern: bool = False
    companions: tuple[Place, ...] = ()
    options: frozenset[str] = frozenset()

    @property
    def version(self) -> str:
        """The version in the value, which is `component@version` or a version alone."""
        return self.value.rpartition("@")[2]

    def with_version(self, version: str) -> str:
        """The value with another version, in the form in which it is written."""
        return self.value.removesuffix(self.version) + version

    def chosen(self, version: str) -> Chosen:
        """What fills the slot with another version."""
        known = self.component.options.values()
        options = tuple(option for option in known if option.name in self.options)
        of = self.component.versions[version]
        return Chosen(self.slot, self.component, of, self.where, options=options)


def find(document: Document, library: Library, families: Collection[str] = ()) -> list[Place]:
    """Every such place, in the order of the file; of these `families` only when some are named.

    Raises `BakestoneError` for a family that is not there. The file has been checked against its
    schema.
    """
    names = [family["name"] for family in document.data["families"]]
    unknown = sorted(set(families) - set(names))
    if unknown:
        hint = f"one of: {', '.join(names)}"
        raise fail(f"there is no family {unknown[0]!r}", hint, name="--family")
    return [
        place
        for index, family in enumerate(document.data["families"])
        if not families or family["name"] in families
        for place in _of_family(document, library, ("families", index), family)
    ]


def parts(at: Path_, value: object) -> _Fillings:
    """What one value of an axis, an include or an exclude fills."""
    if isinstance(value, dict) and "image" in value:
        return {}  # a base image of the team's own: no version of the library's
    if not isinstance(value, dict) or OPTIONS in value:
        return _part(at, str(at[_AXIS - 1]), value)
    found: _Fillings = {}
    for slot, text in value.items():
        if slot != "because":
            found |= _part((*at, slot), slot, text)
    return found


def _part(at: Path_, slot: str, value: object) -> _Fillings:
    """What one slot is filled with: by a text, or by a component with options."""
    if not isinstance(value, dict):
        return {at: Filling(slot, str(value))}
    ((name, version),) = ((key, text) for key, text in value.items() if key != OPTIONS)
    return {(*at, name): Filling(slot, str(version), name, frozenset(value[OPTIONS]))}


def side_by_side(places: Iterable[Place], component: Component, version: str) -> set[str]:
    """The other versions of a component in the axes that have this one: lines that are kept beside
    each other.
    """
    own = [p for p in places if p.component.name == component.name and p.path[_KIND] == "axes"]
    axes = {p.path[:_AXIS] for p in own if p.version == version}
    return {p.version for p in own if p.path[:_AXIS] in axes} - {version}


def _of_family(
    document: Document, library: Library, at: Path_, family: dict[str, Any]
) -> Iterator[Place]:
    groups = list(_groups(at, family))
    built = {
        path: Place(
            path,
            family["name"],
            part.slot,
            component,
            part.text,
            document.position(path),
            options=part.options,
        )
        for own, _ in groups
        for path, part in own.items()
        if part.text != "none" and (component := _meant(library, part))
    }
    for own, others in groups:
        beside = [
            built[path]
            for path in (*own, *others)
            if path in built and built[path].slot != "distro"
        ]
        for place in (built[path] for path in own if path in built):
            companions = tuple(other for other in beside if other is not place)
            yield replace(place, companions=companions)
    for index, entry in enumerate(family.get("exclude", [])):
        for path, part in parts((*at, "exclude", index), entry).items():
            component, slot = _excluded(built.values(), part.slot, part.text), part.slot
            if component:
                where = document.position(path)
                yield Place(path, family["name"], slot, component, part.text, where, pattern=True)


def _groups(at: Path_, family: dict[str, Any]) -> Iterator[tuple[_Fillings, list[Path_]]]:
    """Each value of the axes, with where the axes of a single value are filled; and each include,
    which stands alone.
    """
    axes = {
        name: [parts((*at, "axes", name, index), value) for index, value in enumerate(values)]
        for name, values in family["axes"].items()
    }
    for name, values in axes.items():
        single = [only[0] for other, only in axes.items() if other != name and len(only) == 1]
        others = [path for own in single for path in own]
        yield from ((own, others) for own in values)
    for index, entry in enumerate(family.get("include", [])):
        yield parts((*at, "include", index), entry), []


def _excluded(built: Iterable[Place], slot: str, pattern: str) -> Component | None:
    """The component of an exclude that names a version which this family has; a bare version only
    when a single component has it.
    """
    name, _, version = pattern.rpartition("@")
    fitting = {
        p.component.name: p.component
        for p in built
        if p.slot == slot and p.version == version and name in ("", p.component.name)
    }
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def _meant(library: Library, part: Filling) -> Component | None:
    """What a value stands for; a bare version only when a single component can be meant."""
    name = part.component or part.text.rpartition("@")[0]
    known = [library.get(name)] if name else library.meant(part.slot)
    fitting = [component for component in known if component and component.slot == part.slot]
    return fitting[0] if len(fitting) == 1 else None
