"""Which method installs a component in a variant, and which base image it starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bakestone.core.documents.patterns import matches
from bakestone.core.documents.yaml import Json
from bakestone.core.library.component import Method
from bakestone.core.library.version import ENTRIES, Base, patterns
from bakestone.core.matrix.checks.rules import seen
from bakestone.core.matrix.conditions import all_hold, condition, shown, slots_of
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import INHERITED, PACKAGES, Chosen, slot_rank
from bakestone.errors import Finding

FETCHED = ("source", "installer", "archive")
"""Methods whose files are fetched by URL and checksum."""

_Slots = dict[str, Chosen]


@dataclass(frozen=True)
class _Wish:
    """A component to install, and the combination it is wanted in."""

    chosen: Chosen
    slots: _Slots
    family: Family
    base: Base

    @property
    def distro(self) -> Chosen:
        return self.slots["distro"]

    @property
    def asked(self) -> str:
        """The method that the family asks for, if any."""
        return self.family.methods.get(self.chosen.component.name, "")


@dataclass(frozen=True)
class Obstacle:
    """Why a method cannot be used in a combination."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Problem:
    """Why something cannot be installed; changing one of `slots` may help."""

    finding: Finding
    slots: tuple[str, ...]


_Result = tuple[_Slots, Base, list[Problem]]
_Decision = tuple[Chosen | Problem, Base]
Decisions = dict[tuple[object, ...], _Decision]
"""Decisions of one family that were made before: most combinations share most of theirs."""


def settle(family: Family, slots: _Slots, known: Decisions | None = None) -> _Result:
    """Choose the base image and a method for every slot.

    Gives the slots with their methods, the base, and problems: what cannot
    be installed in this combination (the base is then the distro's own).
    `known` keeps decisions from one call to the next, of the same family and library.
    """
    known = {} if known is None else known
    problems: list[Problem] = []
    out: _Slots = {}
    distro = slots["distro"]
    base = distro.version.base
    for slot in sorted(slots, key=slot_rank):
        chosen = slots[slot]
        # all that the decision looks at: itself, the distro, what the base brings, what comes in
        # one image with it,
        # and what its conditions see
        together = tuple(slots[s].text if s in slots else "" for s in chosen.version.companions)
        conditions = tuple(seen(slots, (*chosen.component.method_keys, *chosen.version.conditions)))
        key = (
            chosen.text,
            chosen.where,
            distro.text,
            base.ref,
            tuple(base.provides.items()),
            together,
            conditions,
        )
        if key not in known:
            known[key] = _decide(_Wish(chosen, slots, family, base), conditions)
        decision, base = known[key]
        if isinstance(decision, Problem):
            problems.append(decision)
        else:
            out[slot] = decision
    return out, base, problems


def _decide(wish: _Wish, conditions: tuple[str, ...]) -> _Decision:
    """The slot with its method, or why it cannot be installed; and the base that the next slots
    see.
    """
    chosen, base = wish.chosen, wish.base
    if chosen.slot == "distro":
        return replace(chosen, method=INHERITED, why="the base image"), base
    data = {
        name: _selected(name, wish)
        for name in chosen.component.methods
        if name in chosen.version.methods
    }
    offered = {
        name: _offer(method, data.get(name), wish)
        for name, method in chosen.component.methods.items()
    }
    usable = [name for name, obstacle in offered.items() if obstacle is None]
    if wish.asked and wish.asked not in usable:
        obstacle = offered.get(wish.asked) or Obstacle("it is not a method of this component")
        return _cannot(wish, {wish.asked: obstacle}), base
    if not usable:
        return _cannot(wish, offered), base
    method = wish.asked or usable[0]
    if method == INHERITED and data[method].get("images"):
        base = Base.of(_image(data[method], wish) or {})
    why = _why(method, wish.asked, offered)
    return replace(chosen, method=method, why=why, data=data[method], seen=conditions), base


def _selected(method: str, wish: _Wish) -> Json:
    """What versions.yaml says for a method, with those of its entries whose conditions hold."""
    data: Json = wish.chosen.version.methods[method]
    key = ENTRIES.get(method, "")
    if not any("when" in entry for entry in data.get(key, [])):
        return data
    return {
        **data,
        key: [
            e
            for e in data[key]
            if all_hold(wish.slots, patterns(e.get("when", {})), wish.family.host)
        ],
    }


def _why(method: str, wanted: str, offered: Mapping[str, Obstacle | None]) -> str:
    if wanted:
        return "the family's `methods` asks for it"
    before = [
        f"{name}: {problem}"
        for name, problem in list(offered.items())[: list(offered).index(method)]
    ]
    return "the first that fits" + (f" ({'; '.join(before)})" if before else "")


def _cannot(wish: _Wish, offered: Mapping[str, Obstacle | None]) -> Problem:
    chosen, slots = wish.chosen, wish.slots
    reasons = "; ".join(f"{name}: {problem}" for name, problem in offered.items())
    finding = Finding(
        f"{chosen.text} cannot be installed here ({reasons or 'it has no method'})",
        "",
        chosen.where,
    )
    keys = (*chosen.component.method_keys, *chosen.version.conditions)
    conditions = [slot for key in keys for slot in slots_of(key)]
    hosts = [
        slot for slot in slots if chosen.slot in slots[slot].version.companions
    ]  # their images may bring it
    together = [
        other for slot in (chosen.slot, *hosts) for other in (slot, *slots[slot].version.companions)
    ]
    return Problem(finding, tuple(dict.fromkeys((chosen.slot, *conditions, *together, "distro"))))


def _offer(method: Method, data: Json | None, wish: _Wish) -> Obstacle | None:
    """Why a method cannot be used; `data` is what is left of its entries."""
    version = wish.chosen.version
    if data is None:
        return Obstacle(f"not offered for {version.version}")
    missing = [p for p in wish.family.platforms if version.platforms and p not in version.platforms]
    if missing:
        return Obstacle(f"not for {', '.join(missing)}")
    distro = wish.distro
    if method.distros and not any(
        matches(pattern, distro.component.name, distro.version.version)
        for pattern in method.distros
    ):
        return Obstacle(f"made for {', '.join(method.distros)}")
    for key, wanted in method.require.items():
        if not all_hold(wish.slots, {key: wanted}, wish.family.host):
            because = f": {method.because}" if method.because else ""
            return Obstacle(
                f"needs {condition({key: wanted})}, not"
                f" {shown(wish.slots, key, wish.family.host)}{because}"
            )
    key = ENTRIES.get(method.name, "")
    if version.methods[method.name].get(key) and not data[key]:
        conditions = dict.fromkeys(
            condition(patterns(e["when"])) for e in version.methods[method.name][key]
        )
        return Obstacle(
            f"there for {'; '.join(list(conditions)[:4])}{'; ...' if len(conditions) > 4 else ''}"
        )
    check = _CHECKS.get(method.name)
    return check(data, wish) if check else None


def _image_offer(data: Json, wish: _Wish) -> Obstacle | None:
    if not data.get("images"):
        provided = wish.base.provides.get(wish.chosen.slot)
        if provided == wish.chosen.version.version:
            return None
        return Obstacle(f"the base image {wish.base.ref} has {provided or 'none'}")
    if _image(data, wish):
        return None
    here = [i for i in data["images"] if i["distro"] == wish.distro.text]
    if not here:
        return Obstacle(
            f"no image of it on {wish.distro.text}; there are"
            f" {', '.join(sorted({i['distro'] for i in data['images']}))}"
        )
    fitting = [i for i in here if _together(i, wish.slots)]
    if fitting:
        gone = fitting[0]
        return Obstacle(f"{gone['ref']} was deleted from its registry: {gone['deleted']}")
    have = " or ".join(
        " + ".join(f"{k} {v}" for k, v in i.get("provides", {}).items()) or "nothing else"
        for i in here
    )
    return Obstacle(f"its images on {wish.distro.text} come with {have}")


def _image(data: Json, wish: _Wish) -> Json | None:
    """The first image whose distro and other contents are those of the variant; a deleted one only
    when it is asked for.

    A mirror may still have an image that its own registry deleted.
    """
    for image in data.get("images", []):
        here = image["distro"] == wish.distro.text and _together(image, wish.slots)
        if here and (not image.get("deleted") or wish.asked == INHERITED):
            return dict(image)
    return None


def _together(image: Json, slots: _Slots) -> bool:
    """Whether the other slots that an image fills are those of the variant, or come by another
    method.
    """
    provides: Json = image.get("provides", {})
    return all(
        slot in slots and slots[slot].version.version == str(version)
        for slot, version in provides.items()
    )


def _package_offer(data: Json, wish: _Wish) -> Obstacle | None:
    distro = wish.distro
    if "packages" in data:
        return _vendor_offer(data["packages"], wish)
    if any(
        matches(key, distro.component.name, distro.version.version)
        for key in data.get("versions", {})
    ):
        return None
    return Obstacle(f"{distro.text} has another version")


def _vendor_offer(entries: list[Json], wish: _Wish) -> Obstacle | None:
    """Packages of the vendor's repository: the same ones for every platform of the family."""
    names = [
        {
            n: v
            for e in entries
            if e.get("platform", platform) == platform
            for n, v in e["install"].items()
        }
        for platform in wish.family.platforms
    ]
    lacking = [
        platform for platform, found in zip(wish.family.platforms, names, strict=True) if not found
    ]
    if lacking:
        return Obstacle(f"no packages for {', '.join(lacking)}")
    if any(found != names[0] for found in names):
        return Obstacle("its packages are others on each platform")
    return None


def _wheel_offer(data: Json, wish: _Wish) -> Obstacle | None:
    lacking = {
        p for p in wish.family.platforms for wheel in data["wheels"] if p not in wheel["files"]
    }
    return Obstacle(f"no wheel for {', '.join(sorted(lacking))}") if lacking else None


def _fetched_offer(data: Json, wish: _Wish) -> Obstacle | None:
    platforms = {a.get("platform") for a in data.get("artifacts", [])}
    if not platforms:
        return Obstacle("no file with a checksum is known")
    lacking = [p for p in wish.family.platforms if None not in platforms and p not in platforms]
    known = [
        e
        for name in FETCHED
        for e in wish.chosen.version.methods.get(name, {}).get(ENTRIES[name], [])
    ]
    elsewhere = dict.fromkeys(
        condition(patterns(e["when"]))
        for e in known
        if "when" in e and e.get("platform") in lacking
    )
    if not lacking:
        return None
    unless = f" unless {' or '.join(elsewhere)}" if elsewhere else ""
    return Obstacle(f"no file for {', '.join(lacking)}{unless}")


_CHECKS: dict[str, Callable[[Json, _Wish], Obstacle | None]] = {
    INHERITED: _image_offer,
    **dict.fromkeys(PACKAGES, _package_offer),
    "wheel": _wheel_offer,
    **dict.fromkeys(FETCHED, _fetched_offer),
}
