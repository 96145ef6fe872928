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


def settle(family: Family, slots: _Slots) -> _Result:
    """Choose the base image and a method for every slot.

    Gives the slots with their methods, the base, and findings for what cannot
    be installed in this combination (the base is then the distro's own).
    """
    findings: list[Finding] = []
    out: _Slots = {}
    base = Base.of(slots["distro"].version.data)
    for slot in sorted(slots, key=slot_rank):
        chosen = slots[slot]
        if slot == "distro":
            out[slot] = replace(chosen, method=INHERITED, why="the base image")
            continue
        offered = {name: _offer(name, _Wish(chosen, slots, family, base)) for name in chosen.component.methods}
        usable = [name for name, problem in offered.items() if not problem]
        wanted = family.methods.get(chosen.component.name)
        if wanted and wanted not in usable:
            findings.append(_cannot(chosen, {wanted: offered.get(wanted) or "it is not a method of this component"}))
        elif not usable:
            findings.append(_cannot(chosen, offered))
        else:
            method = wanted or usable[0]
            out[slot] = replace(chosen, method=method, why=_why(method, wanted, offered))
            if method == INHERITED and chosen.version.methods[method].get("images"):
                base = Base.of(_image(chosen, slots) or {})
    return out, base, findings


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
