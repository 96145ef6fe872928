"""A registry that runs, real or a stand-in, as the conformance suite sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site
from tests.support.tokenservice import TokenService
from tests.support.vendorregistry import VendorRegistry


@dataclass
class Place:
    """A running registry: its address, the client's site, what its people log in with."""

    address: str
    login: dict[str, Any]
    site: Site = field(default_factory=Site)
    tokens: TokenService | None = None
    vendor: VendorRegistry | None = None
    deletes_tags: bool = True
    takes_index: bool = True

    def client(self) -> Registry:
        return Registry(self.site)
