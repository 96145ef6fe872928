"""Where an image's parts are read from: an OCI layout on disk, or a registry.

Every part is checked against its digest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.layout import Layout, parsed
from bakestone.clients.registry.manifest import Json


@dataclass(frozen=True)
class Published:
    """A repository of a registry; layers pass through a temporary file below `folder`, one at a
    time.
    """

    registry: Registry
    repository: str
    folder: Path

    def manifest(self, digest: str) -> Json:
        """A manifest or index."""
        return self.registry.need(f"{self.repository}@{digest}").data

    def document(self, descriptor: Json) -> Json:
        """A JSON blob."""
        digest = descriptor["digest"]
        return parsed(self.registry.blob(f"{self.repository}@{digest}"), digest)

    @contextmanager
    def open(self, descriptor: Json) -> Iterator[IO[bytes]]:
        """A blob as a stream, fetched whole and checked before anything is read from it."""
        with tempfile.TemporaryFile(dir=self.folder) as stream:
            digest, size = descriptor["digest"], descriptor["size"]
            blobs.fetch(self.registry, self.repository, digest, stream, size)
            stream.seek(0)
            yield stream


Store = Layout | Published
"""What comparing two images needs of the place where one of them is."""
