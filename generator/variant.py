"""The record of one variant: which component fills each slot, and how it is installed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from generator import template
from generator.errors import Position
from generator.library import Component, Method, Version
from generator.spec import Exclude, Family

SLOT_ORDER = ("distro", "cuda", "cudnn", "nccl", "mpi", "conda", "git")
"""The order in which slots are worked out: a later one may use an earlier one's prefix."""

INHERITED = "image"
"""The method of a component that comes with the base image."""


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
class Chosen:
    """A filled slot."""

    slot: str
    component: Component
    version: Version
    where: Position
    method: str = ""
    why: str = ""

    @property
    def text(self) -> str:
        """`component@version`."""
        return f"{self.component.name}@{self.version.version}"

    @property
    def recipe(self) -> Method:
        """The chosen method as the component describes it."""
        return self.component.methods.get(self.method, Method(self.method, "", "", {}))

    @property
    def data(self) -> dict[str, Any]:
        """What versions.yaml says for the chosen method."""
        return self.version.methods.get(self.method, {})


@dataclass(frozen=True)
class Variant:
    """One combination: one image per platform."""

    name: str
    family: Family
    slots: dict[str, Chosen]
    base: Base

    @property
    def distro(self) -> Chosen:
        """The slot that every variant has."""
        return self.slots["distro"]

    @property
    def platforms(self) -> tuple[str, ...]:
        """What the variant is built for."""
        return self.family.platforms

    @cached_property
    def context(self) -> dict[str, dict[str, str]]:
        """Slot -> {component, version, major, minor, label, prefix}, for templates."""
        return slot_context(self.slots)

    @property
    def target(self) -> str:
        """The variant's name as a bake target: letters, digits, - and _ only (engine rule)."""
        return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in self.name)


@dataclass(frozen=True)
class Excluded:
    """A combination that the file leaves out, by name, with the entry that did it."""

    name: str
    family: Family
    rule: Exclude


def slot_context(slots: dict[str, Chosen]) -> dict[str, dict[str, str]]:
    """What templates see of the slots. A prefix may use the prefixes of slots before it."""
    context: dict[str, dict[str, str]] = {}
    for slot in sorted(slots, key=slot_rank):
        chosen = slots[slot]
        own = {
            "component": chosen.component.name,
            "version": chosen.version.version,
            "major": chosen.version.major,
            "minor": chosen.version.minor,
            "label": chosen.version.label,
        }
        prefix = chosen.component.data.get("prefix", "")
        own["prefix"] = template.render(prefix, {**context, **own}, origin=f"{chosen.component.origin}/component.yaml")
        context[slot] = own
    return context


def slot_rank(slot: str) -> tuple[int, str]:
    """Sort key of a slot."""
    return (SLOT_ORDER.index(slot) if slot in SLOT_ORDER else len(SLOT_ORDER), slot)
