"""What a registry has of a variant, as it was read and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bakestone.clients.registry.manifest import Manifest
from bakestone.core.render.measured import Json
from bakestone.core.render.packagelist import MeasuredPackage

INVENTORY = "usr/share/bakestone/inventory.json"
PACKAGES = "usr/share/bakestone/packages.tsv"
"""Files of an image's last layer."""


@dataclass(frozen=True)
class FoundPlatform:
    """The image of one platform: its manifest's digest, the compressed size of its layers in bytes,
    and what was measured in it.

    `layers` are as release.json has them; none where they were not read. `packages` is None where
    they were not read, or an earlier version made the image, which has no list of them.
    """

    digest: str
    size: int
    inventory: Json = field(repr=False)
    packages: tuple[MeasuredPackage, ...] | None = field(default=None, repr=False)
    layers: tuple[Json, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Found:
    """An image that was read: `top` is its index or manifest, `platforms` are in the variant's
    order.
    """

    top: Manifest
    platforms: Mapping[str, FoundPlatform]
