"""Attestations of an image that was pushed by its digest: BuildKit's provenance stays, the SBOM is
added, and an index names them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from packageurl import PackageURL

from bakestone.clients.registry import blobs, referrers
from bakestone.clients.registry.client import INDEX_TYPES, Manifest, RefusedError, Registry
from bakestone.core.render.measured import Json, parts
from bakestone.core.render.metadata import Metadata
from bakestone.core.render.packagelist import MeasuredPackage
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.errors import Finding
from bakestone.jobs.publish.attest import contents, index, spdx
from bakestone.jobs.publish.attest.index import Blob
from bakestone.jobs.publish.failures import FailedVariant, VariantError
from bakestone.jobs.publish.found import PACKAGES, Found, FoundPlatform


@dataclass(frozen=True)
class Publication:
    """Where images come from, and when they are published (RFC 3339, UTC); empty when nobody says
    it.
    """

    metadata: Metadata = field(default_factory=Metadata)
    time: str = ""

    def annotations(self, plan: BuildPlan, variant: PlannedVariant) -> dict[str, str]:
        """What the index of a variant, and each image in it, say of where they come from."""
        base = variant.variant.base.ref
        return self.metadata.annotations(self.time, base, plan.lock.bases[base].digest)


def complete(
    plan: BuildPlan,
    variant: PlannedVariant,
    found: Found,
    registry: Registry,
    publication: Publication,
) -> Manifest:
    """The index of a variant's images with everything that belongs to them, put by its digest.

    The images in it keep their digests; where they come from stands in the index alone. An index
    that is whole already is given as it is. Raises `VariantError` for an image without a list of
    its packages.
    """
    top, where = found.top, variant.repository
    if index.is_done(top.data):
        return top
    by_digest = {image.digest: (platform, image) for platform, image in found.platforms.items()}
    about = publication.annotations(plan, variant)
    entries, manifests = [], {}
    for entry in index.images(top.data) or [_entry(top, variant)]:
        digest = str(entry["digest"])
        platform, image = by_digest[digest]
        noted = index.noted(entry, image.inventory, image.size, image.layers)
        entries.append(index.described(noted, about))
        predicate = sbom(plan, variant, platform, image)
        namespace, _, name = where.rpartition("/")
        # the image's name, as BuildKit names it in its statements
        subject = PackageURL("docker", namespace, name, variant.tag, {"platform": platform})
        statement = index.statement(spdx.PREDICATE, subject.to_string(), digest, predicate)
        kept = [
            one
            for attested in index.attested_by(top.data, digest)
            for one in _statements(registry, where, attested)
            if one[0] != spdx.PREDICATE
        ]
        _push_blob(registry, where, statement)
        statements = [*kept, (spdx.PREDICATE, statement.descriptor)]
        read = registry.need(f"{where}@{digest}")  # which was measured: it is at hand
        manifests[digest] = _attest(registry, where, statements, _descriptor(read))
    # a team's own stand in the images' manifests as well: buildx puts them there
    own = variant.variant.family.content.annotations
    whole = index.index(entries, manifests, own | about)
    _push(registry, where, whole)
    return Manifest(whole.digest, INDEX_TYPES[0], whole.content)


def sbom(plan: BuildPlan, variant: PlannedVariant, platform: str, image: FoundPlatform) -> Json:
    """The SPDX document of one platform of a variant.

    Raises `VariantError` for an image without a list of its packages.
    """
    packages = _packages(variant, image)
    measured = {slot: part.values for slot, part in parts(image.inventory).items()}
    found = contents.parts(variant.variant, platform, plan.lock, plan.library, measured)
    found += contents.packages(variant.variant, packages)
    facts = {"arch": platform.partition("/")[2], "repository_url": variant.repository}
    purl = PackageURL("oci", None, variant.repository.rpartition("/")[2], image.digest, facts)
    title = f"{variant.family}/{variant.name}"
    return spdx.document(title, purl.to_string(), image.digest, variant.epoch, found)


def _packages(variant: PlannedVariant, image: FoundPlatform) -> tuple[MeasuredPackage, ...]:
    if image.packages is None:
        where = f"{variant.repository}@{image.digest}"
        said = f"{where} is no image of Bakestone: its last layer has no {PACKAGES}"
        hint = f"did an earlier version make it? Remove {variant.kept}, then build again"
        finding = Finding(said, hint, name=variant.title)
        raise VariantError(FailedVariant(finding, environment=True))
    return image.packages


def _entry(top: Manifest, variant: PlannedVariant) -> Json:
    """The descriptor of an image that was pushed without an index."""
    system, _, architecture = variant.platforms[0].partition("/")
    platform = {"architecture": architecture, "os": system}
    return _descriptor(top) | {"platform": platform}


def _descriptor(manifest: Manifest) -> Json:
    size = len(manifest.raw)
    return {"mediaType": manifest.media_type, "digest": manifest.digest, "size": size}


def _statements(registry: Registry, where: str, digest: str) -> list[tuple[str, Json]]:
    """The in-toto statements of an attestation manifest: predicate type and descriptor."""
    data = registry.need(f"{where}@{digest}").data
    found = [layer for layer in data.get("layers", []) if layer.get("mediaType") == index.IN_TOTO]
    kinds = [(index.annotation(layer, index.PREDICATE_TYPE), layer) for layer in found]
    return [(kind, layer) for kind, layer in kinds if kind]


def _attest(
    registry: Registry, where: str, statements: Sequence[tuple[str, Json]], image: Json
) -> Blob:
    """Put the attestation manifest of an image, and have it listed as a referrer of the image; one
    without a subject where the registry takes no other.
    """
    manifest, config = index.manifest(statements, image)
    try:
        _push_blob(registry, where, config)
        referrers.push(registry, where, manifest.content)
    except RefusedError as problem:
        manifest, config = index.plain_manifest(statements)
        _push_blob(registry, where, config)
        _push(registry, where, manifest)
        referrers.warn(registry, problem)
    return manifest


def _push_blob(registry: Registry, where: str, blob: Blob) -> None:
    blobs.push(registry, where, blob.content, blob.digest, len(blob.content))


def _push(registry: Registry, where: str, blob: Blob) -> None:
    registry.push_manifest(f"{where}@{blob.digest}", blob.content, blob.media_type)
