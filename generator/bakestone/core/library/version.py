"""One version of a component, and the base images that the library knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bakestone.core.documents.yaml import Json

ENTRIES = {
    "image": "images",
    "apt": "packages",
    "dnf": "packages",
    "source": "artifacts",
    "installer": "artifacts",
    "archive": "artifacts",
    "wheel": "wheels",
}
"""Method -> the key of its data that holds a list of entries, each of which may have a condition
(`when`).
"""

Patterns = Mapping[str, tuple[str, ...]]
"""Slot or attribute -> patterns, of which one must match."""


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
    def of(data: Json) -> Base:
        """From a distro version's data, or an entry of a method `image`."""
        platforms = data.get("platforms")
        return Base(
            ref=data.get("ref") or data["image"],
            digest=data.get("digest") or "",
            kind=data.get("kind", ""),
            # of the distro's image a mapping to digests; a version may have a list of names here
            platforms=dict(platforms) if isinstance(platforms, dict) else {},
            provides={k: str(v) for k, v in data.get("provides", {}).items()},
            serial=str(data.get("serial", "")),
            source=texts(data.get("source", "")),
            note=data.get("note", ""),
        )


@dataclass(frozen=True)
class Version:
    """One version of a component, with the data of each method that offers it.

    `measure` is what the inventory must find; `facts` is known as well, but not in every image to
    be measured.
    """

    version: str
    label: str
    measure: dict[str, str]
    facts: dict[str, str]
    methods: dict[str, Json]
    platforms: tuple[str, ...]
    data: Json = field(repr=False)

    @property
    def major(self) -> str:
        """The part before the first dot."""
        return self.version.split(".")[0]

    @property
    def minor(self) -> str:
        """The first two parts: 13.0 of 13.0.2."""
        return ".".join(self.version.split(".")[:2])

    def known(self, key: str) -> str | None:
        """An attribute such as `glibc` of a distro; None when nobody knows it."""
        return self.measure.get(key, self.facts.get(key))

    @cached_property
    def packages(self) -> dict[str, tuple[str, ...]]:
        """Distro packages that this version needs besides those of the component."""
        return {key: tuple(names) for key, names in self.data.get("packages", {}).items()}

    @cached_property
    def environment(self) -> dict[str, str]:
        """ENV of this version, over the component's."""
        return {key: str(text) for key, text in self.data.get("environment", {}).items()}

    @cached_property
    def base(self) -> Base:
        """The image of a distro version."""
        return Base.of(self.data)

    @cached_property
    def companions(self) -> tuple[str, ...]:
        """The slots that decide which image of a method `image` fits."""
        images = self.methods.get("image", {}).get("images", [])
        return tuple(sorted({slot for image in images for slot in image.get("provides", {})}))

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """The slots and attributes that the conditions of its entries look at."""
        lists = (data.get(ENTRIES.get(name, ""), []) for name, data in self.methods.items())
        return tuple(
            sorted({key for entries in lists for e in entries for key in e.get("when", {})})
        )


def patterns(mapping: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """`when` and `require` as data: a pattern, or a list of them."""
    return {
        key: tuple(map(str, p)) if isinstance(p, list) else (str(p),) for key, p in mapping.items()
    }


def texts(source: str | Iterable[str]) -> str:
    """A source as one text: the files have a text or a list of them."""
    return source if isinstance(source, str) else ", ".join(source)
