"""Proxies: which one a URL is fetched through."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Proxies:
    """URLs of the proxies for http and https, empty for none, and the hosts that are spoken to
    directly.

    An entry of `no_proxy` is a host name, which stands for the names below it as well, an address,
    or a network (10.0.0.0/8).
    """

    http: str = ""
    https: str = ""
    no_proxy: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.http or self.https)

    def of(self, url: str) -> str:
        """The proxy for a URL; empty for none, for hosts that are excepted, and for loopback."""
        parts = urlsplit(url)
        proxy = {"http": self.http, "https": self.https}.get(parts.scheme, "")
        return "" if not proxy or self.excepted(parts.hostname or "") else proxy

    def excepted(self, host: str) -> bool:
        """Whether a host is spoken to directly."""
        address = _address(host)
        return is_loopback(host) or any(_stands_for(e, host, address) for e in self.no_proxy)

    def choice(self, url: str) -> dict[str, str | None] | None:
        """The same for `requests`: a None in it is "not by a proxy of the environment either".

        Without proxies in the site file it is left to the environment.
        """
        proxy = self.of(url) or None
        return {"http": proxy, "https": proxy, "all": None} if self else None


def is_loopback(host: str) -> bool:
    """Whether a host, without a port, is this machine."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _stands_for(entry: str, host: str, address: _Address | None) -> bool:
    if address:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name = entry.lstrip("*.").lower()
    return bool(name) and (host.lower() == name or host.lower().endswith(f".{name}"))


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
