"""Attestations of published images:

BuildKit's provenance stays, the SBOM is added, the index takes the place of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import PARALLEL, Manifest, Registry
from bakestone.core.matrix.variant import Variant
from bakestone.core.render import bakefile
from bakestone.errors import fail
from bakestone.jobs.publish import release
from bakestone.jobs.publish.attest import index, spdx
from bakestone.jobs.publish.attest.contents import parts
from bakestone.jobs.publish.attest.index import Blob
from bakestone.project import Project


def complete(project: Project, variants: Sequence[Variant], registry: Registry) -> list[str]:
    """Bring the index under each variant's fingerprint to its whole form.

    Gives the names of those that were not whole.

    A run that is stopped between pushing an image and this leaves an index without an SBOM; the
    next run adds it. The images in an index keep their digests.
    """
    with ThreadPoolExecutor(PARALLEL) as pool:
        added = list(pool.map(lambda variant: _complete(project, variant, registry), variants))
    return [v.name for v, was_added in zip(variants, added, strict=True) if was_added]


def _complete(project: Project, variant: Variant, registry: Registry) -> bool:
    reference = release.fingerprint_reference(project, variant)
    where = bakefile.repository(project.registry, variant)
    top = registry.need(reference)
    if index.is_done(top.data):
        return False
    entries = index.images(top.data) or [_entry(top, variant)]
    manifests = {}
    for entry in entries:
        image = registry.need(f"{where}@{entry['digest']}")
        inventory = release.read_inventory(registry, where, image.data["layers"])
        platform = "/".join(entry["platform"][key] for key in ("os", "architecture"))
        predicate = sbom(project, variant, platform, entry["digest"], inventory)
        statement = index.statement(
            spdx.PREDICATE, _purl(where, project, variant, platform), entry["digest"], predicate
        )
        kept = [
            found
            for digest in index.attested_by(top.data, entry["digest"])
            for found in _statements(registry, where, digest)
        ]
        manifest, config = index.manifest(
            [*(k for k in kept if k[0] != spdx.PREDICATE), (spdx.PREDICATE, statement.descriptor)]
        )
        for blob in (statement, config):
            blobs.push(registry, where, blob.content, blob.digest, len(blob.content))
        _push(registry, f"{where}@{manifest.digest}", manifest)
        manifests[entry["digest"]] = manifest
    _push(registry, reference, index.index(entries, manifests))
    return True


def sbom(
    project: Project, variant: Variant, platform: str, digest: str, inventory: dict[str, Any]
) -> dict[str, Any]:
    """The SPDX document of one platform of a variant, whose manifest has this digest."""
    measured = {slot: entry["measured"] for slot, entry in inventory.get("components", {}).items()}
    found = parts(variant, platform, project.lock, project.matrix.library, measured)
    where = bakefile.repository(project.registry, variant)
    epoch = bakefile.epoch(variant, project.lock)
    return spdx.document(
        f"{variant.family.name}/{variant.name}",
        _oci_purl(where, digest, platform),
        digest,
        epoch,
        found,
    )


def _entry(top: Manifest, variant: Variant) -> dict[str, Any]:
    """The descriptor of an image that was pushed without an index."""
    system, _, architecture = variant.platforms[0].partition("/")
    platform = {"architecture": architecture, "os": system}
    return {
        "mediaType": top.media_type,
        "digest": top.digest,
        "size": len(top.raw),
        "platform": platform,
    }


def _statements(registry: Registry, where: str, digest: str) -> list[tuple[str, dict[str, Any]]]:
    layers = registry.need(f"{where}@{digest}").data.get("layers", [])
    return [
        ((layer.get("annotations") or {}).get(index.PREDICATE_TYPE, ""), layer)
        for layer in layers
        if layer["mediaType"] == index.IN_TOTO
    ]


def _push(registry: Registry, reference: str, blob: Blob) -> None:
    if blobs.push_manifest(registry, reference, blob.content, blob.media_type) != blob.digest:
        raise fail(f"{reference} was not pushed as it is", "try again", name=reference)


def _purl(where: str, project: Project, variant: Variant, platform: str) -> str:
    """The image's name, as BuildKit names it in its statements."""
    tag = release.fingerprint_tag(project.fingerprint(variant))
    return f"pkg:docker/{where}@{tag}?platform={quote(platform, safe='')}"


def _oci_purl(where: str, digest: str, platform: str) -> str:
    name = where.rpartition("/")[2]
    return f"pkg:oci/{quote(name)}@{quote(digest, safe='')}?arch={platform.partition('/')[2]}&repository_url={quote(where, safe='/')}"
