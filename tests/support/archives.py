"""Archives made by hand: one blob of each kind, an image, the site of a server that has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bakestone.clients.site.site import Site, load
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import (
    FILE,
    IMAGE,
    INDEX,
    PACKAGE,
    PART,
    WHEEL,
    ArchivedBlob,
    Catalog,
)
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.jobs.archive.serve import sitefile
from bakestone.jobs.archive.serve.serve import LOOPBACK, serving

LIST = "http://deb.example.com/debian/dists/bookworm/InRelease"
TARBALL = "https://files.example.com/greeting-1.0.tar.gz"
WHEEL_FILE = "bakestone_greeting-1.0-py3-none-any.whl"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def filled(folder: Path) -> tuple[ArchiveLayout, Catalog]:
    """An archive with one blob of each kind, whose bytes are the kind's name."""
    layout = ArchiveLayout(folder)
    layout.prepare()
    names = {
        IMAGE: "docker.io/library/debian:12",
        PART: "docker.io/library/debian",
        INDEX: LIST,
        FILE: TARBALL,
        PACKAGE: "http://deb.example.com/debian/pool/g/git_2.39.5-0%2bdeb12u3_amd64.deb",
        WHEEL: WHEEL_FILE,
    }
    entries = [
        ArchivedBlob(
            kind,
            name,
            layout.put(kind.encode()),
            len(kind),
            "application/vnd.oci.image.index.v1+json" if kind == IMAGE else catalogs.PLAIN,
            ("v1",),
        )
        for kind, name in names.items()
    ]
    catalog = Catalog((), "version: 1\n", "version: 1\n", "key", catalogs.merged(entries))
    layout.seal(catalog)
    return layout, catalog


INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@contextmanager
def served(layout: ArchiveLayout, entries: list[ArchivedBlob], folder: Path) -> Iterator[Site]:
    """The site of a server that has these entries."""
    layout.seal(Catalog((), "", "", "", catalogs.merged(entries)))
    with serving(layout, [LOOPBACK], 0, lambda _what: None) as port:
        place = f"{LOOPBACK}:{port}"
        yield load(sitefile.write(folder, layout.catalog(), Site(), place, place))


def empty(folder: Path) -> ArchiveLayout:
    layout = ArchiveLayout(folder)
    layout.prepare()
    return layout


def image(layout: ArchiveLayout) -> tuple[list[ArchivedBlob], str, dict[str, bytes]]:
    """An image for two platforms, as entries of an archive; its digest; its blobs."""
    blobs: dict[str, bytes] = {}

    def put(content: bytes) -> dict[str, object]:
        digest = layout.put(content)
        blobs[digest] = content
        return {"digest": digest, "size": len(content)}

    manifests, entries = [], []
    for architecture in ("amd64", "arm64"):
        config = put(json.dumps({"architecture": architecture, "os": "linux"}).encode()) | {
            "mediaType": "application/vnd.oci.image.config.v1+json"
        }
        layer = put(f"layer of {architecture}".encode()) | {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"
        }
        raw = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [layer]}
        ).encode()
        platform = {"os": "linux", "architecture": architecture}
        manifests.append(put(raw) | {"mediaType": MANIFEST_TYPE, "platform": platform})
    root = put(
        json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}).encode()
    )
    for digest, content in blobs.items():
        kind = IMAGE if digest == root["digest"] else PART
        media = (
            INDEX_TYPE
            if kind == IMAGE
            else MANIFEST_TYPE
            if b"layers" in content
            else catalogs.PLAIN
        )
        entries.append(
            ArchivedBlob(
                kind,
                "docker.io/library/debian:12" if kind == IMAGE else "docker.io/library/debian",
                digest,
                len(content),
                media,
            )
        )
    return entries, str(root["digest"]), blobs
