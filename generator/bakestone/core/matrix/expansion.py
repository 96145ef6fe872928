"""Spec + library -> variants: of each family the product of its axes, less the excludes, plus the
includes.

Pure: no network, no clock, no disk beyond the library's own data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import product

from bakestone.core.documents import template
from bakestone.core.documents.patterns import TAG
from bakestone.core.library.catalog import Library, not_to_be_had
from bakestone.core.matrix import methods, nearest
from bakestone.core.matrix.checks import names, profiles, rules, terms
from bakestone.core.matrix.spec import Family, Pick, Spec
from bakestone.core.matrix.variant import (
    Chosen,
    Excluded,
    Variant,
    filling,
    fits,
    slot_context,
    slot_rank,
)
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
    def names(self) -> tuple[tuple[str, str], ...]:
        """Family and name of every variant."""
        return tuple((variant.family.name, variant.name) for variant in self.variants)


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
    for end in ("", ".image", ".inventory"):
        yield f"{variant.family.name}:{variant.stage}{end}"


def _named_alike(other: Variant, variant: Variant) -> Finding:
    differing = {
        slot: f"{slot} is {filling(other.slots, slot)} and {filling(variant.slots, slot)}"
        for slot in sorted({*other.slots, *variant.slots}, key=slot_rank)
        if filling(other.slots, slot) != filling(variant.slots, slot)
    }
    families = f"they are in the families {other.family.name} and {variant.family.name}"
    named = f"two variants are named {variant.name}"
    if other.name != variant.name:
        named = f"{other.name} and {variant.name} are one name in a Dockerfile or a bake file"
    why = f"{named}: {'; '.join(differing.values()) or families}"
    hint = "name the slot that differs in `name_slots`, or leave one out with `exclude`"
    places = (chosen.where for slot, chosen in variant.slots.items() if slot in differing)
    return Finding(why, hint, next(places, variant.family.where))


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
        self._told: set[str] = set()
        self._decisions: methods.Decisions = {}
        self._verdicts: rules.Verdicts = {}
        self._labels: dict[tuple[str, ...], str] = {}

    def run(self) -> None:
        """Fill `variants`, `excluded` and `findings`."""
        family = self.family
        self.findings += names.check(family, self.library)
        axes = [[self.resolved(value.picks) for value in axis.values] for axis in family.axes]
        included = [(entry, self.resolved(entry.picks)) for entry in family.include]
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
                self.excluded.append(Excluded(self.name(slots), family, rule))
            else:
                self.keep(slots)
        for extra, slots in included:
            if "distro" in slots:
                self.keep(slots)
            else:
                hint = "add `distro: component@version`"
                self.findings.append(Finding("an include entry needs a distro", hint, extra.where))
        for index, entry in enumerate(family.exclude):
            if index not in used:
                what = ", ".join(f"{slot}: {pattern}" for slot, pattern in entry.patterns.items())
                why = f"this exclude matches no combination ({what})"
                hint = "remove it, or correct its patterns"
                self.findings.append(Finding(why, hint, entry.where))

    def tell(self, message: str, hint: str | Callable[[], str], where: Position | None) -> None:
        """Add a finding, once for each message: many combinations are refused for one reason.

        A hint that takes a search is worked out when it is needed.
        """
        if message not in self._told:
            self._told.add(message)
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

    def keep(self, slots: _Slots) -> None:
        """Settle methods and base, apply the rules, and add the variant."""
        settled, base, problems = methods.settle(self.family, slots, self._decisions)
        refused = list(rules.refusals(slots, self.family.host, self._verdicts))
        for refusal in refused or problems:
            way_out = partial(self.way_out, slots, refusal.slots)
            self.tell(refusal.message, way_out, refusal.where)
        if refused or problems:
            return
        unfit = list(profiles.refusals(self.family, settled, self.profiles))
        for lack in unfit:
            # each is told for itself: what else the profile lacks is no obstacle to its way out
            others = frozenset(other.asks for other in unfit if other.asks != lack.asks)
            self.tell(lack.message, partial(self.remedy, slots, lack, others), lack.where)
        for finding in terms.findings(self.family, settled):
            self.tell(finding.message, finding.hint, finding.where)
        if not unfit:
            name = self.name(slots)
            if not TAG.fullmatch(name):
                self.no_tag(name, slots)
            self.variants.append(Variant(name, self.family, settled, base))

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
        found = nearest.nearest(slots, changeable, passes or self.passes, self.library)
        leave = "leave the combination out with `exclude`"
        return f"nearest that passes: {nearest.text(found)}; or {leave}" if found else leave

    def no_tag(self, name: str, slots: _Slots) -> None:
        """A variant's name is its image's tag, so it must be one."""
        odd = (c for c in slots.values() if not TAG.fullmatch(f"x{c.version.label}"))
        chosen = next(odd, slots["distro"])
        too_long = f"{len(name)} characters, the limit is 128"
        why = too_long if len(name) > 128 else "letters, digits and . _ - only"
        hint = f"give {chosen.text} a `label` in its versions.yaml, or choose other `name_slots`"
        self.tell(f"{name} cannot be the tag of an image ({why})", hint, chosen.where)

    def passes(self, slots: _Slots, but: frozenset[tuple[str, str]] = frozenset()) -> bool:
        """Whether a combination breaks no rule, can be installed, and fits the profiles, apart from
        the requirements in `but`.
        """
        if any(True for _ in rules.refusals(slots, self.family.host, self._verdicts)):
            return False
        settled, _, problems = methods.settle(self.family, slots, self._decisions)
        return not problems and all(
            unfit.asks in but for unfit in profiles.refusals(self.family, settled, self.profiles)
        )

    def name(self, slots: _Slots) -> str:
        """The variant's name: its `name_slots` in order, then every axis with a choice that is not
        among them.
        """
        context = slot_context(slots)
        return "-".join(
            self.label(slots[slot], context[slot]) for slot in self._named if slot in slots
        )

    @cached_property
    def _named(self) -> list[str]:
        wanted = list(self.family.name_slots)
        for axis in self.family.axes:
            if len(axis.values) > 1 and not axis.slots & set(wanted):
                wanted += sorted(axis.slots, key=slot_rank)
        return wanted

    def label(self, chosen: Chosen, context: dict[str, str]) -> str:
        """A component's part of the name, such as cudnn7."""
        key = (*context.values(),)
        if key not in self._labels:
            text = chosen.component.data.get("label") or "{{ component }}{{ version }}"
            origin = f"{chosen.component.origin}/component.yaml"
            self._labels[key] = template.render(
                text, {**context, "version": context["label"]}, origin=origin
            )
        return self._labels[key]


def _resolve(slot: str, pick: Pick, version: str, library: Library) -> Chosen | Finding:
    """A pick as a component and version of the library, or what is wrong with it."""
    fitting = library.meant(slot)
    if not pick.component and len(fitting) != 1:
        why = f"{slot} can be {', '.join(c.name for c in fitting)}: say which"
        return Finding(why, f'write "{fitting[0].name}@{version}"', pick.where)
    component = library.get(pick.component) if pick.component else fitting[0]
    if component is None:
        why = f"unknown component {pick.component!r}"
        return Finding(why, library.suggest(pick.component), pick.where)
    if component.slot != slot:
        why = f"{component.name} fills the slot {component.slot}, not {slot}"
        return Finding(why, f"move it to the axis {component.slot}", pick.where)
    if lacking := not_to_be_had(component, version):
        return Finding(*lacking, pick.where)
    return Chosen(slot, component, component.versions[version], pick.where)
