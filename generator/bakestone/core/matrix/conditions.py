"""What rules and conditions look at in a combination: its slots, and what is known of them.

A key is a slot (`cuda`; `distro` is also what the distro is like), an attribute of what fills it
(`distro.glibc`: a key of `measure` or `facts` in its versions.yaml, or of `measure` of an option
that it has), `python` (the minor of the image's Python: that in the slot `python` or conda's where
there is one, else the distro's), or what the family states of the machines: `host.driver` (their
oldest driver), `host.oldest_sm` and `host.newest_sm` (compute capabilities of their GPUs, without
dots).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from bakestone.core.documents.patterns import matches
from bakestone.core.matrix.variant import Chosen, akin
from bakestone.errors import Position

HOST = "host."
"""Attributes of the machines, not of the image: what is not stated holds."""

PYTHONS = ("python", "conda")
"""The slots whose Python is in front of the distro's on PATH; an image has one of the two."""

Slots = Mapping[str, Chosen]


@dataclass(frozen=True)
class Refusal:
    """Why a combination cannot be, at the place of what does not fit; changing one of `slots` may
    help.
    """

    message: str
    where: Position
    slots: tuple[str, ...]


@cache
def slots_of(key: str) -> tuple[str, ...]:
    """The slots that a key depends on; those of the host on none."""
    if key == "python":
        return ("distro", *PYTHONS)
    return () if key.startswith(HOST) else (key.partition(".")[0],)


def subject(slots: Slots, key: str, host: Mapping[str, str]) -> tuple[str | None, str | None]:
    """What a pattern is compared with: (component, version), ("", value) of an attribute, (None,
    None) where there is nothing.
    """
    if key == "python":
        value = python(slots)
    elif key.startswith(HOST):
        value = host.get(key.removeprefix(HOST))
    else:
        slot, dot, name = key.partition(".")
        chosen = slots.get(slot)
        if chosen is None:
            return None, None
        if not dot:
            return chosen.component.name, chosen.version.version
        value = chosen.known(name)
    return (None, None) if value is None else ("", value)


def python(slots: Slots) -> str | None:
    """The minor version of the image's Python, such as 3.11; None when nobody knows it."""
    for slot in PYTHONS:
        if slot in slots:  # it is in front on PATH, also where nobody knows which it is
            return slots[slot].version.known("python_minor")
    return slots["distro"].version.known("python") if "distro" in slots else None


def own_python(slots: Slots) -> str:
    """The slot whose Python is not the distro's; empty where an image has the distro's, or none."""
    return next((s for s in PYTHONS if s in slots and not slots[s].of_distro), "")


def holds(slots: Slots, key: str, patterns: Iterable[str], host: Mapping[str, str]) -> bool:
    """Whether one of the patterns matches. What is not stated of the host holds."""
    if key == "distro" and key in slots:
        return any(akin(pattern, slots[key]) for pattern in patterns)
    component, version = subject(slots, key, host)
    if component is None and key.startswith(HOST):
        return True
    return any(matches(pattern, component, version) for pattern in patterns)


def all_hold(slots: Slots, wanted: Mapping[str, Iterable[str]], host: Mapping[str, str]) -> bool:
    """Whether every key of a condition matches."""
    return all(holds(slots, key, patterns, host) for key, patterns in wanted.items())


def shown(slots: Slots, key: str, host: Mapping[str, str]) -> str:
    """A key as a person reads it: `cuda@12.8.1`, `no cuda`, `glibc 2.23 of ubuntu@16.04`."""
    component, version = subject(slots, key, host)
    if key.startswith(HOST):
        return f"{key.removeprefix(HOST).replace('_', ' ')} {version} of the machines"
    if key == "python":
        return f"Python {version}" if version else "no known Python"
    slot, dot, name = key.partition(".")
    if slot not in slots:
        return f"no {slot}"
    if not dot:
        return f"{component}@{version}"
    return (
        f"{name} {version} of {slots[slot].text}"
        if version
        else f"{slots[slot].text}, whose {name} is not known"
    )


def condition(wanted: Mapping[str, Iterable[str]]) -> str:
    """A condition as text: `distro.glibc >=2.28, cuda 12.* or 13.*`."""
    return ", ".join(f"{key} {' or '.join(patterns)}" for key, patterns in wanted.items())
