"""Spec + library -> variants: of each family the product of its axes, less the excludes, plus the
includes.

Pure: no network, no clock, no disk beyond the library's own data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import product

from bakestone.core.documents import template
from bakestone.core.documents.patterns import TAG, matches
from bakestone.core.library.catalog import Library, nearest_version
from bakestone.core.matrix import methods, nearest
from bakestone.core.matrix.checks import names, profiles, rules, terms
from bakestone.core.matrix.spec import Family, Pick, Spec
from bakestone.core.matrix.variant import Chosen, Excluded, Variant, slot_context, slot_rank
from bakestone.errors import BakestoneError, Finding

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
            findings += [*work.findings, *problem.findings]
            continue
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
        for key in {variant.name, variant.target}:
            other = first.setdefault(key, variant)
            if other is variant:
                continue
            differing = [
                f"{slot} is {_text(other.slots, slot)} and {_text(variant.slots, slot)}"
                for slot in sorted({*other.slots, *variant.slots}, key=slot_rank)
                if _text(other.slots, slot) != _text(variant.slots, slot)
            ]
            what = (
                "; ".join(differing)
                or f"they are in the families {other.family.name} and {variant.family.name}"
            )
            where = next(
                (
                    variant.slots[s].where
                    for s in variant.slots
                    if _text(other.slots, s) != _text(variant.slots, s)
                ),
                variant.family.where,
            )
            hint = "name the slot that differs in `name_slots`, or leave one out with `exclude`"
            yield Finding(f"two variants are named {variant.name}: {what}", hint, where)
            break


def _text(slots: dict[str, Chosen], slot: str) -> str:
    return slots[slot].text if slot in slots else "none"


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
        self._refused: set[tuple[str, ...]] = set()
        self._told: set[str] = set()
        self._decisions: methods.Decisions = {}
        self._verdicts: rules.Verdicts = {}
        self._labels: dict[tuple[str, ...], str] = {}

    def run(self) -> None:
        """Fill `variants`, `excluded` and `findings`."""
        family = self.family
        self.findings += names.check(family, self.library)
        values = [
            [{s: self.resolve(s, p) for s, p in value.picks.items()} for value in axis.values]
            for axis in family.axes
        ]
        included = [
            {s: self.resolve(s, p) for s, p in entry.picks.items()} for entry in family.include
        ]
        if self.findings:
            return
        count = 1
        for axis_values in values:
            count *= len(axis_values)
        if count > MAX_VARIANTS:
            self.findings.append(
                Finding(
                    f"the axes of {family.name} multiply to {count} variants, the limit is"
                    f" {MAX_VARIANTS}",
                    "split the family",
                    family.where,
                )
            )
            return
        used = [False] * len(family.exclude)
        for combination in product(*values):
            slots = {s: c for part in combination for s, c in part.items() if c is not None}
            self.add(slots, used)
        for extra, picks in zip(family.include, included, strict=True):
            slots = {s: c for s, c in picks.items() if c is not None}
            if "distro" not in slots:
                hint = "add `distro: component@version`"
                self.findings.append(Finding("an include entry needs a distro", hint, extra.where))
            else:
                self.keep(slots)
        for entry, hit in zip(family.exclude, used, strict=True):
            if not hit:
                what = ", ".join(f"{k}: {v}" for k, v in entry.patterns.items())
                why = f"this exclude matches no combination ({what})"
                hint = "remove it, or correct its patterns"
                self.findings.append(Finding(why, hint, entry.where))

    def resolve(self, slot: str, pick: Pick) -> Chosen | None:
        """A pick as a component and version of the library; findings are reported once for each
        place.
        """
        if (
            pick.version is None or slot not in self.library.slots
        ):  # an unknown slot is a finding of `check_names`
            return None
        component = self.library.get(pick.component) if pick.component else None
        if not pick.component:
            fitting = self.library.meant(slot)
            if len(fitting) != 1:
                names = [c.name for c in fitting]
                shown = f"{names[0]}@{pick.version}" if names else ""
                self.findings.append(
                    Finding(
                        f"{slot} can be {', '.join(names)}: say which",
                        f'write "{shown}"',
                        pick.where,
                    )
                )
                return None
            component = fitting[0]
        if component is None:
            self.findings.append(
                Finding(
                    f"unknown component {pick.component!r}",
                    self.library.suggest(pick.component),
                    pick.where,
                )
            )
            return None
        if component.slot != slot:
            self.findings.append(
                Finding(
                    f"{component.name} fills the slot {component.slot}, not {slot}",
                    f"move it to the axis {component.slot}",
                    pick.where,
                )
            )
            return None
        given_up = next(
            (r for r in component.retired if matches(r.versions, component.name, pick.version)),
            None,
        )
        if given_up:
            hint = f"use {given_up.instead}" if given_up.instead else ""
            self.findings.append(
                Finding(
                    f"{component.name}@{pick.version} is retired: {given_up.because} (source:"
                    f" {given_up.source})",
                    hint,
                    pick.where,
                )
            )
            return None
        version = component.versions.get(pick.version)
        if version is None:
            self.findings.append(
                Finding(
                    f"{component.name} has no version {pick.version}",
                    nearest_version(component, pick.version),
                    pick.where,
                )
            )
            return None
        return Chosen(slot, component, version, pick.where)

    def add(self, slots: _Slots, used: list[bool]) -> None:
        """Keep a combination of the product, unless an exclude matches; every matching exclude
        counts as used.
        """
        hit = None
        for index, entry in enumerate(self.family.exclude):
            if all(_matches(pattern, slots.get(slot)) for slot, pattern in entry.patterns.items()):
                used[index] = True
                hit = hit or entry
        if hit:
            self.excluded.append(Excluded(self.name(slots), self.family, hit))
        else:
            self.keep(slots)

    def keep(self, slots: _Slots) -> None:
        """Settle methods and base, apply the rules, and add the variant."""
        settled, base, problems = methods.settle(self.family, slots, self._decisions)
        refused = list(rules.refusals(slots, self.family.host, self._verdicts))
        for refusal in refused:
            mark: tuple[str, ...] = (refusal.rule.id, refusal.asked, refusal.found)
            if mark not in self._refused:
                self._refused.add(mark)
                asker = next(c for c in slots.values() if c.text == refusal.asked)
                self.findings.append(
                    Finding(refusal.message, self.way_out(slots, refusal.slots), asker.where)
                )
        for problem in problems:
            mark = (problem.finding.message,)
            if not refused and mark not in self._refused:
                self._refused.add(mark)
                self.findings.append(
                    replace(problem.finding, hint=self.way_out(slots, problem.slots))
                )
        if refused or problems:
            return
        unfit = list(profiles.refusals(self.family, settled, self.profiles))
        for lack in unfit:
            if lack.mark not in self._refused:
                self._refused.add(lack.mark)
                # each is told for itself: what else the profile lacks is no obstacle to its way out
                passes = partial(
                    self.passes,
                    but=frozenset(other.asks for other in unfit if other.asks != lack.asks),
                )
                hint = profiles.addition(lack, slots, passes, self.library) or self.way_out(
                    slots, lack.slots, passes
                )
                self.findings.append(Finding(lack.message, hint, lack.where))
        self.findings += terms.findings(self.family, settled, self._told)
        if not unfit:
            name = self.name(slots)
            if not TAG.fullmatch(name):
                self.unfit(name, slots)
            self.variants.append(Variant(name, self.family, settled, base))

    def way_out(
        self,
        slots: _Slots,
        changeable: Iterable[str],
        passes: Callable[[_Slots], bool] | None = None,
    ) -> str:
        """What to do about a refused combination: the nearest that passes, or an exclude."""
        close = nearest.text(
            nearest.nearest(slots, changeable, passes or self.passes, self.library)
        )
        leave = "leave the combination out with `exclude`"
        return f"nearest that passes: {close}; or {leave}" if close else leave

    def unfit(self, name: str, slots: _Slots) -> None:
        """A variant's name is its image's tag, so it must be one."""
        mark = ("name", name)
        if mark not in self._refused:
            self._refused.add(mark)
            odd = next(
                (c for c in slots.values() if not TAG.fullmatch(f"x{c.version.label}")),
                slots["distro"],
            )
            why = (
                f"{len(name)} characters, the limit is 128"
                if len(name) > 128
                else "letters, digits and . _ - only"
            )
            hint = f"give {odd.text} a `label` in its versions.yaml, or choose other `name_slots`"
            self.findings.append(
                Finding(f"{name} cannot be the tag of an image ({why})", hint, odd.where)
            )

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
            own = {s for value in axis.values for s in value.picks}
            if len(axis.values) > 1 and not own & set(wanted):
                wanted += sorted(own, key=slot_rank)
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


def _matches(pattern: str, chosen: Chosen | None) -> bool:
    return (
        matches(pattern, chosen.component.name, chosen.version.version)
        if chosen
        else matches(pattern, None, None)
    )
