"""The site file: what differs from one site to another, and never changes a Dockerfile."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator import schema, yamldoc
from generator.errors import BakestoneError, Finding
from generator.patterns import matches

SECRETS = ("ca", "pip", "apt")
"""Files that build steps see as secrets of these ids, and that leave no trace in an image."""


@dataclass(frozen=True)
class Site:
    """Where things come from and go to here. The default is a site with nothing special."""

    registry: str = ""
    insecure: tuple[str, ...] = ()
    registries: dict[str, str] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    builder: str = ""
    pins: dict[str, str] = field(default_factory=dict)

    def mirror(self, ref: str) -> str:
        """The reference that an image is really fetched from: the longest matching prefix is replaced."""
        for prefix in sorted(self.registries, key=len, reverse=True):
            if ref.startswith(prefix + "/"):
                return self.registries[prefix] + ref[len(prefix) :]
        return ref

    def pins_for(self, component: str, version: str) -> str:
        """How packages of a distro are pinned here, or an empty text for the library's default."""
        return next((way for key, way in self.pins.items() if matches(key, component, version)), "")

    def plain_http(self, host: str) -> bool:
        """Whether a registry (HOST or HOST:PORT) is spoken to over plain HTTP: loopback always, others when the file says so."""
        name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
        if name == "localhost" or host in self.insecure or name in self.insecure:
            return True
        try:
            return ipaddress.ip_address(name.strip("[]")).is_loopback
        except ValueError:
            return False

    def url_prefixes(self) -> str:
        """The URL mirrors for build steps that read package lists themselves: a line `FROM TO` each, the longest first."""
        return "".join(f"{a} {self.urls[a]}\n" for a in sorted(self.urls, key=lambda a: (-len(a), a)))

    def source_policy(self) -> dict[str, Any] | None:
        """BuildKit source policy for the mirrors, or None when there are none.

        The Dockerfile and its cache key stay as they are; a digest or
        `ADD --checksum` is still verified.
        """
        pairs = [(f"docker-image://{a}/*", f"docker-image://{b}/${{1}}") for a, b in self.registries.items()]
        pairs += [(f"{a}*", f"{b}${{1}}") for a, b in self.urls.items()]
        rules = [
            {"action": "CONVERT", "selector": {"identifier": a, "match_type": "WILDCARD"}, "updates": {"identifier": b}}
            for a, b in sorted(pairs, key=lambda pair: len(pair[0]))
        ]
        return {"rules": rules} if rules else None


def load(path: Path | None) -> Site:
    """Read a site file; without one, the default site. Raises `BakestoneError` with positions."""
    if path is None:
        return Site()
    document = yamldoc.load(path, "the site file", hint="give it with --site or BAKESTONE_SITE")
    schema.check(document, "site")
    data = document.data
    findings, files = [], {}
    for name in SECRETS:
        if name in data:
            files[name] = (path.parent / data[name]).resolve()
            if not files[name].is_file():
                findings.append(
                    Finding(
                        f"there is no file {data[name]}",
                        "correct the path; relative ones start at the site file's folder",
                        document.position((name,)),
                    )
                )
    if findings:
        raise BakestoneError(findings)
    mirrors = data.get("mirrors", {})
    return Site(
        registry=data.get("registry", ""),
        insecure=tuple(data.get("insecure", [])),
        registries=mirrors.get("registries", {}),
        urls=mirrors.get("urls", {}),
        files=files,
        builder=data.get("builder", ""),
        pins=data.get("pins", {}),
    )
