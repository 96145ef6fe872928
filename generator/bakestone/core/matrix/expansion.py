"""Spec + library -> variants: of each family the product of its axes, less the excludes, plus the
includes.

Pure: no network, no clock, no disk beyond the library's own data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations, product

from bakestone.core.documents.patterns import TAG
from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library, not_to_be_had
from bakestone.core.library.component import Component, Option
from bakestone.core.matrix import aliases, methods, nearest
from bakestone.core.matrix.checks import contents, names, profiles, rules, terms, users
from bakestone.core.matrix.methods import Settled
from bakestone.core.matrix.naming import Names
from bakestone.core.matrix.spec import PLATFORMS, Family, Pick, Spec
from bakestone.core.matrix.variant import DEVEL, Chosen, Excluded, Variant, filling, fits, slot_rank
from bakestone.errors import BakestoneError, Finding, Position

MAX_VARIANTS = 20_000
"""Most combinations of one family: beyond it a typing error is likelier than a wish."""

_Slots = dict[str, Chosen]


@dataclass
class Matrix:
    """All variants of a file, in the order of the file, and the combinations it leaves out."""

    spec: Spec
    library: Library
    variants: list[Variant] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """Family and name of every variant, then family and tag of every alias that moves."""
        names = [(variant.family.name, variant.name) for variant in self.variants]
        moving = [
            (variant.family.name, alias.tag)
            for variant in self.variants
            for alias in variant.aliases
            if not alias.dated
        ]
        return (*names, *moving)


def expand(spec: Spec, library: Library) -> Matrix:
    """Every variant of the file. Raises `BakestoneError` with all findings of all families."""
    matrix = Matrix(spec, library)
    known, findings = profiles.load(spec.families, spec.folder, library)
    findings += terms.unknown(spec.families, library)
    for family in spec.families:
        work = Expansion(family, library, known)
        try:
            work.run()
        except BakestoneError as problem:
            findings += problem.findings
        findings += work.findings
        matrix.variants.extend(work.variants)
        matrix.excluded.extend(work.excluded)
    findings += _duplicates(matrix.variants)
    if not findings:  # selectors that name what was refused would be told for that as well
        tagged, findings = aliases.given(matrix.variants, library.slots)
        matrix = replace(matrix, variants=tagged)
    if findings:
        raise BakestoneError(findings)
    return matrix


def _duplicates(variants: list[Variant]) -> Iterator[Finding]:
    first: dict[str, Variant] = {}
    for variant in variants:
        for key in (variant.name, variant.target, *_stages(variant)):
            other = first.setdefault(key, variant)
            if other is not variant:
                yield _named_alike(other, variant)
                break


def _stages(variant: Variant) -> Iterator[str]:
    """The names of its own stages in its family's Dockerfile, which has small letters only."""
    for end in ("", ".image", ".inventory", ".programs"):
        yield f"{variant.family.name}:{variant.stage}{end}"


def _named_alike(other: Variant, variant: Variant) -> Finding:
    differing = {
        slot: f"{slot} is {filling(other.slots, slot)} and {filling(variant.slots, slot)}"
        for slot in sorted({*other.slots, *variant.slots}, key=slot_rank)
        if filling(other.slots, slot) != filling(variant.slots, slot)
    }
    twice = f"they are in the families {other.family.name} and {variant.family.name}"
    where = variant.added or variant.family.where
    if differing:
        hint = _how_to_differ(other, variant, list(differing))
    elif other.family is not variant.family:
        hint = "write `suffix: WORD` in one of the families, which ends its names, or take it out"
    elif variant.added:
        twice, hint = "an include gives what is there already", "remove the include"
    else:
        again = (c for slot, c in variant.slots.items() if c.where != other.slots[slot].where)
        where = next(again, variant.distro).where
        twice, hint = "one value stands on an axis twice", "remove one of them"
    named = f"two variants are named {variant.name}"
    if other.name != variant.name:
        named = f"{other.name} and {variant.name} are one name in a Dockerfile or a bake file"
    why = f"{named}: {'; '.join(differing.values()) or twice}"
    places = (chosen.where for slot, chosen in variant.slots.items() if slot in differing)
    return Finding(why, hint, next(places, where))


def _how_to_differ(other: Variant, variant: Variant, differing: list[str]) -> str:
    """What to do about one name of variants that differ in these slots."""
    for family in (variant.family, other.family):
        named = Names(family).slots
        lacking = [slot for slot in differing if slot not in named]
        if lacking:
            # `rocm` is in every name that has it, and nothing to say where nothing has it
            there = [slot for slot in named if slot != "rocm" or slot in variant.slots]
            *before, last = there
            slots = ", ".join([*before, lacking[0], last])
            where = f" in {family.name}" if variant.family is not other.family else ""
            return f"write `name_slots: [{slots}]`{where}, or leave one out with `exclude`"
    if other.family is not variant.family:
        return (
            "write `suffix: WORD` in one of the families: its names end with it; or leave one out"
        )
    return "leave one of them out with `exclude`"


class Expansion:
    """One family at work."""

    def __init__(
        self, family: Family, library: Library, known_profiles: Mapping[str, profiles.Profile]
    ) -> None:
        self.family = family
        self.library = library
        self.profiles = known_profiles
        self.variants: list[Variant] = []
        self.excluded: list[Excluded] = []
        self.findings: list[Finding] = []
        self.names = Names(family)
        own = family.content
        self.own = bool(own.env or own.files or own.python)
        self._kept: list[tuple[_Slots, Settled, Position | None]] = []
        self._told: set[str] = set()
        self._decisions: methods.Decisions = {}
        self._verdicts: rules.Verdicts = {}

    def run(self) -> None:
        """Fill `variants`, `excluded` and `findings`."""
        family = self.family
        self.findings += names.check(family, self.library)
        self.findings += contents.check(family)
        axes = [[self.resolved(value.picks) for value in axis.values] for axis in family.axes]
        included = [(entry, self.resolved(entry.picks)) for entry in family.include]
        for slots in (*(slots for axis in axes for slots in axis), *(own for _, own in included)):
            self.check_user(slots.get("distro"))
            for chosen in slots.values():
                self.names.know(chosen)
        if self.findings:
            return
        count = math.prod(map(len, axes))
        if count > MAX_VARIANTS:
            why = f"the axes of {family.name} multiply to {count} variants, the limit is"
            self.tell(f"{why} {MAX_VARIANTS}", "split the family", family.where)
            return
        used: set[int] = set()
        for combination in product(*axes):
            slots = {slot: chosen for part in combination for slot, chosen in part.items()}
            hits = [
                index
                for index, entry in enumerate(family.exclude)
                if all(fits(pattern, slots.get(slot)) for slot, pattern in entry.patterns.items())
            ]
            used.update(hits)
            if hits:
                rule = family.exclude[hits[0]]
                self.excluded.append(Excluded(self.names.of(slots), family, rule))
            else:
                self.keep(slots)
        for extra, slots in included:
            if "distro" in slots:
                self.keep(slots, extra.where)
            else:
                hint = "add `distro: component@version`"
                self.findings.append(Finding("an include entry needs a distro", hint, extra.where))
        for name, kept in zip(
            self.names.distinct([k[0] for k in self._kept]), self._kept, strict=True
        ):
            for role in self.family.roles or (DEVEL,):
                self.add(name, kept[1], role, kept[2])
        for index, entry in enumerate(family.exclude):
            if index not in used:
                what = ", ".join(f"{slot}: {pattern}" for slot, pattern in entry.patterns.items())
                why = f"this exclude matches no combination ({what})"
                hint = "remove it, or correct its patterns"
                self.findings.append(Finding(why, hint, entry.where))
        if self.excluded and not (self.variants or self.findings):
            why = f"{family.name} has no variant left: its excludes take all of them"
            self.tell(why, "remove an exclude, or the family", family.where)

    def tell(self, message: str, hint: str | Callable[[], str], where: Position | None) -> None:
        """Add a finding, once for each message: many combinations are refused for one reason.

        A hint that takes a search is worked out when it is needed.
        """
        if message not in self._told:
            self._told.add(message)
            if self.family.inherited:  # the place may be another family's
                message += f" (in the family {self.family.name}, {self.family.where})"
            said = hint if isinstance(hint, str) else hint()
            self.findings.append(Finding(message, said, where))

    def resolved(self, picks: Mapping[str, Pick]) -> _Slots:
        """Picks as components and versions of the library; what is empty or wrong is left out, and
        the latter is a finding for each place.
        """
        slots = {}
        for slot, pick in picks.items():
            # an unknown slot is a finding of `names`
            if pick.version is not None and slot in self.library.slots:
                found = _resolve(slot, pick, pick.version, self.library)
                if isinstance(found, Finding):
                    self.findings.append(found)
                else:
                    slots[slot] = found
        return slots

    def check_user(self, distro: Chosen | None) -> None:
        """Tell of a user that the base image has, and that the build could not make."""
        for finding in users.check(self.family, distro) if distro else ():
            self.tell(finding.message, finding.hint, finding.where)

    def keep(self, slots: _Slots, added: Position | None = None) -> None:
        """Settle methods and base, apply the rules, and keep the combination; `added` is where an
        include gives it.
        """
        settled = methods.settle_where_possible(self.family, slots, self._decisions)
        refused = list(rules.refusals(slots, self.family.host, self._verdicts))
        for refusal in refused or settled.problems:
            way_out = partial(self.way_out, slots, refusal.slots)
            self.tell(refusal.message, way_out, refusal.where)
        if refused or settled.problems:
            return
        unfit = list(profiles.refusals(self.family, settled.slots, self.profiles))
        for lack in unfit:
            # each is told for itself: what else the profile lacks is no obstacle to its way out
            others = frozenset(other.asks for other in unfit if other.asks != lack.asks)
            self.tell(lack.message, partial(self.remedy, slots, lack, others), lack.where)
        for finding in (
            *terms.findings(self.family, settled.slots),
            *(contents.clashes(self.family, settled.slots) if self.own else ()),
        ):
            self.tell(finding.message, finding.hint, finding.where)
        if not unfit:
            self._kept.append((slots, settled, added))

    def add(self, name: str, settled: Settled, role: str, added: Position | None) -> None:
        """The variant of a role, which its name ends with where the family has several."""
        name += f"-{role}" if len(self.family.roles) > 1 else ""
        if not TAG.fullmatch(name):
            self.no_tag(name, settled.slots)
        whole = _inseparable(settled.slots) if role != DEVEL else None
        if whole:
            why = f"{whole.text} by {whole.method} comes with its compilers and headers"
            how = partial(self.divisible, settled.slots, whole)
            self.tell(f"{why}: images of the role {role} are without", how, whole.where)
        made = (settled.slots, settled.base, settled.platforms, settled.left_out)
        self.variants.append(Variant(name, self.family, *made, role, added))

    def divisible(self, slots: _Slots, whole: Chosen) -> str:
        """What to do about a component whose method brings what it is developed with: another
        method, or another component of the slot.
        """
        leave = "leave the role out"
        apart = [m for m in whole.component.methods if not _is_whole(replace(whole, method=m))]
        for method in apart:
            asked = {**self.family.methods, whole.component.name: method}
            if self.passes(slots, family=replace(self.family, methods=asked)):
                return f"write `{whole.component.name}: {method}` under `methods`; or {leave}"

        def passes(changed: _Slots) -> bool:
            settled, _, problems = methods.settle(self.family, changed, self._decisions)
            return not problems and not _is_whole(settled[whole.slot]) and self.passes(changed)

        for component in self.library.of_slot(whole.slot):
            if component is not whole.component:
                for other in nearest.alike(whole, component):
                    if passes(nearest.applied(slots, {whole.slot: other})):
                        title = component.data.get("title", component.name)
                        return f"take {other.pin} ({title}); or {leave}"
        return f"choose another version or distro; or {leave}"

    def remedy(
        self, slots: _Slots, lack: profiles.Unfit, others: frozenset[tuple[str, str]]
    ) -> str:
        """What to do about a combination that a profile refuses: fill what is empty, or as ever."""
        passes = partial(self.passes, but=others)
        addition = profiles.addition(lack, slots, passes, self.library)
        return addition or self.way_out(slots, lack.slots, passes)

    def way_out(
        self,
        slots: _Slots,
        changeable: Iterable[str],
        passes: Callable[[_Slots], bool] | None = None,
    ) -> str:
        """What to do about a refused combination: the nearest that passes, or an exclude."""
        leave = "leave the combination out with `exclude`"
        found = nearest.nearest(slots, changeable, passes or self.passes, self.library)
        if passes is None and (other := self.by_other_methods(slots)):
            if nearest.another(slots, found):
                return f"{other}; or {leave}"
            leave = f"{other}; or {leave}"
        if nearest.another(slots, found) and (there := self.elsewhere(slots)):
            return f"{self.on_platforms(there)}; or {leave}"
        if nearest.adds(slots, found):
            return f"add {nearest.text(slots, found)}; or {leave}"
        return f"nearest that passes: {nearest.text(slots, found)}; or {leave}" if found else leave

    def by_other_methods(self, slots: _Slots) -> str:
        """What to write under `methods` so that a combination passes as it is; empty where what the
        family asks for there is no obstacle.
        """
        asked = [c for c in slots.values() if c.component.name in self.family.methods]
        for number in range(1, len(asked) + 1):
            for some in combinations(asked, number):
                names = [chosen.component.name for chosen in some]
                kept = {n: m for n, m in self.family.methods.items() if n not in names}
                family = replace(self.family, methods=kept)
                if self.passes(slots, family=family):
                    settled, _, _ = methods.settle(family, slots)
                    those = (f"`{c.component.name}: {settled[c.slot].method}`" for c in some)
                    return f"write {' and '.join(those)} under `methods`"
        return ""

    def elsewhere(self, slots: _Slots) -> list[str]:
        """The platforms on which a refused combination would pass."""
        return [p for p in PLATFORMS if self.passes(slots, platforms=(p,))]

    def on_platforms(self, there: list[str]) -> str:
        """What to do about a combination that would pass on platforms."""
        if any(platform in self.family.platforms for platform in there):
            return f"it is there for {', '.join(there)}: take `every_platform` out of the family"
        return f"it is there for {', '.join(there)}: add that to `platforms`"

    def no_tag(self, name: str, slots: _Slots) -> None:
        """A variant's name is its image's tag, so it must be one."""
        odd = (c for c in slots.values() if not TAG.fullmatch(f"x{c.version.label}"))
        chosen = next(odd, slots["distro"])
        too_long = f"{len(name)} characters, the limit is 128"
        why = too_long if len(name) > 128 else "letters, digits and . _ - only"
        hint = f"give {chosen.text} a `label` in its versions.yaml, or choose other `name_slots`"
        self.tell(f"{name} cannot be the tag of an image ({why})", hint, chosen.where)

    def passes(
        self,
        slots: _Slots,
        but: frozenset[tuple[str, str]] = frozenset(),
        platforms: tuple[str, ...] = (),
        family: Family | None = None,
    ) -> bool:
        """Whether a combination breaks no rule, can be installed, and fits the profiles, apart from
        the requirements in `but`; on the family's platforms, or others, and by its methods, or as
        `family` has them.
        """
        if any(True for _ in rules.refusals(slots, self.family.host, self._verdicts)):
            return False
        known = self._decisions if family is None else None
        family = family or self.family
        settled, _, problems = methods.settle(family, slots, known, platforms)
        return not problems and all(
            unfit.asks in but for unfit in profiles.refusals(family, settled, self.profiles)
        )


def _meant(text: str, fitting: Sequence[Component]) -> str:
    """A hint for a value without a component: those that have this version, or are called so."""
    named = [f"{c.name}@{next(iter(c.versions))}" for c in fitting if c.name == text and c.versions]
    having = [f"{c.name}@{text}" for c in fitting if text in c.versions]
    write = " or ".join(f'"{one}"' for one in named or having)
    return f"write {write}" if write else f"none of them has a version {text[:60]}"


def _inseparable(slots: _Slots) -> Chosen | None:
    """What cannot leave out what programs are made with, by the method that was chosen for it."""
    return next(filter(_is_whole, slots.values()), None)


def _is_whole(chosen: Chosen) -> bool:
    return chosen.method in chosen.component.development.inseparable


def _resolve(slot: str, pick: Pick, version: str, library: Library) -> Chosen | Finding:
    """A pick as a component and version of the library, or what is wrong with it."""
    if pick.own:
        own = library.own_base(pick.own, pick.where)
        if isinstance(own, Finding):
            return own
        return Chosen(slot, own, own.versions[version], pick.where)
    fitting = library.meant(slot)
    if not pick.component and len(fitting) != 1:
        why = f"{slot} can be {', '.join(c.name for c in fitting)}: say which"
        return Finding(why, _meant(version, fitting), pick.where)
    component = library.get(pick.component) if pick.component else fitting[0]
    if component is None:
        why = f"unknown component {pick.component!r}"
        return Finding(why, library.suggest(pick.component), pick.where)
    if component.slot != slot:
        why = f"{component.name} fills the slot {component.slot}, not {slot}"
        return Finding(why, f"move it to the axis {component.slot}", pick.where)
    if lacking := not_to_be_had(component, version):
        return Finding(*lacking, pick.where)
    options = _options(component, pick)
    if isinstance(options, Finding):
        return options
    return Chosen(slot, component, component.versions[version], pick.where, options=options)


def _options(component: Component, pick: Pick) -> tuple[Option, ...] | Finding:
    """The options of a pick in the component's order, or what is wrong with one of them."""
    known, name = component.options, component.name
    for option, where in pick.options.items():
        if option not in known:
            there = f"it has {', '.join(known)}" if known else "it has none: leave `with` out"
            return Finding(f"{name} has no option {option!r}", near(option, known, there), where)
        for other in known[option].conflicts:
            if other in pick.options:
                why = f"{name} has either the option {option} or {other}, not both"
                return Finding(why, "leave one of them out", where)
    return tuple(option for key, option in known.items() if key in pick.options)
