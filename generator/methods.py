"""Which method installs a component in a variant, and which base image it starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from generator.errors import Finding
from generator.patterns import matches
from generator.spec import Family
from generator.variant import INHERITED, Base, Chosen, slot_rank

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


_Result = tuple[_Slots, Base, list[Finding]]
_Decision = tuple[Chosen | Finding, Base]
Decisions = dict[tuple[Any, ...], _Decision]
"""Decisions of one family that were made before: most combinations share most of theirs."""


def settle(family: Family, slots: _Slots, known: Decisions | None = None) -> _Result:
    """Choose the base image and a method for every slot.

    Gives the slots with their methods, the base, and findings for what cannot
    be installed in this combination (the base is then the distro's own).
    `known` keeps decisions from one call to the next, of the same family and library.
    """
    known = {} if known is None else known
    findings: list[Finding] = []
    out: _Slots = {}
    distro = slots["distro"]
    base = distro.version.base
    for slot in sorted(slots, key=slot_rank):
        chosen = slots[slot]
        # all that the decision looks at: itself, the distro, what the base brings, what comes in one image with it
        together = tuple(slots[s].text if s in slots else "" for s in chosen.version.companions)
        key = (chosen.text, chosen.where, distro.text, base.ref, tuple(base.provides.items()), together)
        if key not in known:
            known[key] = _decide(_Wish(chosen, slots, family, base))
        decision, base = known[key]
        if isinstance(decision, Finding):
            findings.append(decision)
        else:
            out[slot] = decision
    return out, base, findings


def _decide(wish: _Wish) -> _Decision:
    """The slot with its method, or why it cannot be installed; and the base that the next slots see."""
    chosen, base = wish.chosen, wish.base
    if chosen.slot == "distro":
        return replace(chosen, method=INHERITED, why="the base image"), base
    offered = {name: _offer(name, wish) for name in chosen.component.methods}
    usable = [name for name, problem in offered.items() if not problem]
    wanted = wish.family.methods.get(chosen.component.name)
    if wanted and wanted not in usable:
        return _cannot(chosen, {wanted: offered.get(wanted) or "it is not a method of this component"}), base
    if not usable:
        return _cannot(chosen, offered), base
    method = wanted or usable[0]
    if method == INHERITED and chosen.version.methods[method].get("images"):
        base = Base.of(_image(chosen, wish.slots) or {})
    return replace(chosen, method=method, why=_why(method, wanted, offered)), base


def _why(method: str, wanted: str | None, offered: dict[str, str]) -> str:
    if wanted:
        return "the family's `methods` asks for it"
    before = [f"{name}: {problem}" for name, problem in list(offered.items())[: list(offered).index(method)]]
    return "the first that fits" + (f" ({'; '.join(before)})" if before else "")


def _cannot(chosen: Chosen, offered: dict[str, str]) -> Finding:
    reasons = "; ".join(f"{name}: {problem}" for name, problem in offered.items())
    return Finding(f"{chosen.text} cannot be installed here ({reasons or 'it has no method'})", "", chosen.where)


def _offer(method: str, wish: _Wish) -> str:
    """Why a method cannot be used, or an empty text when it can."""
    version = wish.chosen.version
    if method not in version.methods:
        return f"not offered for {version.version}"
    missing = [p for p in wish.family.platforms if version.platforms and p not in version.platforms]
    if missing:
        return f"not for {', '.join(missing)}"
    distros, distro = wish.chosen.component.methods[method].distros, wish.distro
    if distros and not any(matches(pattern, distro.component.name, distro.version.version) for pattern in distros):
        return f"made for {', '.join(distros)}"
    check = _CHECKS.get(method)
    return check(version.methods[method], wish) if check else ""


def _image_offer(data: dict[str, Any], wish: _Wish) -> str:
    if not data.get("images"):
        provided = wish.base.provides.get(wish.chosen.slot)
        if provided == wish.chosen.version.version:
            return ""
        return f"the base image {wish.base.ref} has {provided or 'none'}"
    if _image(wish.chosen, wish.slots):
        return ""
    here = [i for i in data["images"] if i["distro"] == wish.distro.text]
    if not here:
        return f"no image of it on {wish.distro.text}; there are {', '.join(sorted({i['distro'] for i in data['images']}))}"
    have = " or ".join(" + ".join(f"{k} {v}" for k, v in i.get("provides", {}).items()) for i in here)
    return f"its images on {wish.distro.text} come with {have}"


def _image(chosen: Chosen, slots: _Slots) -> dict[str, Any] | None:
    """The first image of a method `image` whose distro and other contents are those of the variant."""
    for image in chosen.version.methods[INHERITED].get("images", []):
        wanted = {slot: slots[slot].version.version if slot in slots else None for slot in image.get("provides", {})}
        if image["distro"] == slots["distro"].text and wanted == {k: str(v) for k, v in image.get("provides", {}).items()}:
            return dict(image)
    return None


def _apt_offer(data: dict[str, Any], wish: _Wish) -> str:
    distro = wish.distro
    if any(matches(key, distro.component.name, distro.version.version) for key in data.get("versions", {})):
        return ""
    return f"{distro.text} has another version"


def _wheel_offer(data: dict[str, Any], wish: _Wish) -> str:
    lacking = {p for p in wish.family.platforms for wheel in data["wheels"] if p not in wheel["files"]}
    return f"no wheel for {', '.join(sorted(lacking))}" if lacking else ""


def _fetched_offer(data: dict[str, Any], wish: _Wish) -> str:
    platforms = {a.get("platform") for a in data.get("artifacts", [])}
    if not platforms:
        return "no file with a checksum is known"
    lacking = [p for p in wish.family.platforms if None not in platforms and p not in platforms]
    return f"no file for {', '.join(lacking)}" if lacking else ""


_CHECKS: dict[str, Callable[[dict[str, Any], _Wish], str]] = {
    INHERITED: _image_offer,
    "apt": _apt_offer,
    "wheel": _wheel_offer,
    **dict.fromkeys(FETCHED, _fetched_offer),
}
