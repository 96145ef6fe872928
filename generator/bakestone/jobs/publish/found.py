"""What a registry has of a variant, as it was read: before anything of it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bakestone.clients.registry.manifest import Manifest
from bakestone.core.render.measured import Json


@dataclass(frozen=True)
class Found:
    """An image that was read: `top` is its index or manifest, `platforms` the manifest of each
    platform, `inventories` what each of these says, by platform; `size` is the first one's.
    """

    top: Manifest
    platforms: Mapping[str, str]
    size: int
    inventories: Mapping[str, Json] = field(repr=False)
