"""Profiles: what the consumers of an image ask of it, as data with a source, applied to one
combination.

`profiles/NAME.yaml` beside images.yaml is searched first, then Bakestone's own. Reads these files;
pure otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import packages_for
from bakestone.core.library.version import patterns, texts
from bakestone.core.matrix.conditions import (
    HOST,
    Refusal,
    Slots,
    holds,
    own_python,
    shown,
    slots_of,
)
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import DEVEL, Chosen
from bakestone.errors import BakestoneError, Finding, Position

BUILT_IN = Path(__file__).parents[3] / "profiles"
"""Bakestone's own profiles.

Like a team's, they are checked against their schema when they are read.
"""

TRIED = 12
"""How many versions of a component are tried to fill an empty slot."""


@dataclass(frozen=True)
class Requirement:
    """What must hold of an image: every key of `require`, and one of `packages` among its distro
    packages.
    """

    id: str
    require: dict[str, tuple[str, ...]]
    packages: tuple[str, ...]
    because: str
    source: str


@dataclass(frozen=True)
class Profile:
    """What one consumer asks for."""

    name: str
    title: str
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True)
class Unfit(Refusal):
    """A requirement that a combination does not fulfil.

    `asks` is its name, profile and id; `packages` are those of which one must be there, if that is
    what is lacking.
    """

    asks: tuple[str, str]
    packages: tuple[str, ...] = ()


def names(folder: Path) -> list[str]:
    """Every profile that a family can name, sorted; `folder` is where images.yaml is."""
    return sorted(
        {path.stem for root in (folder / "profiles", BUILT_IN) for path in root.glob("*.yaml")}
    )


def load(
    families: Iterable[Family], folder: Path, library: Library
) -> tuple[dict[str, Profile], list[Finding]]:
    """The profiles that the families name, and a finding for everything that is wrong with them.

    A profile that does not exist, or is not right, is left out of the first.
    """
    known: dict[str, Profile] = {}
    findings: list[Finding] = []
    there = names(folder)
    read: set[str] = set()
    for name, where in (item for family in families for item in family.profiles.items()):
        # only names of files that are there get further, so none leads out of the folder
        if name not in there:
            hint = near(name, there, f"known profiles: {', '.join(there)}")
            findings.append(Finding(f"unknown profile {name!r}", hint, where))
        elif name not in read:
            read.add(name)
            try:
                known[name] = _read(name, folder, library)
            except BakestoneError as problem:
                findings += problem.findings
    return known, findings


def refusals(
    family: Family, slots: Mapping[str, Chosen], known: Mapping[str, Profile]
) -> Iterator[Unfit]:
    """Every requirement of the family's profiles that the combination does not fulfil.

    `slots` with their methods settled, so that the packages of the method apt count. `known` is
    what `load` gave.
    """
    installed: set[str] = set()
    asked = [(known[name], where) for name, where in family.profiles.items() if name in known]
    for profile, named in asked:
        for requirement in profile.requirements:
            for key, wanted in requirement.require.items():
                if not holds(slots, key, wanted, family.host):
                    # where what does not fit is chosen, if anything is
                    filled = [slots[slot].where for slot in slots_of(key) if slot in slots]
                    where = filled[-1] if filled else named
                    why = _message(shown(slots, key, family.host), requirement, profile)
                    yield Unfit(why, where, slots_of(key), (profile.name, requirement.id))
            if requirement.packages:
                installed = installed or {n.partition("=")[0] for n in packages(family, slots)}
                if installed.isdisjoint(requirement.packages):
                    lacking = " or ".join(requirement.packages)
                    found = f"an image on {slots['distro'].text} without {lacking}"
                    why = _message(found, requirement, profile)
                    asks = (profile.name, requirement.id)
                    yield Unfit(why, named, (), asks, requirement.packages)


def _message(found: str, requirement: Requirement, profile: Profile) -> str:
    consumer = f"{profile.title} (profile {profile.name})"
    about = f"requirement {requirement.id}; source: {requirement.source}"
    return f"{found} does not fit {consumer}: {requirement.because} ({about})"


def addition(
    unfit: Unfit, slots: Slots, passes: Callable[[dict[str, Chosen]], bool], library: Library
) -> str:
    """What to add to the family so that the requirement is fulfilled, where something is lacking;
    else an empty text.
    """
    if unfit.packages:
        return f"add `packages: [{unfit.packages[0]}]` to the family"
    if any(slot in slots for slot in unfit.slots):
        return ""
    for slot in unfit.slots:
        for chosen in _fillings(slot, unfit.where, library):
            if passes({**slots, slot: chosen}):
                return f"add the axis `{slot}: [{chosen.text}]`"
    return ""


def _fillings(slot: str, where: Position, library: Library) -> Iterator[Chosen]:
    """What could fill an empty slot: components without terms to accept first, newest versions
    first.
    """
    for component in sorted(library.of_slot(slot), key=lambda c: (c.terms is not None, c.name)):
        if component.methods:
            for version in islice(component.versions.values(), TRIED):
                yield Chosen(slot, component, version, where)


def packages(family: Family, slots: Mapping[str, Chosen], role: str = DEVEL) -> set[str]:
    """The distro packages that a combination asks for in the finished image of a role: names, or
    `name=version` where the family says which; who asks for the name alone gets that one.

    `slots` with their methods settled.
    """
    found = {name for _, names in askers(family, slots, role) for name in names}
    exact = {name.partition("=")[0] for name in found if "=" in name}
    return found - exact


def askers(
    family: Family, slots: Mapping[str, Chosen], role: str
) -> Iterator[tuple[str, Iterable[str]]]:
    """The same, each with who asks for it: the family, or a component."""
    line = slots["distro"].line
    yield f"family {family.name}", family.packages
    for chosen in slots.values():
        made_with = chosen.component.development.packages if role == DEVEL else {}
        asked = [chosen.component.packages, made_with, chosen.version.packages]
        if not own_python(slots):
            asked.append(chosen.component.python_packages)
        for option in chosen.options:
            asked += [option.packages, option.development if role == DEVEL else {}]
        for wanted in asked:
            yield chosen.text, packages_for(wanted, line) or ()
        if chosen.of_distro:
            yield chosen.text, (chosen.data["package"],)


def _read(name: str, folder: Path, library: Library) -> Profile:
    own = folder / "profiles" / f"{name}.yaml"
    document = yamldoc.load(own if own.is_file() else BUILT_IN / own.name, "the profile")
    schema.check(document, "profile")
    findings = list(_wrong(document, name, library))
    if findings:
        raise BakestoneError(findings)
    data = document.data
    requirements = tuple(
        Requirement(
            entry["id"],
            patterns(entry.get("require", {})),
            tuple(entry.get("packages", ())),
            entry["because"],
            texts(entry.get("source", data["source"])),
        )
        for entry in data["requirements"]
    )
    return Profile(name, data["title"], requirements)


def _wrong(document: yamldoc.Document, name: str, library: Library) -> Iterator[Finding]:
    """What the schema cannot say: names that agree, requirements that ask for something, slots that
    exist.
    """
    data, position = document.data, document.position
    if data["profile"] != name:
        why = f"the profile {data['profile']} is in the file of {name}"
        hint = f"write `profile: {name}`, or rename the file"
        yield Finding(why, hint, position(("profile",)))
    choices = [*dict.fromkeys((*library.slots, "python")), f"{HOST}driver"]
    seen: dict[str, int] = {}
    for index, entry in enumerate(data["requirements"]):
        at = ("requirements", index)
        own, where = entry["id"], position((*at, "id"))
        if own in seen:
            why = f"two requirements are named {own} (first on line {seen[own]})"
            yield Finding(why, "rename one of them", where)
        seen.setdefault(own, where.line)
        if not {"require", "packages"} & set(entry):
            why = f"the requirement {own} asks for nothing"
            yield Finding(why, "add `require` or `packages`", where)
        for key in entry.get("require", {}):
            slot = key.partition(".")[0]
            if slot not in (*library.slots, "python") and key != f"{HOST}driver":
                known = f"one of: {', '.join(choices)}; with an attribute as distro.glibc"
                where = position((*at, "require", key), key=True)
                yield Finding(f"there is no slot {slot!r}", near(slot, choices, known), where)
