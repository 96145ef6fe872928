"""release.json: the images that were published together; read, merged, written. Pure.

It may come from a pull request: its shape is checked, and nothing that it names is removed unless
it lies where this project publishes (`jobs/publish/retire.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bakestone.core.documents.schema import schema
from bakestone.core.render.measured import Json, sentence
from bakestone.errors import BakestoneError, fail, read_text

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

MAX_BYTES = 64 * 2**20
"""Size of a record that is read: 64 KB for each of a thousand images; real ones take four."""
_HINT = "`bakestone build --push` writes it: take it from the last run, or remove it"


@dataclass(frozen=True)
class Former:
    """An alias that a variant has no more, and the image that it was left on."""

    tag: str
    digest: str
    fingerprint: str


@dataclass(frozen=True)
class ReleasedImage:
    """A published image, as the registry has it.

    `size` is the compressed size of the first platform's layers in bytes, `layers` are these, with
    digest, size and, where it is known, what they are. `aliases` are the tags that it has besides
    its name, and that move as that does; `dated` those of the day, which never move; `former` those
    that no variant has any more.
    """

    name: str
    family: str
    repository: str
    fingerprint: str
    digest: str
    platforms: Mapping[str, str]
    size: int
    base: str
    slots: Mapping[str, str]
    inventory: Json = field(repr=False)
    layers: tuple[Json, ...] = field(default=(), repr=False)
    aliases: tuple[str, ...] = ()
    dated: tuple[str, ...] = ()
    former: tuple[Former, ...] = ()

    @property
    def pinned(self) -> str:
        """The reference that never changes."""
        return f"{self.repository}@{self.digest}"

    @property
    def kept(self) -> str:
        """The reference that never moves."""
        return f"{self.repository}:fp-{self.fingerprint}"

    @property
    def floating(self) -> str:
        """The reference that moves from release to release."""
        return f"{self.repository}:{self.name}"

    @property
    def measured(self) -> str:
        """The measured versions in one line."""
        return sentence(self.inventory)

    def plain(self) -> Json:
        """As the file has it."""
        former = [asdict(one) for one in self.former]
        more = {"aliases": self.aliases, "dated": self.dated, "former": former}
        more["layers"] = self.layers
        return {
            "name": self.name,
            "family": self.family,
            "repository": self.repository,
            "tag": self.name,
            "fingerprint": self.fingerprint,
            "digest": self.digest,
            "platforms": dict(self.platforms),
            "size": self.size,
            "base": {"ref": self.base},
            "slots": dict(self.slots),
            "inventory": self.inventory,
        } | {key: list(values) for key, values in more.items() if values}


@dataclass(frozen=True)
class RetiredTag:
    """A tag that images.yaml no longer has, and the image that it was put on."""

    image: ReleasedImage
    tag: str

    @property
    def reference(self) -> str:
        """REPOSITORY:TAG."""
        return f"{self.image.repository}:{self.tag}"


@dataclass(frozen=True)
class ReleaseRecord:
    """What release.json says."""

    registry: str
    images: tuple[ReleasedImage, ...]

    @property
    def text(self) -> str:
        """The file; the same images give the same bytes."""
        images = [image.plain() for image in self.images]
        return (
            json.dumps({"version": 1, "registry": self.registry, "images": images}, indent=2) + "\n"
        )


def read(path: Path) -> ReleaseRecord | None:
    """The record in a file; None when there is no file.

    Raises `BakestoneError` for what is too large or has another shape.
    """
    if not path.exists():
        return None
    text = read_text(path, "the release", limit=MAX_BYTES, hint=_HINT)
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise _unfit(path, "it is not JSON") from problem
    if isinstance(loaded, dict) and isinstance(number := loaded.get("version"), int) and number > 1:
        why = f"the release was written by a newer bakestone: it has version {number}"
        raise fail(why, "upgrade bakestone", name=str(path))
    reason = _misshapen(loaded) or _mistagged(loaded["images"])
    if reason:
        raise _unfit(path, reason)
    return ReleaseRecord(loaded["registry"], tuple(_image(one) for one in loaded["images"]))


def retired(record: ReleaseRecord, known: Iterable[tuple[str, str]]) -> list[RetiredTag]:
    """The names and aliases that images.yaml no longer has; `known` are its (family, tag)."""
    there = set(known)
    found = [
        RetiredTag(image, tag) for image in record.images for tag in (image.name, *image.aliases)
    ]
    found += [
        RetiredTag(replace(image, digest=one.digest, fingerprint=one.fingerprint), one.tag)
        for image in record.images
        for one in image.former
    ]
    return [one for one in found if (one.image.family, one.tag) not in there]


def without(record: ReleaseRecord, tags: Collection[RetiredTag]) -> ReleaseRecord:
    """A record without tags that are gone, and without images of which the name is."""
    gone = {one.reference for one in tags}

    def stays(image: ReleasedImage, tag: str) -> bool:
        return f"{image.repository}:{tag}" not in gone

    images = (
        replace(
            image,
            aliases=tuple(tag for tag in image.aliases if stays(image, tag)),
            former=tuple(one for one in image.former if stays(image, one.tag)),
        )
        for image in record.images
    )
    return replace(record, images=tuple(one for one in images if stays(one, one.name)))


def merged(
    before: ReleaseRecord | None,
    registry: str,
    images: Sequence[ReleasedImage],
    order: Sequence[tuple[str, str]],
) -> ReleaseRecord:
    """The record with these images in it, and with what it had of others.

    The order is that of images.yaml; what is no longer there comes last. `order` are its (family,
    tag): an alias that is not among them is kept as a former one.
    """
    taken = {(image.family, tag) for image in images for tag in image.aliases}
    kept = [_without(image, taken) for image in (before.images if before else ())]
    found = {(image.family, image.name): image for image in kept}
    for image in images:
        key = image.family, image.name
        found[key] = _succeeding(image, found.get(key), set(order))
    rank = {key: number for number, key in enumerate(order)}
    names = sorted(found, key=lambda key: rank.get(key, len(rank)))
    return ReleaseRecord(registry, tuple(found[key] for key in names))


def _succeeding(
    image: ReleasedImage, before: ReleasedImage | None, known: Container[tuple[str, str]]
) -> ReleasedImage:
    """A variant's new entry, with the aliases that are left from the one before."""
    if before is None:
        return image
    former = {one.tag: one for one in before.former}
    former |= {tag: Former(tag, before.digest, before.fingerprint) for tag in before.aliases}
    left = (one for one in former.values() if (image.family, one.tag) not in known)
    return replace(image, former=tuple(left))


def _without(image: ReleasedImage, taken: Container[tuple[str, str]]) -> ReleasedImage:
    """An entry without the aliases that others of its family have now."""
    return replace(
        image, aliases=tuple(tag for tag in image.aliases if (image.family, tag) not in taken)
    )


def check_inventory(inventory: Json) -> None:
    """Raise `ValueError` for an inventory that no record may hold."""
    reason = _misshapen(inventory, "#/$defs/inventory")
    if reason:
        raise ValueError(f"in its inventory {reason}")


def check_layers(layers: object) -> None:
    """Raise `ValueError` for layers that no record may hold."""
    reason = _misshapen(layers, "#/$defs/layers")
    if reason:
        raise ValueError(f"in its layers {reason}")


def _unfit(path: Path, reason: str) -> BakestoneError:
    return fail(f"the release is no record of ours: {reason}", _HINT, name=str(path))


def _misshapen(loaded: object, part: str = "") -> str:
    """Where something is not as the schema, or a part of it, says; empty when it is."""
    from jsonschema.exceptions import best_match

    problem = best_match(_validator(part).iter_errors(loaded))
    if problem is not None:
        place = problem.json_path if problem.json_path.isprintable() else "a value"
        return f"{place} is not as schemas/release.schema.json says"
    if re.search(r'\\n"', json.dumps(loaded)):
        return "it has a line break at the end of a value"  # `$` in a pattern lets it pass
    return ""


def _mistagged(images: Iterable[Json]) -> str:
    """As `_misshapen`, of images whose shape was checked."""
    wrong = (image["name"] for image in images if image["name"] != image["tag"])
    return next((f"{name} has another tag" for name in wrong), "")


@cache
def _validator(part: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    whole = schema("release")
    return Draft202012Validator({"$ref": part, "$defs": whole["$defs"]} if part else whole)


def _image(plain: Mapping[str, object]) -> ReleasedImage:
    """An entry whose shape was checked."""
    lists = ("layers", "aliases", "dated")
    names = ReleasedImage.__dataclass_fields__.keys() - {"base", "former", *lists}
    values = {name: plain[name] for name in names}
    for name in lists:
        listed = plain.get(name, [])
        values[name] = tuple(listed) if isinstance(listed, list) else ()
    former = plain.get("former", [])
    values["former"] = tuple(Former(**one) for one in former) if isinstance(former, list) else ()
    base = plain["base"]
    ref = str(base["ref"]) if isinstance(base, dict) else ""
    return ReleasedImage(**values, base=ref)  # type: ignore[arg-type]
