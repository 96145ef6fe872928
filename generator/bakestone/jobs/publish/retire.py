"""`bakestone retire`: take away the tags that images.yaml no longer has: names of variants, and
aliases. Those of a day stay, as fingerprint tags do.

release.json says which there were, and may come from a pull request: a tag is touched only below
this project's registry, in the repository of its family, and where it is still on the image that
was recorded, which its fingerprint tag keeps. Images themselves and their fingerprint tags stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from bakestone.clients.registry import referrers
from bakestone.clients.registry.client import Registry
from bakestone.core.render import release
from bakestone.core.render.plan import FINGERPRINT_TAG
from bakestone.core.render.release import RetiredTag
from bakestone.errors import BakestoneError, Finding, fail
from bakestone.files import write_text
from bakestone.jobs.publish import records


class Fate(StrEnum):
    """What becomes of a retired tag."""

    TO_REMOVE = "to remove"
    REMOVED = "removed"
    GONE = "gone already"
    LEFT = "left"


@dataclass(frozen=True)
class Retirement:
    """A retired tag; `reason` says why one is left as it is, `problem` what the registry said when
    it did not remove it.
    """

    tag: RetiredTag
    fate: Fate
    reason: str = ""
    problem: tuple[Finding, ...] = ()


def retire(
    path: Path, place: str, known: Sequence[tuple[str, str]], registry: Registry, *, remove: bool
) -> list[Retirement]:
    """The retired tags of a record; with `remove`, they go, from the record as well.

    `place` is the project's registry, `known` the (family, tag) of every variant and alias in
    images.yaml.
    Raises `BakestoneError` when there is no record, or none of good shape.
    """
    with records.alone(path) if remove else nullcontext():
        record = release.read(path)
        if record is None:
            hint = "`bakestone build --push` writes it; --release names another one"
            raise fail(f"the release not found: {path}", hint, name=str(path))
        found = [_judge(tag, place, registry) for tag in release.retired(record, known)]
        if remove:
            found = [_remove(one, registry) for one in found]
            if over := _over(found):
                write_text(path, release.without(record, over).text)
    return found


def _over(found: Sequence[Retirement]) -> list[RetiredTag]:
    """The tags that leave the record: an image stays in it while one of its tags is left."""
    left = {(one.tag.image.family, one.tag.image.name) for one in found if one.fate == Fate.LEFT}
    return [
        one.tag
        for one in found
        if one.fate != Fate.LEFT
        and not (
            one.tag.tag == one.tag.image.name and (one.tag.image.family, one.tag.image.name) in left
        )
    ]


def _judge(tag: RetiredTag, place: str, registry: Registry) -> Retirement:
    """What is to become of a tag; `release.read` checked that family and tag are such."""
    image = tag.image
    if image.repository != f"{place}/{image.family}":
        return Retirement(tag, Fate.LEFT, f"{image.repository} is not of {place}")
    if FINGERPRINT_TAG.fullmatch(tag.tag) or referrers.TAG.fullmatch(tag.tag):
        return Retirement(tag, Fate.LEFT, "it is no name of a variant")
    there = registry.head(tag.reference)
    if there is None:
        return Retirement(tag, Fate.GONE)
    if there != image.digest:
        return Retirement(tag, Fate.LEFT, f"its tag is on another image now, {there[:19]}")
    if registry.head(image.kept) != image.digest:
        # of somebody else, or its last tag: registries remove what has none
        return Retirement(tag, Fate.LEFT, "its image has no fingerprint tag")
    return Retirement(tag, Fate.TO_REMOVE)


def _remove(found: Retirement, registry: Registry) -> Retirement:
    if found.fate != Fate.TO_REMOVE:
        return found
    try:
        registry.delete_tag(found.tag.reference)
    except BakestoneError as problem:
        reason = problem.findings[0].message
        return replace(found, fate=Fate.LEFT, reason=reason, problem=tuple(problem.findings))
    return replace(found, fate=Fate.REMOVED)
