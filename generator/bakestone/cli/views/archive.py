"""What `archive` prints: how much is in an archive, and where it went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bakestone.cli.terminal import put_json, put_line, warn
from bakestone.clients.http.session import readable
from bakestone.errors import Finding
from bakestone.jobs.archive.catalog import FILE, IMAGE, INDEX, KEY, PACKAGE, WHEEL, Catalog
from bakestone.jobs.archive.collect.create import Made

_NAMES = {
    IMAGE: "base images",
    FILE: "files",
    WHEEL: "wheels",
    PACKAGE: "packages",
    INDEX: "package indexes",
    KEY: "keys",
}


def made(folder: Path, archive: Made) -> None:
    """An archive that was collected or fetched."""
    put_line(f"{folder}: {_summary(archive.catalog)}; {archive.digest}")


def pushed(target: str, digest: str) -> None:
    """An archive that is in a registry now."""
    put_line(f"{target}: pushed; {digest}")


def verified(folder: Path, catalog: Catalog, *, as_json: bool) -> None:
    """An archive of which every blob is right."""
    if as_json:
        put_json({"blobs": len(catalog.blobs()), "bytes": catalog.size, "findings": []})
    else:
        put_line(f"{folder}: {_summary(catalog)}; all of it is right")


def served(folder: Path, catalog: Catalog, urls: Sequence[str], site: Path) -> None:
    """Where an archive is served, and how a build takes everything from it."""
    put_line(f"{folder}: {_summary(catalog)}")
    put_line(f"serving on {', '.join(urls)}; stop with Ctrl-C")
    put_line(f"next: bakestone build --site {site}")
    if len(urls) == 1:
        message = "build steps that run apt, dnf or pip do not reach loopback"
        hint = "add `--bind docker`, or the address that they see"
        warn([Finding(message, hint, severity="warning")])


def _summary(catalog: Catalog) -> str:
    found = {kind: {e.digest for e in catalog.entries if e.kind == kind} for kind in _NAMES}
    parts = ", ".join(f"{len(found[kind])} {name}" for kind, name in _NAMES.items() if found[kind])
    return f"{parts} in {len(catalog.blobs())} blobs, {readable(catalog.size)}"
