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
from bakestone.errors import Position, fail

_KIND, _AXIS = 2, 4
"""In a path: where axes, include or exclude stands, and how much of it names an axis (families,
number, axes, name).
"""


@dataclass(frozen=True)
class Place:
    """A value that stands for one version of a component.

    `companions` are the places beside it that can change along with it: the other slots of the same
    mapping, and slots whose axis has a single value. A `pattern` is that of an exclude; nothing is
    built from it.
    """

    path: Path_
    family: str
    slot: str
    component: Component
    version: str
    value: str
    where: Position
    pattern: bool = False
    companions: tuple[Path_, ...] = ()

    def with_version(self, version: str) -> str:
        """The value with another version, in the form in which it is written:

        `openmpi@5.0.10`, or 5.0.10 alone.
        """
        return self.value[: len(self.value) - len(self.version)] + version


def find(document: Document, library: Library, families: Collection[str] = ()) -> list[Place]:
    """Every such place, in the order of the file; of these `families` only when some are named.

    Raises `BakestoneError` for a family that is not there. The file has been checked against its
    schema.
    """
    names = [family["name"] for family in document.data["families"]]
    unknown = sorted(set(families) - set(names))
    if unknown:
        raise fail(
            f"there is no family {unknown[0]!r}", f"one of: {', '.join(names)}", name="--family"
        )
    chosen = [
        (index, f)
        for index, f in enumerate(document.data["families"])
        if not families or f["name"] in families
    ]
    return [
        place
        for index, family in chosen
        for place in _Finder(document, library, ("families", index), family).run()
    ]


def side_by_side(places: Iterable[Place], component: Component, version: str) -> set[str]:
    """The other versions of a component in the axes that have this one: lines that are kept beside
    each other.
    """
    own = [p for p in places if p.component.name == component.name and p.path[_KIND] == "axes"]
    axes = {p.path[:_AXIS] for p in own if p.version == version}
    return {p.version for p in own if p.path[:_AXIS] in axes} - {version}


class _Finder:
    def __init__(
        self, document: Document, library: Library, at: Path_, family: dict[str, Any]
    ) -> None:
        self.document = document
        self.library = library
        self.at = at
        self.family = family

    def run(self) -> Iterator[Place]:
        built = list(self.picked())
        yield from built
        for index, entry in enumerate(self.family.get("exclude", [])):
            for slot, pattern in entry.items():
                if slot != "because":
                    yield from self.exact((*self.at, "exclude", index, slot), slot, pattern, built)

    def picked(self) -> Iterator[Place]:
        axes = self.family["axes"]
        single = [
            at
            for name, values in axes.items()
            if len(values) == 1
            for at in _paths((*self.at, "axes", name, 0), values[0])
        ]
        for name, values in axes.items():
            for index, value in enumerate(values):
                own = _paths((*self.at, "axes", name, index), value)
                others = [path for path in single if path[:4] != (*self.at, "axes", name)]
                for path in own:
                    yield from self.pick(
                        path,
                        name if not isinstance(value, dict) else str(path[-1]),
                        [*(p for p in own if p != path), *others],
                    )
        for index, entry in enumerate(self.family.get("include", [])):
            own = [(*self.at, "include", index, slot) for slot in entry if slot != "because"]
            for path in own:
                yield from self.pick(path, str(path[-1]), [p for p in own if p != path])

    def pick(self, path: Path_, slot: str, companions: list[Path_]) -> Iterator[Place]:
        value = self.value(path)
        component = self.meant(slot, value)
        if component is not None and value != "none":
            version = value.rpartition("@")[2]
            yield replace(
                self.place(path, slot, component, version, value), companions=tuple(companions)
            )

    def exact(self, path: Path_, slot: str, pattern: str, built: list[Place]) -> Iterator[Place]:
        """An exclude that names a version which this family has; a bare version only when a single
        component has it.
        """
        name, mark, version = pattern.partition("@")
        fitting = {
            p.component.name: p.component
            for p in built
            if p.slot == slot and p.version == (version if mark else pattern)
        }
        component = fitting.get(name) if mark else next(iter(fitting.values()), None)
        if component is not None and (mark or len(fitting) == 1):
            found = self.place(path, slot, component, version if mark else pattern, pattern)
            yield replace(found, pattern=True)

    def place(
        self, path: Path_, slot: str, component: Component, version: str, value: str
    ) -> Place:
        family, where = self.family["name"], self.document.position(path)
        return Place(path, family, slot, component, version, value, where)

    def value(self, path: Path_) -> str:
        inner: Any = self.document.data
        for part in path:
            inner = inner[part]
        return str(inner)

    def meant(self, slot: str, value: str) -> Component | None:
        name, mark, _ = value.rpartition("@")
        if mark:
            found = self.library.get(name)
            return found if found is not None and found.slot == slot else None
        fitting = self.library.meant(slot)
        return fitting[0] if len(fitting) == 1 else None


def _paths(at: Path_, value: Any) -> list[Path_]:
    """Where the picks are that one value of an axis consists of."""
    return [(*at, slot) for slot in value] if isinstance(value, dict) else [at]
