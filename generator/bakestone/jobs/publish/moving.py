"""The tags of a release: names and aliases, which move together, and those of its day, which are
put once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bakestone.clients.parallel import in_parallel
from bakestone.clients.registry.client import ImmutableTagError, Registry
from bakestone.core.documents.words import few
from bakestone.core.render.plan import PlannedVariant
from bakestone.core.render.release import ReleasedImage
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding

Digests = Mapping[str, str | None]
"""References of tags, and what they are on; None for one that is not there."""


@dataclass(frozen=True)
class Tags:
    """The images of a release with the tags that they have now. `moved` are the variants whose name
    moved, `aliased` the references of aliases that moved or were put; `warning` is of tags of the
    day that an earlier release has.
    """

    images: tuple[ReleasedImage, ...]
    moved: tuple[str, ...]
    aliased: tuple[str, ...]
    warning: Finding | None


@dataclass(frozen=True)
class _Wanted:
    """A tag, and the image that it is to be on."""

    image: ReleasedImage
    tag: str

    @property
    def reference(self) -> str:
        return f"{self.image.repository}:{self.tag}"


def move(
    released: Sequence[tuple[PlannedVariant, ReleasedImage]],
    day: str,
    known: Digests,
    registry: Registry,
) -> Tags:
    """Point all tags at their images together, so that the time in between is short, then put those
    of the day (`20261130`): they cannot be put right later. `known` is what is known of the names
    of variants.

    Raises `BakestoneError` (exit 3) with every tag that the registry does not let move.
    """
    images = [
        replace(
            image, aliases=variant.aliases(day, dated=False), dated=variant.aliases(day, dated=True)
        )
        for variant, image in released
    ]
    dated = [_Wanted(image, tag) for image in images for tag in image.dated]
    moving = [_Wanted(image, tag) for image in images for tag in (image.name, *image.aliases)]
    named = {image.floating: known[image.name] for image in images if image.name in known}
    asked = dict.fromkeys(one.reference for one in (*dated, *moving))
    there = named | registry.heads(one for one in asked if one not in named)
    todo = [one for one in moving if there[one.reference] != one.image.digest]
    if refused := _put(todo, registry):
        findings = (finding for problem in refused.values() for finding in problem.findings)
        raise BakestoneError(sorted(findings, key=lambda f: f.message), ENVIRONMENT)
    put, taken = _put_once(dated, there, registry)
    names = tuple(one.tag for one in todo if one.tag == one.image.name)
    aliased = tuple(one.reference for one in (*todo, *put) if one.tag != one.image.name)
    return Tags(tuple(_having(images, taken)), names, aliased, _stays(taken, day))


def _put_once(
    dated: Sequence[_Wanted], there: Digests, registry: Registry
) -> tuple[list[_Wanted], list[_Wanted]]:
    """Put the tags that are on nothing. Gives these, and those that another image has."""
    new = [one for one in dated if there[one.reference] is None]
    taken = [one for one in dated if there[one.reference] not in (None, one.image.digest)]
    quicker = _put(new, registry)  # another run was, and its tag may not move
    taken += [one for one in new if one.reference in quicker]
    return [one for one in new if one.reference not in quicker], taken


def _put(wanted: Iterable[_Wanted], registry: Registry) -> dict[str, ImmutableTagError]:
    """Point tags at their images, in parallel. Gives those that may not move."""
    refused: dict[str, ImmutableTagError] = {}
    for one, problem in in_parallel(lambda w: registry.tag(w.image.pinned, w.tag), wanted):
        if isinstance(problem, ImmutableTagError):
            refused[one.reference] = problem
        elif isinstance(problem, BakestoneError):
            raise problem
    return refused


def _having(images: Iterable[ReleasedImage], taken: Sequence[_Wanted]) -> Iterable[ReleasedImage]:
    """The images without the tags of the day that others have."""
    others = {one.reference for one in taken}
    for image in images:
        own = (tag for tag in image.dated if f"{image.repository}:{tag}" not in others)
        yield replace(image, dated=tuple(own))


def _stays(taken: Sequence[_Wanted], day: str) -> Finding | None:
    if not taken:
        return None
    names = few(sorted(one.reference for one in taken))
    verb = "stays on the image" if len(taken) == 1 else "stay on the images"
    why = f"{names} {verb} of an earlier release of {day}: a tag with a date never moves"
    hint = (
        "all other tags are on the new images, and release.json has their digests: name them by"
        " these, or release again on another day (UTC)"
    )
    return Finding(why, hint, severity="warning")
