"""An image of one layer, from a tarball, straight into a registry: no engine is needed, and equal
input gives equal digests.
"""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.manifest import INDEX, INDEX_TYPES, MANIFEST, digest_of
from bakestone.errors import fail
from bakestone.files import hash_of

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK = 2**20


@dataclass(frozen=True)
class PlatformImage:
    """An image of one platform, as an index names it."""

    architecture: str
    digest: str
    size: int
    media_type: str = MANIFEST


def push(
    tarball: Path, architecture: str, epoch: int, repository: str, registry: Registry
) -> tuple[PlatformImage, bytes]:
    """Push layer and configuration into a repository.

    Gives the manifest, which is pushed under its digest only.
    """
    packed = tarball.with_suffix(".tar.gz")
    diff = pack(tarball, packed)
    layer, size = hash_of(packed)
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = _json(
        {
            "created": created,
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": [f"PATH={_PATH}"], "Cmd": ["bash"]},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
            "history": [{"created_by": "bakestone base, by mmdebstrap", "created": created}],
        }
    )
    reference = f"{repository}:latest"
    with packed.open("rb") as stream:
        blobs.push(registry, reference, stream, layer, size)
    blobs.push(registry, reference, config, digest_of(config), len(config))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": _CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": _LAYER, "digest": layer, "size": size}],
        }
    )
    digest = registry.push_manifest(f"{repository}@{digest_of(manifest)}", manifest, MANIFEST)
    return PlatformImage(architecture, digest, len(manifest)), manifest


def tag(raw: bytes, media_type: str, names: list[str], registry: Registry) -> str:
    """Move tags to a manifest or an index, the first one last: it is the one that is looked for, so
    a run that ends in between is seen as not done. Gives the digest.
    """
    for name in reversed(names):
        registry.push_manifest(name, raw, media_type)
    return digest_of(raw)


def index(parts: list[PlatformImage]) -> bytes:
    """The index of images of several platforms."""
    manifests = [
        {
            "mediaType": p.media_type,
            "digest": p.digest,
            "size": p.size,
            "platform": {"architecture": p.architecture, "os": "linux"},
        }
        for p in sorted(parts, key=lambda part: part.architecture)
    ]
    return _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})


def parts_of(reference: str, registry: Registry) -> tuple[str, dict[str, PlatformImage]]:
    """The digest behind a tag, and its images by architecture: those of an index, or the one image.

    Empty when nothing is there.
    """
    manifest = registry.manifest(reference)
    if manifest is None:
        return "", {}
    if manifest.media_type not in INDEX_TYPES:
        repository = reference.rpartition(":")[0]
        config = registry.config(f"{repository}@{manifest.digest}", manifest)
        only = str(config.get("architecture", ""))
        part = PlatformImage(only, manifest.digest, len(manifest.raw), manifest.media_type)
        return manifest.digest, {only: part}
    try:
        parts = [
            PlatformImage(
                str(entry["platform"]["architecture"]),
                str(entry["digest"]),
                int(entry["size"]),
                str(entry["mediaType"]),
            )
            for entry in manifest.data["manifests"]
            if entry.get("platform", {}).get("os") == "linux"
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        why = "the index behind this tag is of a form that is not known"
        raise fail(why, "--force replaces it", name=reference) from problem
    return manifest.digest, {part.architecture: part for part in parts}


def pack(tarball: Path, packed: Path) -> str:
    """Compress without name or time. Gives the digest of what is inside."""
    with (
        tarball.open("rb") as source,
        packed.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as sink,
    ):
        shutil.copyfileobj(source, sink, _CHUNK)
    return hash_of(tarball)[0]


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()
