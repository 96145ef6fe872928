"""Publishing without the builder's push: an image is exported as an OCI layout, and pushed from
here by its digest.

For Docker's builtin driver, which pushes nothing by digest, and for sites whose builder does not
reach the registry. One image at a time is on the disk, and it is removed when it is pushed.
"""

from __future__ import annotations

from pathlib import Path

from bakestone.clients.engine import capabilities
from bakestone.clients.engine.buildx import Target
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.layout import Layout
from bakestone.clients.registry.manifest import Manifest, check_manifest
from bakestone.core.render.measured import Json
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.errors import fail


def target(plan: BuildPlan, variant: PlannedVariant, folder: Path) -> Target:
    """The bake target that exports a variant, in the form that a push would give it."""
    output = capabilities.layout(variant.kept, folder, plan.compression)
    return plan.target(variant, output, attest=plan.attest)


def send(registry: Registry, layout: Layout, variant: PlannedVariant) -> str:
    """Push a variant's image out of a layout, without a tag: what is named comes before what names
    it. Gives its digest.
    """
    top = layout.named(variant.kept)
    _send(registry, layout, variant.repository, top)
    return str(top["digest"])


def _send(registry: Registry, layout: Layout, where: str, descriptor: Json) -> None:
    digest = str(descriptor["digest"])
    raw = layout.read(digest)
    try:
        check_manifest(raw)
    except ValueError as problem:
        hint = "was it made by something else?"
        raise fail(f"the builder exported an odd {digest}: {problem}", hint) from problem
    top = Manifest(digest, str(descriptor.get("mediaType", "")), raw)
    if "manifests" in top.data:
        for entry in top.data["manifests"]:
            _send(registry, layout, where, entry)
    else:
        for blob in filter(None, (*top.layers, top.config)):
            if not registry.has_blob(where, blob.digest):  # what is there need not be read
                with layout.checked({"digest": blob.digest, "size": blob.size}) as stream:
                    registry.upload(where, stream, blob.digest, blob.size)
    registry.push_manifest(f"{where}@{digest}", raw, top.media_type)
