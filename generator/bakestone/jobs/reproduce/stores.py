"""Where an image's parts are read from: an OCI layout on disk, or a registry.

Every part is checked against its digest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.layout import parsed
from bakestone.clients.registry.manifest import Json


class Store(Protocol):
    """What comparing two images needs of the place where one of them is."""

    def manifest(self, digest: str) -> Json:
        """A manifest or index."""

    def document(self, descriptor: Json) -> Json:
        """A JSON blob, such as the image configuration."""

    def open(self, descriptor: Json) -> AbstractContextManager[IO[bytes]]:
        """A blob as a stream, in a `with` block."""


class Published:
    """A repository of a registry; layers pass through a temporary file below `folder`, one at a
    time.
    """

    def __init__(self, registry: Registry, repository: str, folder: Path) -> None:
        self.registry, self.repository, self.folder = registry, repository, folder

    def manifest(self, digest: str) -> Json:
        """A manifest or index."""
        return self.registry.need(f"{self.repository}@{digest}").data

    def document(self, descriptor: Json) -> Json:
        """A JSON blob."""
        return parsed(
            self.registry.blob(f"{self.repository}@{descriptor['digest']}"), descriptor["digest"]
        )

    @contextmanager
    def open(self, descriptor: Json) -> Iterator[IO[bytes]]:
        """A blob as a stream, fetched whole and checked before anything is read from it."""
        with tempfile.TemporaryFile(dir=self.folder) as stream:
            blobs.fetch(
                self.registry, self.repository, descriptor["digest"], stream, descriptor["size"]
            )
            stream.seek(0)
            yield stream
