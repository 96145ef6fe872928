"""The record of one variant: which component fills each slot, and how it is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from bakestone.core.documents import template
from bakestone.core.documents.patterns import matches
from bakestone.core.documents.yaml import Json
from bakestone.core.library.component import Component, Method
from bakestone.core.library.version import Base, Version
from bakestone.core.matrix.spec import Exclude, Family
from bakestone.errors import Position

SLOT_ORDER = (
    "distro",
    "cuda",
    "cudnn",
    "nccl",
    "tensorrt",
    "ucx",
    "mpi",
    "conda",
    "onnxruntime",
    "git",
)
"""The order in which slots are worked out and listed: a later one may use an earlier one's prefix.

A team's own come after them.
"""

INHERITED = "image"
"""The method of a component that comes with the base image."""

PACKAGES = ("apt", "dnf")
"""The methods that install packages in the image itself: the distro's own, and by apt also the
vendor's.
"""


@dataclass(frozen=True)
class Chosen:
    """A filled slot.

    `data` is what versions.yaml says for the method, with the entries whose conditions hold;
    `seen` is what those conditions looked at.
    """

    slot: str
    component: Component
    version: Version
    where: Position
    method: str = ""
    why: str = ""
    data: Json = field(default_factory=dict, compare=False, repr=False)
    seen: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """`component@version`."""
        return f"{self.component.name}@{self.version.version}"

    @property
    def recipe(self) -> Method:
        """The chosen method as the component describes it."""
        return self.component.methods.get(self.method) or Method(self.method)

    @property
    def of_distro(self) -> bool:
        """Whether it is the distro's own package, whose files are under /usr."""
        return self.method in PACKAGES and "package" in self.data

    @property
    def of_vendor(self) -> bool:
        """Whether it is a set of packages of the vendor's repository."""
        return self.method == "apt" and "packages" in self.data

    @property
    def staged(self) -> bool:
        """Whether it has a build stage of its own, whose files are copied into the image."""
        return self.method not in (INHERITED, *PACKAGES)

    def context(self, before: dict[str, dict[str, str]]) -> dict[str, str]:
        """What templates see of the slot. The prefix may use those of the slots `before`."""
        key = tuple(
            (slot, *before[slot].values())
            for slot in template.names(self._prefix)
            if slot in before
        )
        if key not in self._contexts:
            facts = {
                "component": self.component.name,
                "version": self.version.version,
                "major": self.version.major,
                "minor": self.version.minor,
                "label": self.version.label,
                "method": self.method,
            }
            origin = f"{self.component.origin}/component.yaml"
            prefix = template.render(self._prefix, {**before, **facts}, origin=origin)
            self._contexts[key] = {**facts, "prefix": prefix}
        return self._contexts[key]

    @cached_property
    def _prefix(self) -> str:
        return str(self.component.data.get("prefix", ""))

    @cached_property
    def _contexts(self) -> dict[tuple[tuple[str, ...], ...], dict[str, str]]:
        """What `context` gave before, by what it saw: mostly one for all variants."""
        return {}


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

    @cached_property
    def filled(self) -> tuple[Chosen, ...]:
        """What fills its slots, in their order."""
        return tuple(sorted(self.slots.values(), key=lambda chosen: slot_rank(chosen.slot)))

    @property
    def platforms(self) -> tuple[str, ...]:
        """What the variant is built for."""
        return self.family.platforms

    @cached_property
    def context(self) -> dict[str, dict[str, str]]:
        """Slot -> {component, version, major, minor, label, method, prefix}, for templates."""
        return slot_context(self.slots)

    @property
    def driver(self) -> dict[str, str]:
        """The NVIDIA driver that the image needs:

        `minimum`, and what the `toolkit` is made for; empty without CUDA.
        """
        data = self.slots["cuda"].version.data if "cuda" in self.slots else {}
        toolkit, minimum = data.get("driver", ""), data.get("driver_minimum", "")
        known = {"minimum": minimum or toolkit, "toolkit": toolkit or minimum}
        return known if any(known.values()) else {}

    @property
    def target(self) -> str:
        """The variant's name as a bake target: letters, digits, - and _ only (engine rule)."""
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.name)

    @property
    def stage(self) -> str:
        """The name of its last stage: BuildKit takes small letters, and one of them first."""
        name = re.sub(r"[^a-z0-9._-]", "_", self.name.lower())
        return name if name[:1].isalpha() else f"v{name}"


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
        context[slot] = slots[slot].context(context)
    return context


@cache
def slot_rank(slot: str) -> tuple[int, str]:
    """Sort key of a slot."""
    return (SLOT_ORDER.index(slot) if slot in SLOT_ORDER else len(SLOT_ORDER), slot)


def fits(pattern: str, chosen: Chosen | None) -> bool:
    """Whether a slot, which may be empty, matches a pattern. Raises `ValueError`, as `matches`."""
    if chosen is None:
        return matches(pattern, None, None)
    return matches(pattern, chosen.component.name, chosen.version.version)


def filling(slots: Mapping[str, Chosen], slot: str) -> str:
    """`component@version` of a slot, `none` when it is empty."""
    return slots[slot].text if slot in slots else "none"
