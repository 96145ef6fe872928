"""Where an image's parts are read from: an OCI layout on disk, or a registry. Every part is checked against its digest."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from generator import blobs
from generator.errors import ENVIRONMENT, fail
from generator.registry import Manifest, Registry

MAX_JSON = 8 * 2**20
"""Bytes of a manifest or image configuration."""


class Store(Protocol):
    """What comparing two images needs of the place where one of them is."""

    def manifest(self, digest: str) -> dict[str, Any]:
        """A manifest or index."""

    def document(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        """A JSON blob, such as the image configuration."""

    def open(self, descriptor: dict[str, Any]) -> Any:
        """A blob as a stream, in a `with` block."""


class Layout:
    """An OCI image layout (image-spec, image-layout.md) that BuildKit wrote; its blobs are read as they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def platforms(self, name: str) -> dict[str, str]:
        """Platform -> manifest digest of the image that was exported under a name; `""` is a single image's platform."""
        for entry in json.loads((self.folder / "index.json").read_text("utf-8"))["manifests"]:
            annotations = entry.get("annotations", {})
            if name in (annotations.get("org.opencontainers.image.ref.name"), annotations.get("io.containerd.image.name")):
                content = self._bytes(entry["digest"])
                found = Manifest(entry["digest"], entry["mediaType"], content)
                return found.platforms if "manifests" in found.data else {"": entry["digest"]}
        raise fail(f"the builder exported no image {name}", "see the builder's log", code=ENVIRONMENT)

    def manifest(self, digest: str) -> dict[str, Any]:
        """A manifest or index."""
        return _object(self._bytes(digest), digest)

    def document(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        """A JSON blob."""
        return _object(self._bytes(descriptor["digest"]), descriptor["digest"])

    def open(self, descriptor: dict[str, Any]) -> IO[bytes]:
        """A blob as a stream."""
        return self._path(descriptor["digest"]).open("rb")

    def _path(self, digest: str) -> Path:
        algorithm, _, hexadecimal = digest.partition(":")
        if algorithm != "sha256" or len(hexadecimal) != 64 or not set(hexadecimal) <= set("0123456789abcdef"):
            raise fail(f"{digest} is no SHA-256 digest", "was the image made by something else?")
        return self.folder / "blobs" / algorithm / hexadecimal

    def _bytes(self, digest: str) -> bytes:
        with self._path(digest).open("rb") as stream:
            content = stream.read(MAX_JSON + 1)
        if len(content) > MAX_JSON or "sha256:" + hashlib.sha256(content).hexdigest() != digest:
            raise fail(f"the builder's export has no whole {digest}", "is there room on the disk? TMPDIR says where", code=ENVIRONMENT)
        return content


class Published:
    """A repository of a registry; layers pass through a temporary file below `folder`, one at a time."""

    def __init__(self, registry: Registry, repository: str, folder: Path) -> None:
        self.registry, self.repository, self.folder = registry, repository, folder

    def manifest(self, digest: str) -> dict[str, Any]:
        """A manifest or index."""
        return self.registry.need(f"{self.repository}@{digest}").data

    def document(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        """A JSON blob."""
        return _object(self.registry.blob(f"{self.repository}@{descriptor['digest']}"), descriptor["digest"])

    @contextmanager
    def open(self, descriptor: dict[str, Any]) -> Iterator[IO[bytes]]:
        """A blob as a stream, fetched whole and checked before anything is read from it."""
        with tempfile.TemporaryFile(dir=self.folder) as stream:
            blobs.fetch(self.registry, self.repository, descriptor["digest"], stream, descriptor["size"])
            stream.seek(0)
            yield stream


def _object(content: bytes, what: str) -> dict[str, Any]:
    try:
        loaded = json.loads(content)
    except ValueError:
        loaded = None
    if not isinstance(loaded, dict):
        raise fail(f"{what} is no JSON object", "was the image made by something else?")
    return loaded
