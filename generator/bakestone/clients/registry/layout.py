"""An OCI layout that BuildKit writes; what is read is checked against its digest."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from bakestone.clients.registry.manifest import Json, Manifest, digest_of, document, is_digest
from bakestone.clients.signals import told_to_end
from bakestone.errors import ENVIRONMENT, BakestoneError, fail
from bakestone.files import open_regular, scratch

_NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
"""Annotations under which BuildKit keeps an image's name."""
MAX_JSON = 8 * 2**20
"""Bytes of a manifest or image configuration."""


@contextlib.contextmanager
def temporary(purpose: str) -> Iterator[Path]:
    """A folder for gigabytes below TMPDIR, which is removed whatever happens; also when the process
    is told to end. What a killed run left of the same purpose is removed first.

    Raises `BakestoneError` (exit 3) when it cannot be made.
    """
    with told_to_end(_interrupt), scratch(purpose) as folder:
        yield folder


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class Layout:
    """An OCI image layout (image-spec, image-layout.md); its blobs are read as they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def named(self, name: str) -> Json:
        """The descriptor of the image that was exported under a name."""
        listed = parsed(self._content(self.folder / "index.json"), "index.json")
        for entry in listed.get("manifests", []):
            if name in map(entry.get("annotations", {}).get, _NAMES):
                return dict(entry)
        hint = "see the builder's log"
        raise fail(f"the builder exported no image {name}", hint, code=ENVIRONMENT)

    def platforms(self, name: str) -> dict[str, str]:
        """Platform -> manifest digest of the image that was exported under a name;

        `""` is a single image's platform.
        """
        entry = self.named(name)
        found = Manifest(entry["digest"], entry["mediaType"], self.read(entry["digest"]))
        return found.platforms if "manifests" in found.data else {"": entry["digest"]}

    def manifest(self, digest: str) -> Json:
        """A manifest or index."""
        return parsed(self.read(digest), digest)

    def document(self, descriptor: Json) -> Json:
        """A JSON blob."""
        return self.manifest(descriptor["digest"])

    def open(self, descriptor: Json) -> BufferedReader:
        """A blob as a stream."""
        digest = descriptor["digest"]
        try:
            return open_regular(self._path(digest))
        except OSError as problem:
            raise self._broken(digest, problem.strerror) from problem

    def checked(self, descriptor: Json) -> BufferedReader:
        """A blob as a stream, after it was read once and found to have its digest and size."""
        digest, stream = descriptor["digest"], self.open(descriptor)
        try:
            if (
                "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest() != digest
                or stream.tell() != descriptor["size"]
            ):
                raise self._broken(digest)
            stream.seek(0)
        except BaseException:
            stream.close()
            raise
        return stream

    def read(self, digest: str) -> bytes:
        """A manifest or another JSON blob, as it is."""
        content = self._content(self._path(digest))
        if digest_of(content) != digest:
            raise self._broken(digest)
        return content

    def _path(self, digest: str) -> Path:
        if not is_digest(digest):
            raise fail(f"{digest} is no SHA-256 digest", "was the image made by something else?")
        return self.folder / "blobs" / digest.replace(":", "/")

    def _content(self, path: Path) -> bytes:
        try:
            with open_regular(path) as stream:
                content = stream.read(MAX_JSON + 1)
        except OSError as problem:
            raise self._broken(path.name, problem.strerror) from problem
        if len(content) > MAX_JSON:
            raise self._broken(path.name, "it is too long")
        return content

    @staticmethod
    def _broken(what: str, reason: str | None = "") -> BakestoneError:
        because = f": {reason}" if reason else ""
        hint = "is there room on the disk? TMPDIR says where"
        return fail(f"the builder's export has no whole {what}{because}", hint, code=ENVIRONMENT)


def parsed(content: bytes, what: str) -> Json:
    """A JSON object. Raises `BakestoneError` for anything else; `what` is its name there."""
    try:
        return document(content)
    except ValueError as problem:
        hint = "was the image made by something else?"
        raise fail(f"{what} is no JSON object", hint) from problem
