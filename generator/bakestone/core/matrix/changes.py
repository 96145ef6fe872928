"""Two matrices beside each other: which variants came, went, and are otherwise, in words. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields

from bakestone.core.matrix.content import Content, OwnPython
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import Chosen, Variant, slot_rank

Pair = tuple[Variant | None, Variant | None]
"""A variant before and now; one of them is None where it came or went."""
_KINDS = {
    "labels": "label",
    "annotations": "annotation",
    "certificates": "certificate",
    "files": "file",
    "steps": "step",
}
"""What one entry of a field of `Content` is called."""


def pairs(old: Sequence[Variant], new: Sequence[Variant]) -> list[Pair]:
    """Each variant of either matrix once, in the order of the new one; what went comes last.

    Names have versions in them, so a name that went and one that came are one variant where nothing
    tells them apart but versions of which the family had only the one before, and has only the
    other now. Where that does not say which belongs to which, they are two.
    """
    before, now = {_key(v): v for v in old}, {_key(v): v for v in new}
    gone = [v for key, v in before.items() if key not in now]
    come = [v for key, v in now.items() if key not in before]
    partners: dict[tuple[str, str], Variant] = {}
    one, other = _alike(gone, new), _alike(come, old)
    for key, variants in other.items():
        if len(variants) == len(one.get(key, ())):
            partners |= dict(zip(map(_key, variants), one[key], strict=True))
    left = {_key(v) for v in gone} - {_key(v) for v in partners.values()}
    found: list[Pair] = [(before.get(key) or partners.get(key), v) for key, v in now.items()]
    return [*found, *((before[key], None) for key in before if key in left)]


def _key(variant: Variant) -> tuple[str, str]:
    return variant.family.name, variant.name


def _alike(
    variants: Iterable[Variant], others: Iterable[Variant]
) -> dict[tuple[object, ...], list[Variant]]:
    """Variants by all that tells them apart but the versions that the other matrix has not."""
    known: dict[tuple[str, str], set[str]] = {}
    for variant in others:
        for slot, chosen in variant.slots.items():
            known.setdefault((variant.family.name, slot), set()).add(chosen.pin)
    found: dict[tuple[object, ...], list[Variant]] = {}
    for variant in variants:
        family = variant.family.name
        told = tuple(
            (
                slot,
                chosen.text
                if chosen.pin in known.get((family, slot), ())
                else chosen.component.name,
            )
            for slot, chosen in sorted(variant.slots.items())
        )
        found.setdefault((family, variant.role, told), []).append(variant)
    return found


def differences(old: Variant, new: Variant) -> list[str]:
    """What images.yaml says otherwise of a variant, in words."""
    found = [
        _changed(slot, _slot(old.slots.get(slot)), _slot(new.slots.get(slot)))
        for slot in sorted({*old.slots, *new.slots}, key=slot_rank)
    ]
    if old.distro.text == new.distro.text:
        found.append(_changed("base", old.base.ref, new.base.ref))
    found.append(_changed("platforms", ", ".join(old.platforms), ", ".join(new.platforms)))
    return [text for text in (*found, *_families(old.family, new.family)) if text]


def _slot(chosen: Chosen | None) -> str:
    """`openmpi 5.0.10 (fortran) by source`; the distro comes as its image."""
    if chosen is None:
        return ""
    with_options = chosen.text.removeprefix(chosen.pin)
    how = f" by {chosen.method}" if chosen.slot != "distro" else ""
    return f"{chosen.component.name} {chosen.version.version}{with_options}{how}"


def _changed(what: str, old: str, new: str) -> str:
    """`openmpi 5.0.9 -> 5.0.10`, of texts that begin with one word; empty where they are equal."""
    if old == new:
        return ""
    if not old or not new:
        return f"{what} {new or old} {'is new' if new else 'is gone'}"
    first, _, was = old.partition(" ")
    other, _, now = new.partition(" ")
    if was and now and first == other:
        end = " by " + was.rpartition(" by ")[2]
        if end != " by " + was and now.endswith(end):
            was, now = was.removesuffix(end), now.removesuffix(end)
        return f"{first} {was} -> {now}"
    return f"{what} {old} -> {new}"


def _families(old: Family, new: Family) -> Iterator[str]:
    """What two families say otherwise of what is in their images."""
    if old.user != new.user:
        yield _changed(
            "user", *(f"{u.name} {u.uid}:{u.gid} {u.directory}" for u in (old.user, new.user))
        )
    yield from _entries("package", _packages(old), _packages(new))
    for field in fields(Content):
        one, other = getattr(old.content, field.name), getattr(new.content, field.name)
        if not field.compare or one == other:
            continue
        kind = _KINDS.get(field.name, field.name)
        if isinstance(one, dict):
            yield from _entries(kind, one, other)
        elif field.name == "python":
            yield from _python(one, other)
        elif field.name in ("certificates", "files", "steps"):
            told = list(_entries(kind, _named(one), _named(other)))
            yield from told or [f"order of {field.name}"]
        else:
            yield f"{kind} {_said(one)} -> {_said(other)}"


def _python(old: OwnPython | None, new: OwnPython | None) -> Iterator[str]:
    """What two environments of Python have otherwise: requirements by their projects."""
    yield from _entries("Python package", _requirements(old), _requirements(new))
    if old and new and (old.prefix, old.of_user) != (new.prefix, new.of_user):
        one, other = (f"{own.prefix} of {'user' if own.of_user else 'root'}" for own in (old, new))
        yield f"environment {one} -> {other}"


def _requirements(own: OwnPython | None) -> dict[str, str]:
    """Project -> what is asked for of it."""
    found: dict[str, str] = {}
    for text in (*own.requirements, *(f"{one} from source" for one in own.sources)) if own else ():
        name = re.split(r"[^a-z0-9-]", text)[0]
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _packages(family: Family) -> dict[str, str]:
    """Packages by name, with the version that is asked for."""
    pairs = (text.partition("=") for text in family.packages)
    return {name: version or "any version" for name, _, version in pairs}


def _named(entries: Iterable[object]) -> dict[str, object]:
    """Entries by where they go, or what they are called."""
    return {str(getattr(one, "path", "") or getattr(one, "name", "")): one for one in entries}


def _entries(kind: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            yield f"{kind} {name} {'is new' if name in new else 'is gone'}"
        elif old[name] != new[name]:
            texts = [one[name] for one in (old, new)]
            said = " -> ".join(map(str, texts)) if isinstance(texts[0], str) else "is another one"
            yield f"{kind} {name} {said}"


def _said(value: object) -> str:
    """A value of a family as a command line has it; `none` for what is not said."""
    if isinstance(value, tuple):
        return shlex.join(map(str, value)) or "none"
    return str(value) if value not in (None, "") else "none"
