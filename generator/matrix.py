"""Spec + library -> variants: the product of the axes, less the excludes, plus the includes.

Pure: no network, no clock, no disk beyond the library's own data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from generator import methods, rules, template
from generator.errors import BakestoneError, Finding
from generator.library import Library, nearest_version
from generator.patterns import matches
from generator.spec import Family, Pick, Spec
from generator.suggest import near
from generator.variant import Chosen, Excluded, Variant, slot_context, slot_rank

MAX_VARIANTS = 20_000
"""Most combinations of one family: beyond it a typing error is likelier than a wish."""

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""What a tag is (OCI distribution specification, "Pulling manifests")."""

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
    matrix, findings = Matrix(spec, library), []
    for family in spec.families:
        work = _Expansion(family, library)
        try:
            work.run()
        except BakestoneError as problem:
            findings += work.findings + problem.findings
            continue
        findings += work.findings
        matrix.variants += work.variants
        matrix.excluded += work.excluded
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
            what = "; ".join(differing) or f"they are in the families {other.family.name} and {variant.family.name}"
            where = next((variant.slots[s].where for s in variant.slots if _text(other.slots, s) != _text(variant.slots, s)), variant.family.where)
            yield Finding(
                f"two variants are named {variant.name}: {what}", "name the slot that differs in `name_slots`, or leave one out with `exclude`", where
            )
            break


def _text(slots: _Slots, slot: str) -> str:
    return slots[slot].text if slot in slots else "none"


class _Expansion:
    """One family at work."""

    def __init__(self, family: Family, library: Library) -> None:
        self.family = family
        self.library = library
        self.variants: list[Variant] = []
        self.excluded: list[Excluded] = []
        self.findings: list[Finding] = []
        self._refused: set[tuple[str, ...]] = set()
        self._decisions: methods.Decisions = {}
        self._verdicts: rules.Verdicts = {}
        self._labels: dict[tuple[str, ...], str] = {}

    def run(self) -> None:
        family = self.family
        self.check_names()
        values = [[{s: self.resolve(s, p) for s, p in value.picks.items()} for value in axis.values] for axis in family.axes]
        included = [{s: self.resolve(s, p) for s, p in entry.picks.items()} for entry in family.include]
        if self.findings:
            return
        count = 1
        for axis_values in values:
            count *= len(axis_values)
        if count > MAX_VARIANTS:
            self.findings.append(
                Finding(f"the axes of {family.name} multiply to {count} variants, the limit is {MAX_VARIANTS}", "split the family", family.where)
            )
            return
        used = [False] * len(family.exclude)
        for combination in product(*values):
            slots = {s: c for part in combination for s, c in part.items() if c is not None}
            self.add(slots, used)
        for extra, picks in zip(family.include, included, strict=True):
            slots = {s: c for s, c in picks.items() if c is not None}
            if "distro" not in slots:
                self.findings.append(Finding("an include entry needs a distro", "add `distro: component@version`", extra.where))
            else:
                self.keep(slots)
        for entry, hit in zip(family.exclude, used, strict=True):
            if not hit:
                what = ", ".join(f"{k}: {v}" for k, v in entry.patterns.items())
                self.findings.append(Finding(f"this exclude matches no combination ({what})", "remove it, or correct its patterns", entry.where))

    def check_names(self) -> None:
        """Axes, patterns and methods must name slots and components that exist."""
        family, known = self.family, self.library.slots
        set_slots: dict[str, str] = {}
        for axis in family.axes:
            for slot in sorted({s for value in axis.values for s in value.picks}):
                if slot not in known:
                    self.findings.append(Finding(f"there is no slot {slot!r}", near(slot, known, f"one of: {', '.join(known)}"), axis.where))
                elif slot in set_slots:
                    self.findings.append(
                        Finding(f"the slot {slot} is set by two axes, {set_slots[slot]} and {axis.name}", "set it in one of them", axis.where)
                    )
                set_slots[slot] = axis.name
        if "distro" not in set_slots:
            self.findings.append(Finding(f"the family {family.name} has no distro", "add the axis `distro: [ubuntu@24.04]`", family.where))
        for extra in family.include:
            for slot in extra.picks:
                if slot not in known:
                    self.findings.append(Finding(f"there is no slot {slot!r}", near(slot, known, f"one of: {', '.join(known)}"), extra.where))
        for value in (v for axis in family.axes if any("distro" in v.picks for v in axis.values) for v in axis.values):
            if "distro" not in value.picks or value.picks["distro"].version is None:
                self.findings.append(Finding("this value leaves the distro empty", "every image has a distro: name one", value.where))
        for entry in family.exclude:
            for slot in entry.patterns:
                if slot not in set_slots:
                    self.findings.append(
                        Finding(
                            f"no axis of this family sets the slot {slot!r}", near(slot, set_slots, f"one of: {', '.join(set_slots)}"), entry.where
                        )
                    )
        for name in family.methods:
            if self.library.get(name) is None:
                self.findings.append(Finding(f"unknown component {name!r}", self.library.suggest(name), family.method_positions[name]))
        for slot in family.name_slots:
            if slot not in known:
                self.findings.append(
                    Finding(f"there is no slot {slot!r} for `name_slots`", near(slot, known, f"one of: {', '.join(known)}"), family.where)
                )

    def resolve(self, slot: str, pick: Pick) -> Chosen | None:
        """A pick as a component and version of the library; findings are reported once for each place."""
        if pick.version is None or slot not in self.library.slots:  # an unknown slot is a finding of `check_names`
            return None
        component = self.library.get(pick.component) if pick.component else None
        if not pick.component:
            fitting = self.library.of_slot(slot)
            if len(fitting) != 1:
                names = [c.name for c in fitting]
                shown = f"{names[0]}@{pick.version}" if names else ""
                self.findings.append(Finding(f"{slot} can be {', '.join(names)}: say which", f'write "{shown}"', pick.where))
                return None
            component = fitting[0]
        if component is None:
            self.findings.append(Finding(f"unknown component {pick.component!r}", self.library.suggest(pick.component), pick.where))
            return None
        if component.slot != slot:
            self.findings.append(
                Finding(f"{component.name} fills the slot {component.slot}, not {slot}", f"move it to the axis {component.slot}", pick.where)
            )
            return None
        version = component.versions.get(pick.version)
        if version is None:
            self.findings.append(Finding(f"{component.name} has no version {pick.version}", nearest_version(component, pick.version), pick.where))
            return None
        return Chosen(slot, component, version, pick.where)

    def add(self, slots: _Slots, used: list[bool]) -> None:
        """Keep a combination of the product, unless an exclude matches; every matching exclude counts as used."""
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
        refused = list(rules.refusals(slots, self._verdicts))
        for refusal in refused:
            mark: tuple[str, ...] = (refusal.rule.id, refusal.asked, refusal.found)
            if mark not in self._refused:
                self._refused.add(mark)
                asker = next(c for c in slots.values() if c.text == refusal.asked)
                self.findings.append(Finding(refusal.message, self.way_out(slots, (refusal.slot, asker.slot)), asker.where))
        for problem in problems:
            mark = (problem.message,)
            if not refused and mark not in self._refused:
                self._refused.add(mark)
                changeable = [s for s, c in slots.items() if s not in settled] or list(slots)
                self.findings.append(Finding(problem.message, self.way_out(slots, changeable), problem.where))
        if not refused and not problems:
            name = self.name(slots)
            if not _TAG.fullmatch(name):
                self.unfit(name, slots)
            self.variants.append(Variant(name, self.family, settled, base))

    def way_out(self, slots: _Slots, changeable: Iterable[str]) -> str:
        """What to do about a combination that does not pass: the nearest that does, or an exclude."""
        close = rules.nearest(slots, changeable, self.passes)
        leave = "leave the combination out with `exclude`"
        return f"nearest that passes: {close}; or {leave}" if close else leave

    def unfit(self, name: str, slots: _Slots) -> None:
        """A variant's name is its image's tag, so it must be one."""
        mark = ("name", name)
        if mark not in self._refused:
            self._refused.add(mark)
            odd = next((c for c in slots.values() if not _TAG.fullmatch(f"x{c.version.label}")), slots["distro"])
            why = f"{len(name)} characters, the limit is 128" if len(name) > 128 else "letters, digits and . _ - only"
            hint = f"give {odd.text} a `label` in its versions.yaml, or choose other `name_slots`"
            self.findings.append(Finding(f"{name} cannot be the tag of an image ({why})", hint, odd.where))

    def passes(self, slots: _Slots) -> bool:
        """Whether a combination breaks no rule and can be installed."""
        return not any(True for _ in rules.refusals(slots, self._verdicts)) and not methods.settle(self.family, slots, self._decisions)[2]

    def name(self, slots: _Slots) -> str:
        """The variant's name: its `name_slots` in order, then every axis with a choice that is not among them."""
        context = slot_context(slots)
        return "-".join(self.label(slots[slot], context[slot]) for slot in self._named if slot in slots)

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
            self._labels[key] = template.render(text, {**context, "version": context["label"]}, origin=origin)
        return self._labels[key]


def _matches(pattern: str, chosen: Chosen | None) -> bool:
    return matches(pattern, chosen.component.name, chosen.version.version) if chosen else matches(pattern, None, None)
