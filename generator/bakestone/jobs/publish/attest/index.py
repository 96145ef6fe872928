"""An index with attestations, in the form that BuildKit writes and `docker buildx imagetools
inspect` reads. Pure.

moby/buildkit, docs/attestations/attestation-storage.md: beside each image manifest an attestation
manifest, whose layers are in-toto statements. The index names its image in an annotation, and the
manifest has it as its subject (BuildKit's option oci-artifact; image-spec, manifest.md), so that
registries list it as a referrer of the image. The image's own digest does not change.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bakestone.clients.registry.manifest import INDEX_TYPES, MANIFEST_TYPES, Json

INDEX, MANIFEST = INDEX_TYPES[0], MANIFEST_TYPES[0]
CONFIG = "application/vnd.oci.image.config.v1+json"
ARTIFACT = "application/vnd.docker.attestation.manifest.v1+json"
EMPTY: Json = {
    "mediaType": "application/vnd.oci.empty.v1+json",
    "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "size": 2,
    "data": "e30=",
}
"""The configuration of what has none: `{}` (image-spec, manifest.md, "Guidance for an Empty
Descriptor").
"""
IN_TOTO = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v0.1"
TYPE, SUBJECT = "vnd.docker.reference.type", "vnd.docker.reference.digest"
ATTESTATION = "attestation-manifest"
NOWHERE: Json = {"architecture": "unknown", "os": "unknown"}
"""The platform of what is no image."""
PREDICATE_TYPE = "in-toto.io/predicate-type"
DONE = "io.bakestone.attestations"
"""Annotation of an index that has everything that belongs into it."""
INVENTORY, SIZE = "io.bakestone.inventory", "io.bakestone.size"
LAYERS = "io.bakestone.layers"
"""Annotations of an image in such an index: what was measured in it, as JSON, the bytes of its
layers, and each of them, so that a later run need not read it once more.
"""
MAX_INVENTORY = 64 * 1024
"""Bytes of an inventory that is written there; real ones have two thousand, an index takes 4 MB."""
_SIZE = re.compile(r"[1-9][0-9]{0,14}")


@dataclass(frozen=True)
class Blob:
    """Bytes and what they are."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """`sha256:...`."""
        return "sha256:" + hashlib.sha256(self.content).hexdigest()

    @property
    def descriptor(self) -> Json:
        """As a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


def statement(predicate_type: str, name: str, digest: str, predicate: Json) -> Blob:
    """An in-toto statement about the image with this name and digest."""
    subject = [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}]
    about = {"_type": STATEMENT, "predicateType": predicate_type, "subject": subject}
    return _blob(IN_TOTO, about | {"predicate": predicate})


def manifest(statements: Sequence[tuple[str, Json]], image: Json) -> tuple[Blob, Blob]:
    """The attestation manifest of an image, which is its subject, and its configuration.

    `statements` are predicate types and descriptors of in-toto statements, `image` is the image's
    media type, digest and size.
    """
    about = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": ARTIFACT, "config": EMPTY}
    whole = about | {"layers": _layers(statements), "subject": image}
    return _blob(MANIFEST, whole), Blob(str(EMPTY["mediaType"]), b"{}")


def plain_manifest(statements: Sequence[tuple[str, Json]]) -> tuple[Blob, Blob]:
    """The same without a subject, with an image's configuration: for registries that know no
    artifacts.
    """
    layers = _layers(statements)
    files = {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
    config = _blob(CONFIG, NOWHERE | {"config": {}, "rootfs": files})
    about = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor}
    return _blob(MANIFEST, about | {"layers": layers}), config


def index(
    images: Sequence[Json], attestations: dict[str, Blob], about: Mapping[str, str] | None = None
) -> Blob:
    """The index of images, as they are described, with the attestation manifest of each;

    `attestations` is by image digest, `about` are further annotations of the index.
    """
    entries = [*images]
    for image in images:
        found = attestations[str(image["digest"])]
        refers = {SUBJECT: image["digest"], TYPE: ATTESTATION}
        entries.append(found.descriptor | {"annotations": refers, "platform": NOWHERE})
    whole = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    return _blob(INDEX, whole | {"annotations": {**(about or {}), DONE: "provenance,sbom"}})


def noted(image: Json, inventory: Json, size: int, layers: Sequence[Json] = ()) -> Json:
    """An image's descriptor with what was read in it; without, where that is too much."""
    about = {k: v for k, v in _annotations(image).items() if k not in (INVENTORY, SIZE, LAYERS)}
    text, of_layers = (json.dumps(one, separators=(",", ":")) for one in (inventory, list(layers)))
    if len(text) <= MAX_INVENTORY:
        about |= {INVENTORY: text, SIZE: str(size)}
        if layers and len(of_layers) <= MAX_INVENTORY:
            about |= {LAYERS: of_layers}
    return image | {"annotations": about} if about else image


def described(image: Json, about: Mapping[str, str]) -> Json:
    """An image's descriptor with more annotations, where it has some."""
    found = _annotations(image)
    return image | {"annotations": {**found, **about}} if found else image


def note(image: Json) -> tuple[str, int] | None:
    """The inventory's text and the size that a descriptor has, if it has them.

    Raises `ValueError` for what `noted` does not write.
    """
    text, size = annotation(image, INVENTORY), annotation(image, SIZE)
    if not text and not size:
        return None
    if not 0 < len(text) <= MAX_INVENTORY:
        raise ValueError(f"its annotation {INVENTORY} holds no inventory")
    if not _SIZE.fullmatch(size):
        raise ValueError(f"its annotation {SIZE} is no size")
    return text, int(size)


def annotation(entry: Json, key: str) -> str:
    """An annotation of a descriptor or an index; empty without one."""
    return str(_annotations(entry).get(key, ""))


def is_done(top: Json) -> bool:
    """Whether an index has all its attestations."""
    return DONE in _annotations(top)


def attested_by(top: Json, image: str) -> list[str]:
    """The digests of the attestation manifests of an image in an index."""
    return [
        str(entry["digest"])
        for entry in top.get("manifests", [])
        if annotation(entry, TYPE) == ATTESTATION and annotation(entry, SUBJECT) == image
    ]


def images(top: Json) -> list[Json]:
    """The descriptors of the images in an index; none in the manifest of one image."""
    return [e for e in top.get("manifests", []) if annotation(e, TYPE) != ATTESTATION]


def _layers(statements: Sequence[tuple[str, Json]]) -> list[Json]:
    return [
        {"mediaType": IN_TOTO, "digest": told["digest"], "size": told["size"]}
        | {"annotations": {PREDICATE_TYPE: kind}}
        for kind, told in statements
    ]


def _annotations(entry: Json) -> Json:
    found = entry.get("annotations")
    return found if isinstance(found, dict) else {}


def _blob(media_type: str, data: Json) -> Blob:
    return Blob(media_type, json.dumps(data, separators=(",", ":")).encode())
