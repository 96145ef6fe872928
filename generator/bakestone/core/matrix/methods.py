"""Which method installs a component in a variant, and which base image it starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from bakestone.core.documents.yaml import Json
from bakestone.core.library.component import Line, Method, packages_for
from bakestone.core.library.version import ENTRIES, Base, patterns
from bakestone.core.matrix.checks.rules import seen
from bakestone.core.matrix.conditions import Refusal, all_hold, condition, shown, slots_of
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import INHERITED, PACKAGES, Chosen, LeftOut, akin, slot_rank

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
    platforms: tuple[str, ...]

    @property
    def distro(self) -> Chosen:
        return self.slots["distro"]

    @property
    def asked(self) -> str:
        """The method that the family asks for, if any."""
        return self.family.methods.get(self.chosen.component.name, "")

    @property
    def place(self) -> str:
        """Where it is wanted, as a sentence says it."""
        fewer = self.platforms != self.family.platforms
        return f"for {', '.join(self.platforms)}" if fewer else "here"


@dataclass(frozen=True)
class Obstacle:
    """Why a method cannot be used in a combination."""

    reason: str

    def __str__(self) -> str:
        return self.reason


_Result = tuple[_Slots, Base, list[Refusal]]
_Decision = tuple[Chosen | Refusal, Base]
Decisions = dict[tuple[object, ...], _Decision]
"""Decisions of one family that were made before: most combinations share most of theirs."""


@dataclass(frozen=True)
class Settled:
    """How a combination is installed: its slots with their methods, the base image, and the
    platforms that it is for; `left_out` are the family's others, and `problems` what cannot be
    installed on any.
    """

    slots: _Slots
    base: Base
    platforms: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[Refusal, ...] = ()


def settle_where_possible(family: Family, slots: _Slots, known: Decisions | None = None) -> Settled:
    """Settle for as many of the family's platforms as have every component; `every_platform` in
    the family asks for all of them.

    Where none has, the problems are those of the attempt with fewest. `known` as for `settle`.
    """
    attempts = []
    for platforms in _subsets(family):
        found, base, problems = settle(family, slots, known, platforms)
        if not problems:
            left_out = tuple(
                _left_out(family, slots, known, platform, platforms)
                for platform in family.platforms
                if platform not in platforms
            )
            return Settled(found, base, platforms, left_out)
        attempts.append(Settled(found, base, platforms, problems=tuple(problems)))
    return min(attempts, key=lambda attempt: len(attempt.problems))


def _subsets(family: Family) -> Iterator[tuple[str, ...]]:
    """The platforms of a family: all of them, then fewer, in the family's order."""
    most = len(family.platforms)
    for number in range(most, most - 1 if family.every_platform else 0, -1):
        yield from combinations(family.platforms, number)


def _left_out(
    family: Family, slots: _Slots, known: Decisions | None, platform: str, beside: tuple[str, ...]
) -> LeftOut:
    """Why a platform is left out: what it lacks by itself, else together with the others."""
    together = tuple(p for p in family.platforms if p in (*beside, platform))
    problems = (
        settle(family, slots, known, (platform,))[2] or settle(family, slots, known, together)[2]
    )
    return LeftOut(platform, "; ".join(p.message for p in problems), problems[0].where)


def settle(
    family: Family, slots: _Slots, known: Decisions | None = None, platforms: tuple[str, ...] = ()
) -> _Result:
    """Choose the base image and a method for every slot.

    Gives the slots with their methods, the base, and problems: what cannot
    be installed in this combination (the base is then the distro's own).
    `known` keeps decisions from one call to the next, of the same family and library; `platforms`
    are those that it is for, the family's when empty.
    """
    known = {} if known is None else known
    platforms = platforms or family.platforms
    problems: list[Refusal] = []
    out: _Slots = {}
    base = slots["distro"].version.base
    for slot in sorted(slots, key=slot_rank):
        chosen = slots[slot]
        conditions = tuple(seen(slots, _keys(chosen)))
        # all that the decision looks at: itself, the distro, what the base brings, what comes in
        # one image with it, and what its conditions see
        key = (
            chosen.text,
            chosen.where,
            slots["distro"].text,
            base.ref,
            platforms,
            tuple(base.provides.items()),
            tuple(seen(slots, chosen.version.companions)),
            conditions,
        )
        if key not in known:
            known[key] = _decide(_Wish(chosen, slots, family, base, platforms), conditions)
        decision, base = known[key]
        if isinstance(decision, Refusal):
            problems.append(decision)
        else:
            out[slot] = decision
    return out, base, problems


def _keys(chosen: Chosen) -> tuple[str, ...]:
    """The slots and attributes that decide how a component can be installed."""
    of_options = (key for option in chosen.options for key in option.require)
    return (*chosen.component.method_keys, *of_options, *chosen.version.conditions)


def _decide(wish: _Wish, conditions: tuple[str, ...]) -> _Decision:
    """The slot with its method, or why it cannot be installed; and the base that the next slots
    see.
    """
    chosen, base = wish.chosen, wish.base
    if chosen.slot == "distro":
        made_for = chosen.component.data.get("platforms", wish.platforms)
        if missing := [p for p in wish.platforms if p not in made_for]:
            return _cannot(wish, f"is not for {', '.join(missing)}"), base
        return replace(chosen, method=INHERITED, why="the base image"), base
    about = chosen.component
    named = [about.packages, about.python_packages, about.development.packages]
    for option in chosen.options:
        named += [option.packages, option.development]
    unknown = (_unknown_packages(mapping, wish.distro.line) for mapping in named)
    if lacking := next(filter(None, unknown), ""):
        changeable = tuple(dict.fromkeys((chosen.slot, "distro")))
        why = f"{chosen.text} cannot be installed {wish.place} ({lacking})"
        return Refusal(why, chosen.where, changeable), base
    known = chosen.component.methods
    if missing := [p for p in wish.platforms if not chosen.version.made_for(p)]:
        return _cannot(wish, f"is not for {', '.join(missing)}"), base
    data = {name: _selected(name, wish) for name in known if name in chosen.version.methods}
    offered = {name: _offer(method, data.get(name), wish) for name, method in known.items()}
    usable = [name for name, obstacle in offered.items() if obstacle is None]
    if wish.asked and wish.asked not in usable:
        obstacle = offered.get(wish.asked) or Obstacle("it is not a method of this component")
        return _cannot(wish, _not_installed(wish, {wish.asked: obstacle})), base
    if not usable:
        return _cannot(wish, _not_installed(wish, offered)), base
    method = wish.asked or usable[0]
    if method == INHERITED and data[method].get("images"):
        base = Base.of(_image(data[method], wish) or {})
    why = "the family's `methods` asks for it" if wish.asked else _first_of(method, offered)
    return replace(chosen, method=method, why=why, data=data[method], seen=conditions), base


def _selected(method: str, wish: _Wish) -> Json:
    """What versions.yaml says for a method, with those of its entries whose conditions hold."""
    data: Json = wish.chosen.version.methods[method]
    key = ENTRIES.get(method, "")
    entries = data.get(key, [])
    if not any("when" in entry for entry in entries):
        return data
    host = wish.family.host
    fitting = [e for e in entries if all_hold(wish.slots, patterns(e.get("when", {})), host)]
    return {**data, key: fitting}


def _first_of(method: str, offered: Mapping[str, Obstacle | None]) -> str:
    before = list(offered)[: list(offered).index(method)]
    obstacles = _listed((name, offered[name]) for name in before)
    return f"the first that fits ({obstacles})" if before else "the first that fits"


def _listed(offered: Iterable[tuple[str, Obstacle | None]]) -> str:
    return "; ".join(f"{name}: {obstacle}" for name, obstacle in offered)


def _not_installed(wish: _Wish, offered: Mapping[str, Obstacle | None]) -> str:
    reasons = _listed(offered.items()) or "it has no method"
    return f"cannot be installed {wish.place} ({reasons})"


def _cannot(wish: _Wish, why: str) -> Refusal:
    chosen, slots = wish.chosen, wish.slots
    # those whose images may bring it
    hosts = [slot for slot in slots if chosen.slot in slots[slot].version.companions]
    changeable = [chosen.slot]
    for key in _keys(chosen):
        changeable += slots_of(key)
    for slot in (chosen.slot, *hosts):
        changeable += (slot, *slots[slot].version.companions)
    changeable.append("distro")
    return Refusal(f"{chosen.text} {why}", chosen.where, tuple(dict.fromkeys(changeable)))


def _offer(method: Method, data: Json | None, wish: _Wish) -> Obstacle | None:
    """Why a method cannot be used; `data` is what is left of its entries."""
    version, host = wish.chosen.version, wish.family.host
    if data is None:
        return Obstacle(f"not offered for {version.version}")
    if method.distros and not any(akin(pattern, wish.distro) for pattern in method.distros):
        return Obstacle(f"made for {', '.join(method.distros)}")
    options = wish.chosen.options
    for option in options:
        if method.name not in option.methods:
            return Obstacle(f"the option {option.name} is there by {', '.join(option.methods)}")
    uses = replace(wish.chosen, method=method.name).used(wish.slots).values()
    builds = (
        *((f"the option {o.name}: ", o.build) for o in options),
        *(("", u.build) for u in uses),
    )
    for asker, packages in (("", method.packages), *builds):
        if lacking := _unknown_packages(packages, _builder(method, wish)):
            return Obstacle(f"{asker}{lacking}")
    asking = [("", method.require, method.because)]
    asking += [(f"the option {option.name} ", option.require, option.because) for option in options]
    for who, require, because in asking:
        for key, wanted in require.items():
            if not all_hold(wish.slots, {key: wanted}, host):
                # `cuda cuda` would read as a slip
                asked = f"the component {key}" if wanted == (key,) else condition({key: wanted})
                instead = shown(wish.slots, key, host)
                but = "and there is" if instead.startswith("no ") else "not"
                why = f"{who}needs {asked}, {but} {instead}"
                return Obstacle(f"{why}: {because}" if because else why)
    key = ENTRIES.get(method.name, "")
    entries = version.methods[method.name].get(key)
    if entries and not data[key]:
        there = list(dict.fromkeys(condition(patterns(entry["when"])) for entry in entries))
        more = ["..."] if len(there) > 4 else []
        return Obstacle(f"there for {'; '.join([*there[:4], *more])}")
    check = _CHECKS.get(method.name)
    return check(data, wish) if check else None


def _builder(method: Method, wish: _Wish) -> Line:
    """The distro that a method's stage starts from, and what it is like."""
    name, _, version = method.builder.partition("@")
    fixed = wish.chosen.component.others(name) if version else None
    # one that the library does not have is an error of the survey
    return fixed.line(version) if fixed else wish.distro.line


def _unknown_packages(mapping: Mapping[str, tuple[str, ...]], line: Line) -> str:
    """Why nobody knows what a distro calls the packages of a `packages:` mapping; empty when
    somebody does, or there are none.
    """
    if not mapping or packages_for(mapping, line) is not None:
        return ""
    (name, version), *others = line
    like = "".join(f", which is like {other}@{its}" for other, its in others)
    return (
        f"its packages are known for {', '.join(mapping)}, not for {name}@{version}{like}: a distro"
        " says with `like` in its component.yaml which of them it is like"
    )


def _image_offer(data: Json, wish: _Wish) -> Obstacle | None:
    if not data.get("images"):
        provided = wish.base.provides.get(wish.chosen.slot)
        if provided == wish.chosen.version.version:
            return None
        return Obstacle(f"the base image {wish.base.ref} has {provided or 'none'}")
    if _image(data, wish):
        return None
    distro = wish.distro.text
    here = [image for image in data["images"] if image["distro"] == distro]
    if not here:
        others = ", ".join(sorted({image["distro"] for image in data["images"]}))
        return Obstacle(f"no image of it on {distro}; there are {others}")
    for image in here:
        if _together(image, wish.slots):
            return Obstacle(f"{image['ref']} was deleted from its registry: {image['deleted']}")
    contents = [" + ".join(f"{k} {v}" for k, v in i.get("provides", {}).items()) for i in here]
    have = " or ".join(content or "nothing else" for content in contents)
    return Obstacle(f"its images on {distro} come with {have}")


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
    return all(
        slot in slots and slots[slot].version.version == str(version)
        for slot, version in image.get("provides", {}).items()
    )


def _package_offer(data: Json, wish: _Wish) -> Obstacle | None:
    if "packages" in data:
        return _vendor_offer(data["packages"], wish)
    if any(akin(pattern, wish.distro) for pattern in data.get("versions", {})):
        return None
    return Obstacle(f"{wish.distro.text} has another version")


def _vendor_offer(entries: list[Json], wish: _Wish) -> Obstacle | None:
    """Packages of the vendor's repository: the same ones for every platform of the family that it
    has any for.
    """
    asked = dict.fromkeys((*wish.family.platforms, *wish.platforms))
    found: dict[str, dict[str, str]] = {platform: {} for platform in asked}
    for entry in entries:
        for platform in found:
            if entry.get("platform", platform) == platform:
                found[platform] |= entry["install"]
    lacking = [platform for platform in wish.platforms if not found[platform]]
    if lacking:
        return Obstacle(f"no packages for {', '.join(lacking)}")
    first, *others = filter(None, found.values())
    if any(packages != first for packages in others):
        return Obstacle("its packages are others on each platform")
    return None


def _wheel_offer(data: Json, wish: _Wish) -> Obstacle | None:
    files = [wheel["files"] for wheel in data["wheels"]]
    lacking = sorted(p for p in wish.platforms if not all(p in file for file in files))
    return Obstacle(f"no wheel for {', '.join(lacking)}") if lacking else None


def _fetched_offer(data: Json, wish: _Wish) -> Obstacle | None:
    platforms = {a.get("platform") for a in data.get("artifacts", [])}
    if not platforms:
        return Obstacle("no file with a checksum is known")
    lacking = [p for p in wish.platforms if platforms.isdisjoint((None, p))]
    if not lacking:
        return None
    methods = wish.chosen.version.methods
    elsewhere = dict.fromkeys(
        condition(patterns(entry["when"]))
        for name in FETCHED
        for entry in methods.get(name, {}).get(ENTRIES[name], [])
        if "when" in entry and entry.get("platform") in lacking
    )
    unless = f" unless {' or '.join(elsewhere)}" if elsewhere else ""
    return Obstacle(f"no file for {', '.join(lacking)}{unless}")


_CHECKS: dict[str, Callable[[Json, _Wish], Obstacle | None]] = {
    INHERITED: _image_offer,
    **dict.fromkeys(PACKAGES, _package_offer),
    "wheel": _wheel_offer,
    **dict.fromkeys(FETCHED, _fetched_offer),
}
