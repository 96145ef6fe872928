"""What a registry has of a variant, as it was read and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bakestone.clients.registry.manifest import Manifest
from bakestone.core.render.measured import Json


@dataclass(frozen=True)
class FoundPlatform:
    """The image of one platform: its manifest's digest, the compressed size of its layers in bytes,
    and what was measured in it.
    """

    digest: str
    size: int
    inventory: Json = field(repr=False)


@dataclass(frozen=True)
class Found:
    """An image that was read: `top` is its index or manifest, `platforms` are in the variant's
    order.
    """

    top: Manifest
    platforms: Mapping[str, FoundPlatform]
