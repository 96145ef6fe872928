"""Attestations of an image that was pushed by its digest: BuildKit's provenance stays, the SBOM is
added, and an index names them all.
"""

from __future__ import annotations

from collections.abc import Mapping

from packageurl import PackageURL

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import INDEX_TYPES, Manifest, Registry
from bakestone.clients.registry.manifest import is_digest
from bakestone.core.render.measured import Json, parts
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.errors import fail
from bakestone.jobs.publish.attest import contents, index, spdx
from bakestone.jobs.publish.attest.index import Blob
from bakestone.jobs.publish.found import Found


def complete(
    plan: BuildPlan, variant: PlannedVariant, found: Found, registry: Registry
) -> Manifest:
    """The index of a variant's images with everything that belongs to them, put by its digest.

    The images in it keep their digests. One that is whole already is given as it is.
    """
    top, where = found.top, variant.repository
    if index.is_done(top.data):
        return top
    entries = index.images(top.data) or [_entry(top, variant)]
    platforms = {digest: platform for platform, digest in found.platforms.items()}
    manifests = {}
    for entry in entries:
        digest = str(entry["digest"])
        platform = platforms[digest]
        predicate = sbom(plan, variant, platform, digest, found.inventories[platform])
        subject = _docker_purl(variant, platform)
        statement = index.statement(spdx.PREDICATE, subject, digest, predicate)
        kept = [
            one
            for attested in index.attested_by(top.data, digest)
            for one in _statements(registry, where, attested)
            if one[0] != spdx.PREDICATE
        ]
        manifest, config = index.manifest([*kept, (spdx.PREDICATE, statement.descriptor)])
        for blob in (statement, config):
            blobs.push(registry, where, blob.content, blob.digest, len(blob.content))
        _push(registry, where, manifest)
        manifests[digest] = manifest
    whole = index.index(entries, manifests)
    _push(registry, where, whole)
    return Manifest(whole.digest, INDEX_TYPES[0], whole.content)


def sbom(
    plan: BuildPlan, variant: PlannedVariant, platform: str, digest: str, inventory: Json
) -> Json:
    """The SPDX document of one platform of a variant, whose manifest has this digest."""
    measured = {slot: part.values for slot, part in parts(inventory).items()}
    found = contents.parts(variant.variant, platform, plan.lock, plan.library, measured)
    purl = _oci_purl(variant.repository, digest, platform)
    title = f"{variant.family}/{variant.name}"
    return spdx.document(title, purl, digest, variant.epoch, found)


def _entry(top: Manifest, variant: PlannedVariant) -> Json:
    """The descriptor of an image that was pushed without an index."""
    system, _, architecture = variant.platforms[0].partition("/")
    return {
        "mediaType": top.media_type,
        "digest": top.digest,
        "size": len(top.raw),
        "platform": {"architecture": architecture, "os": system},
    }


def _statements(registry: Registry, where: str, digest: str) -> list[tuple[str, Json]]:
    """The in-toto statements of an attestation manifest: predicate type and descriptor."""
    layers = registry.need(f"{where}@{digest}").data.get("layers")
    found: list[tuple[str, Json]] = []
    for layer in layers if isinstance(layers, list) else ():
        about = layer.get("annotations") if isinstance(layer, dict) else None
        kind = about.get(index.PREDICATE_TYPE) if isinstance(about, Mapping) else None
        fits = isinstance(kind, str) and is_digest(layer.get("digest")) and "size" in layer
        if fits and layer.get("mediaType") == index.IN_TOTO:
            found.append((str(kind), layer))
    return found


def _push(registry: Registry, where: str, blob: Blob) -> None:
    reference = f"{where}@{blob.digest}"
    if registry.push_manifest(reference, blob.content, blob.media_type) != blob.digest:
        raise fail(f"{reference} was not pushed as it is", "try again", name=reference)


def _docker_purl(variant: PlannedVariant, platform: str) -> str:
    """The image's name, as BuildKit names it in its statements."""
    return PackageURL(
        "docker", *_split(variant.repository), variant.tag, {"platform": platform}
    ).to_string()


def _oci_purl(where: str, digest: str, platform: str) -> str:
    name = where.rpartition("/")[2]
    facts = {"arch": platform.partition("/")[2], "repository_url": where}
    return PackageURL("oci", None, name, digest, facts).to_string()


def _split(repository: str) -> tuple[str, str]:
    namespace, _, name = repository.rpartition("/")
    return namespace, name
