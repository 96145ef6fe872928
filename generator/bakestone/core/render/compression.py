"""How the layers of images are compressed: the site's choice, and a part of every fingerprint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Compression:
    """In BuildKit's words: gzip, zstd or estargz; without a level, BuildKit's own."""

    kind: str = "gzip"
    level: int | None = None

    @property
    def options(self) -> dict[str, str]:
        """Image options, explicit because BuildKit's defaults changed (0.32).

        zstd and estargz need OCI's media types; without force, layers that the engine already has
        with another compression would keep it.
        """
        level = {} if self.level is None else {"compression-level": str(self.level)}
        kind = {"compression": self.kind}
        return {"oci-mediatypes": "true", **kind, **level, "force-compression": "true"}

    @property
    def said(self) -> str:
        """As a sentence names it."""
        return self.kind if self.level is None else f"{self.kind} with level {self.level}"


GZIP = Compression()
"""What every engine can pull, and what the committed bake file asks for."""
