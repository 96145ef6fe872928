"""What is in an archive: each blob's kind, its name in the world outside, and the variants that
need it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bakestone.clients.registry.manifest import Json, document, is_digest
from bakestone.errors import fail

ARTIFACT = "application/vnd.bakestone.archive.v1"
"""Artifact type of the archive's manifest."""
CONFIG = "application/vnd.bakestone.archive.catalog.v1+json"
PLAIN = "application/octet-stream"

IMAGE, PART, FILE, KEY = "image", "part", "file", "key"
PACKAGE, INDEX, WHEEL = "package", "index", "wheel"
KINDS = {
    IMAGE: "base image",
    PART: "part of the base image",
    FILE: "file",
    KEY: "key of a package repository",
    PACKAGE: "package",
    INDEX: "package index",
    WHEEL: "wheel",
}
"""Kind -> what people call it.

An image is named by its reference, its parts by its repository, a wheel by its file name,
all others by their URL."""

_NAMES = {
    IMAGE: re.compile(r"[a-z0-9][A-Za-z0-9./:_-]{1,400}"),
    PART: re.compile(r"[a-z0-9][a-z0-9./:_-]{1,400}"),
    WHEEL: re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{1,300}\.whl"),
}
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[!-~]{0,1000}")
_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9.+-]{1,120}")


@dataclass(frozen=True)
class ArchivedBlob:
    """A blob. `size` is in bytes, `media_type` what a registry says of it."""

    kind: str
    name: str
    digest: str
    size: int
    media_type: str = PLAIN
    variants: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{KINDS[self.kind]} {self.name}"


@dataclass(frozen=True)
class Catalog:
    """The whole list. `matrix` and `lock` are the texts that the archive was made for, `packages`
    stands for how packages were asked for.
    """

    selection: tuple[str, ...]
    matrix: str
    lock: str
    packages: str
    entries: tuple[ArchivedBlob, ...]

    def blobs(self) -> dict[str, ArchivedBlob]:
        """Digest -> the first entry that names it."""
        return {entry.digest: entry for entry in reversed(self.entries)}

    def variants_of(self, digest: str) -> list[str]:
        """The variants that cannot be built without a blob."""
        users = (entry.variants for entry in self.entries if entry.digest == digest)
        return sorted(set().union(*users))

    @property
    def size(self) -> int:
        """Bytes of all blobs, each counted once."""
        return sum(entry.size for entry in self.blobs().values())


def merged(entries: Iterable[ArchivedBlob]) -> tuple[ArchivedBlob, ...]:
    """One entry for each name and blob, with the variants of all of them, in a fixed order.

    Raises `BakestoneError` when one URL, wheel or image has two contents.
    """
    found: dict[tuple[str, str, str], ArchivedBlob] = {}
    digests: dict[tuple[str, str], str] = {}
    for entry in entries:
        named = entry.kind, entry.name
        if entry.kind != PART and digests.setdefault(named, entry.digest) != entry.digest:
            raise fail("it came with two contents", "run it again", name=str(entry))
        before = found.get((*named, entry.digest), entry)
        variants = tuple(sorted({*entry.variants, *before.variants}))
        found[*named, entry.digest] = replace(entry, variants=variants)
    return tuple(found[key] for key in sorted(found))


def dump(catalog: Catalog) -> bytes:
    """The catalog as JSON, the same bytes for the same contents."""
    entries = [
        {"mediaType" if key == "media_type" else key: value for key, value in vars(entry).items()}
        for entry in catalog.entries
    ]
    plain = {"version": 1, **vars(catalog), "entries": entries}
    return json.dumps(plain, indent=1).encode() + b"\n"


def parse(raw: bytes, name: str) -> Catalog:
    """Read a catalog, which anybody may have written.

    Raises `BakestoneError` for anything that is not one.
    """
    try:
        data = document(raw)
        if data["version"] == 1:
            selection, entries = map(str, data["selection"]), map(_entry, data["entries"])
            matrix, lock, packages = (str(data[key]) for key in ("matrix", "lock", "packages"))
            return Catalog(tuple(selection), matrix, lock, packages, tuple(entries))
    except (ValueError, KeyError, TypeError) as problem:
        why = f"the archive's catalog cannot be read: {str(problem)[:200]}"
        raise fail(why, "copy the archive again, or make it anew", name=name) from problem
    hint = "use the Bakestone that made it, or a newer one"
    raise fail(f"the archive has the format {str(data['version'])[:20]}", hint, name=name)


def is_name(kind: str, text: str) -> bool:
    """Whether a text can name something of a kind: a reference, a file name or a URL."""
    return _NAMES.get(kind, _URL).fullmatch(text) is not None


def _entry(data: Json) -> ArchivedBlob:
    kind, name, digest, size = data["kind"], data["name"], data["digest"], data["size"]
    if kind not in KINDS or not is_name(kind, name) or not is_digest(digest):
        raise ValueError(f"entry {str(name)[:80]!r}")
    if type(size) is not int or size < 0 or not _TYPE.fullmatch(data["mediaType"]):
        raise ValueError(f"size or type of {name[:80]!r}")
    variants = tuple(map(str, data["variants"]))
    return ArchivedBlob(kind, name, digest, size, data["mediaType"], variants)
