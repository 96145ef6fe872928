"""Aliases: the tags that images have besides the names of their variants, by the templates of
`tags`.

A field is `{name}`, `{role}`, `{date}`, or a slot: `{mpi}` is its part of names (openmpi5.0.10);
`{mpi_component}`, `{mpi_version}`, `{mpi_major}` and `{mpi_minor}` are what templates of components
see of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from bakestone.core.documents.patterns import TAG
from bakestone.core.documents.suggest import near
from bakestone.core.documents.words import few
from bakestone.core.matrix.naming import Names
from bakestone.core.matrix.selectors import select
from bakestone.core.matrix.spec import TagTemplate
from bakestone.core.matrix.variant import DATE, Alias, Variant, slot_rank
from bakestone.errors import BakestoneError, Finding, Position, fail

_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_OF_ALL = ("name", "role", "date")
"""The fields that every image has something for."""
_OF_SLOT = ("component", "version", "major", "minor")
"""What a field may ask of a slot, in the words of the templates of components."""
_DAY = re.compile(r"(?=(\d{8}))")
_OTHERS = re.compile(r"(fp|sha256)-.*", re.IGNORECASE)
"""Tags that images are kept under, and those of what hangs on an image."""


def given(variants: Sequence[Variant], slots: Iterable[str]) -> tuple[list[Variant], list[Finding]]:
    """The variants with their aliases, and what is wrong with these: a field that is not there or
    empty, what is no tag, one tag for two images. `slots` are those of the library.
    """
    work = _Giving(variants, tuple(slots))
    if not work.users:
        return list(variants), []
    found = [replace(variant, aliases=tuple(work.of(variant))) for variant in variants]
    for family in {variant.family.name: variant.family for variant in variants}.values():
        work.findings.extend(_collisions([one for one in found if one.family is family]))
    return found, work.findings


@dataclass
class _Giving:
    """Templates at work: what is wrong with one is told once."""

    variants: Sequence[Variant]
    slots: tuple[str, ...]
    findings: list[Finding] = field(default_factory=list)
    names: dict[str, Names] = field(default_factory=dict)
    told: set[tuple[Position, str]] = field(default_factory=set)

    @cached_property
    def users(self) -> dict[TagTemplate, list[Variant]]:
        """Each template, and the variants of the families that have it: several where it is
        inherited.
        """
        found: dict[TagTemplate, list[Variant]] = {}
        for variant in self.variants:
            for template in variant.family.tags:
                found.setdefault(template, []).append(variant)
        return found

    @cached_property
    def chosen(self) -> dict[TagTemplate, set[tuple[str, str]]]:
        """Family and name of the variants that the selectors of a template name."""
        found: dict[TagTemplate, set[tuple[str, str]]] = {}
        for template, users in self.users.items():
            families = {variant.family.name for variant in users}
            try:
                named = select(self.variants, template.when)
                found[template] = {
                    (one.family.name, one.name) for one in named if one.family.name in families
                }
                if not found[template]:
                    those = "they are of other families: each family has tags of its own"
                    said = f"no variant of {few(sorted(families))} matches"
                    raise fail(f"{said} {' '.join(template.when)}", those)
            except BakestoneError as problem:
                found[template] = set()
                told = (replace(f, where=template.condition, name="") for f in problem.findings)
                self.findings += told
        return found

    @cached_property
    def fields(self) -> dict[str, str]:
        """Every field of a slot, and its slot."""
        there = {slot for variant in self.variants for slot in variant.slots} | {*self.slots}
        found: dict[str, str] = {}
        for slot in sorted(there, key=slot_rank):
            found |= {slot: slot, **{f"{slot}_{word}": slot for word in _OF_SLOT}}
        return {name: slot for name, slot in found.items() if name not in _OF_ALL}

    def of(self, variant: Variant) -> Iterator[Alias]:
        """The aliases of a variant, none of them twice and none its name."""
        seen = {variant.name}
        for template in variant.family.tags:
            if (variant.family.name, variant.name) in self.chosen[template]:
                alias = self.filled(template, variant)
                if alias and alias.tag not in seen:
                    seen.add(alias.tag)
                    yield alias

    def filled(self, template: TagTemplate, variant: Variant) -> Alias | None:
        """The alias that a template gives; None for what is told."""
        values = {"name": variant.name, "role": variant.role, "date": DATE}
        for name in _FIELD.findall(template.text):
            slot = self.fields.get(name)
            if name in values:
                continue
            if slot is None:
                known = [*_OF_ALL, *(f for f, slot in self.fields.items() if slot in variant.slots)]
                hint = near(name, known, f"such as {', '.join(f'{{{f}}}' for f in known[:8])}")
                self.tell(template, f"there is no field {{{name}}}", hint)
                return None
            if slot not in variant.slots:
                self.tell(template, *self.empty(template, name, variant))
                return None
            values[name] = self.value(variant, slot, name)
        tag = _FIELD.sub(lambda found: values[found[1]], template.text)
        alias = Alias(tag, template)
        if problem := _no_tag(alias.on("20000101")):
            self.tell(template, f"{tag} cannot be the tag of an image ({problem})", _SHORTER)
            return None
        return alias

    def value(self, variant: Variant, slot: str, name: str) -> str:
        """What stands for a field of a slot that is filled."""
        if name == slot:
            family = variant.family
            names = self.names.setdefault(family.name, Names(family))
            return names.label(variant.slots, slot)
        return variant.context[slot][name.removeprefix(f"{slot}_")]

    def empty(self, template: TagTemplate, name: str, variant: Variant) -> tuple[str, str]:
        """That a variant has nothing for a field, and what to do."""
        slot = self.fields[name]
        why = f"{variant.name} has no {slot}, which {{{name}}} asks for"
        if any(slot in other.slots for other in self.users[template]):
            asked = ", ".join([*template.when, f"{slot}=*"])
            asked = f"[{asked}]" if template.when else asked
            return why, f"give it to those that have one: {_entry(template.text, asked)}"
        return why, "no variant has one: take the field out"

    def tell(self, template: TagTemplate, why: str, hint: str) -> None:
        """Add a finding, one for each template and family of reasons."""
        key = template.where, hint
        if key not in self.told:
            self.told.add(key)
            self.findings.append(Finding(why, hint, template.where))


_SHORTER = (
    "a tag has up to 128 letters, digits and . _ -, does not begin with . or -, and fp-... and"
    " sha256-... are the tags of images by content: use other words or fields"
)


def _no_tag(tag: str) -> str:
    """Why a text is no tag of ours; empty when it is one."""
    if len(tag) > 128:
        return f"{len(tag)} characters, the limit is 128"
    if _OTHERS.fullmatch(tag):
        return f"{tag.partition('-')[0]}-... are the tags of images by content"
    return "" if TAG.fullmatch(tag) else "letters, digits and . _ - only"


def _entry(text: str, when: str) -> str:
    """A template with a condition, as it is written."""
    quoted = f'"{text}"' if "{" in text else text
    return f"{{tag: {quoted}, when: {when}}}"


def _collisions(variants: Sequence[Variant]) -> Iterator[Finding]:
    """A finding for each tag that two images of one repository would have."""
    names = {variant.name: variant for variant in variants}
    users: dict[str, list[tuple[Variant, Alias]]] = {}
    for variant in variants:
        for alias in variant.aliases:
            users.setdefault(alias.tag, []).append((variant, alias))
    told: set[tuple[TagTemplate, TagTemplate]] = set()
    for tag, having in users.items():
        (first, one), (other, second) = having[0], having[-1]
        if len(having) > 1 and (one.template, second.template) not in told:
            told.add((one.template, second.template))
            yield _shared(tag, [variant for variant, _ in having], one, second)
        if tag in names:
            yield _taken(first, one, names[tag])
    for tag in (*names, *(tag for tag, having in users.items() if not having[0][1].dated)):
        for day in {found[1] for found in _DAY.finditer(tag)}:
            for variant, alias in users.get(tag.replace(day, DATE), []):
                other = names[tag] if tag in names else users[tag][0][0]
                if other is not variant or tag == variant.name:
                    yield _taken(variant, alias, other, tag)


def _shared(tag: str, variants: Sequence[Variant], first: Alias, second: Alias) -> Finding:
    names = [variant.name for variant in variants]
    why = f"two images would have the tag {tag}: {' and '.join(names)}"
    if len(names) > 2:
        why = f"{len(names)} images would have the tag {tag}: {few(names, 3)}"
    if first.template != second.template:
        why += f" (the first by line {first.template.where.line})"
    choose = f"choose one of them: {_entry(second.template.text, variants[0].name)}"
    more = f"or add a field that tells them apart: {{{_telling(variants, second.template)}}}"
    return Finding(why, f"{choose}; {more}", second.template.where)


def _telling(variants: Sequence[Variant], template: TagTemplate) -> str:
    """A field that is another for each of the variants."""
    for slot in sorted({s for v in variants for s in v.slots}, key=slot_rank):
        values = {variant.context[slot]["version"] for variant in variants if slot in variant.slots}
        if len(values) == len(variants) and f"{{{slot}_version}}" not in template.text:
            return f"{slot}_version"
    if len({variant.role for variant in variants}) == len(variants):
        return "role"
    return "name"


def _taken(variant: Variant, alias: Alias, other: Variant, tag: str = "") -> Finding:
    why = f"the alias {alias.tag} of {variant.name}"
    if other.name == (tag or alias.tag):
        why += f" is the name of {other.name}"
    else:
        why += f" is on a day the alias {tag} of {other.name}"
    hint = "use other words: a tag is on one image"
    return Finding(why, hint, alias.template.where)
