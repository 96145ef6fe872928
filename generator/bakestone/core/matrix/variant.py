"""The record of one variant: which component fills each slot, and how it is installed."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

from bakestone.core.documents import template
from bakestone.core.documents.patterns import matches
from bakestone.core.documents.yaml import Json
from bakestone.core.library.component import Component, Line, Method, Option, Use
from bakestone.core.library.version import Base, Version
from bakestone.core.matrix.spec import Exclude, Family, TagTemplate
from bakestone.errors import Position

SLOT_ORDER = (
    "distro",
    "cuda",
    "cudnn",
    "nccl",
    "tensorrt",
    "cusparselt",
    "rocm",
    "gdrcopy",
    "libfabric",
    "ofi_nccl",
    "ucx",
    "pmix",
    "mpi",
    "nvshmem",
    "oneapi",
    "conda",
    "python",
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


DEVEL, RUNTIME = "devel", "runtime"
"""The roles of an image: with what programs are made with (compilers, headers, static libraries),
and with what they run with alone.
"""


@dataclass(frozen=True)
class Chosen:
    """A filled slot.

    `data` is what versions.yaml says for the method, with the entries whose conditions hold;
    `seen` is what those conditions looked at; `options` are what it is built with besides, in the
    order of the component.
    """

    slot: str
    component: Component
    version: Version
    where: Position
    method: str = ""
    why: str = ""
    data: Json = field(default_factory=dict, compare=False, repr=False)
    seen: tuple[str, ...] = ()
    options: tuple[Option, ...] = field(default=(), repr=False)

    @cached_property
    def pin(self) -> str:
        """`component@version`."""
        return f"{self.component.name}@{self.version.version}"

    @cached_property
    def text(self) -> str:
        """`component@version`, with its options: `openmpi@5.0.10 (fortran, pmix)`."""
        options = ", ".join(option.name for option in self.options)
        return f"{self.pin} ({options})" if options else self.pin

    @cached_property
    def measure(self) -> dict[str, str]:
        """What the inventory must find: of its version, and of the options that it has or has not
        by its method.
        """
        found = dict(self.version.measure)
        for option in self.component.options.values():
            if option in self.options:
                found |= option.measure
            elif self.method in option.methods:
                found = option.otherwise | found
        return found

    def known(self, key: str) -> str | None:
        """An attribute such as `glibc` of a distro or `pmix` of an option; None when nobody knows
        it.
        """
        of_options = (option.measure[key] for option in self.options if key in option.measure)
        return next(of_options, self.version.known(key))

    @property
    def uses(self) -> dict[str, Use]:
        """The slots whose files its build stage needs where they are filled."""
        found = dict(self.recipe.uses)
        for option in self.options:
            found |= option.uses
        return found

    def used(self, filled: Container[str]) -> dict[str, Use]:
        """Those of `uses` that an image with the slots `filled` has, with all that they need."""
        return {
            slot: use
            for slot, use in self.uses.items()
            if all(one in filled for one in (slot, *use.slots))
        }

    @property
    def line(self) -> Line:
        """Of a distro: itself, and what it is like."""
        return self.component.line(self.version.version)

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
        """What templates see of the slot, of a distro also its package manager. The prefix may use
        those of the slots `before`.
        """
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
            if self.slot == "distro":
                facts["package_manager"] = str(self.component.data.get("package_manager", "apt"))
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
class LeftOut:
    """A platform of the family that a variant is not built for, and the component that is not
    there for it.
    """

    platform: str
    because: str
    where: Position


DATE = "{date}"
"""What stands in a tag for the day of a release: files are the same on every day."""


@dataclass(frozen=True)
class Alias:
    """A further tag of a variant's image, and the template that gives it. With `DATE` in it, it is
    put on the day of a release and never moves; any other moves as the variant's name does.
    """

    tag: str
    template: TagTemplate

    @property
    def dated(self) -> bool:
        """Whether it is a tag of one day."""
        return DATE in self.tag

    def on(self, day: str) -> str:
        """The tag that a release of a day (`20261130`) puts."""
        return self.tag.replace(DATE, day)


@dataclass(frozen=True)
class Variant:
    """One combination: one image for each of its `platforms`. `added` is where an include gives it;
    None for one of the product of the axes. `aliases` are its tags besides its name.
    """

    name: str
    family: Family
    slots: dict[str, Chosen]
    base: Base
    platforms: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    role: str = DEVEL
    added: Position | None = None
    aliases: tuple[Alias, ...] = ()

    @cached_property
    def devel(self) -> Variant:
        """The same image with what programs are made with; itself where it has that."""
        if self.role == DEVEL:
            return self
        name = self.name.removesuffix(f"-{self.role}")
        return replace(self, name=f"{name}-{DEVEL}", role=DEVEL)

    @property
    def distro(self) -> Chosen:
        """The slot that every variant has."""
        return self.slots["distro"]

    @cached_property
    def filled(self) -> tuple[Chosen, ...]:
        """What fills its slots, in their order."""
        return tuple(sorted(self.slots.values(), key=lambda chosen: slot_rank(chosen.slot)))

    @cached_property
    def context(self) -> dict[str, dict[str, str]]:
        """Slot -> {component, version, major, minor, label, method, prefix}, for templates."""
        return slot_context(self.slots)

    def asked(self, chosen: Chosen) -> tuple[tuple[str, str], ...]:
        """What must be measured of a component in this image, its version first; without what only
        compilers tell, where there are none.
        """
        wanted = dict(chosen.measure)
        for use in chosen.used(self.slots).values():
            wanted |= use.measure
        without = chosen.component.development.measures if self.role != DEVEL else ()
        asked = (item for item in wanted.items() if item[0] not in without)
        return tuple(sorted(asked, key=lambda item: (item[0] != "version", item)))

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


def akin(pattern: str, distro: Chosen) -> bool:
    """Whether a distro or what it is like matches a pattern. Raises `ValueError`, as `matches`."""
    return any(matches(pattern, *one) for one in distro.line)


def filling(slots: Mapping[str, Chosen], slot: str) -> str:
    """`component@version` of a slot, `none` when it is empty."""
    return slots[slot].text if slot in slots else "none"
