"""Publishing without the builder's push: an image is exported as an OCI layout, and pushed from
here by its digest.

For Docker's builtin driver, which pushes nothing by digest, and for sites whose builder does not
reach the registry. One image at a time is on the disk, and it is removed when it is pushed.
"""

from __future__ import annotations

from pathlib import Path

from bakestone.clients.engine import capabilities
from bakestone.clients.engine.buildx import Target
from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.layout import Layout, parsed
from bakestone.clients.registry.manifest import is_digest
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.errors import BakestoneError, fail


def target(plan: BuildPlan, variant: PlannedVariant, folder: Path) -> Target:
    """The bake target that exports a variant, in the form that a push would give it."""
    output = capabilities.layout(variant.kept, folder, plan.form)
    return plan.target(variant, output, attest=plan.form.attest)


def send(registry: Registry, layout: Layout, variant: PlannedVariant) -> str:
    """Push a variant's image out of a layout, without a tag: what is named comes before what names
    it. Gives its digest.
    """
    top = layout.named(variant.kept)
    _send(registry, layout, variant.repository, top)
    return str(top["digest"])


def _send(registry: Registry, layout: Layout, where: str, descriptor: dict[str, object]) -> None:
    digest = str(descriptor["digest"])
    raw = layout.read(digest)
    data = parsed(raw, digest)
    for entry in _entries(data.get("manifests"), digest):
        _send(registry, layout, where, entry)
    config = [data["config"]] if "config" in data else []
    for blob in _entries([*_entries(data.get("layers"), digest), *config], digest):
        # asked first: what is there need not be read
        if not registry.has_blob(where, str(blob["digest"])):
            with layout.checked(blob) as stream:
                blobs.push(registry, where, stream, str(blob["digest"]), _size(blob, digest))
    registry.push_manifest(f"{where}@{digest}", raw, str(descriptor["mediaType"]))


def _entries(found: object, what: str) -> list[dict[str, object]]:
    entries = found if isinstance(found, list) else []
    if not all(isinstance(e, dict) and is_digest(e.get("digest")) for e in entries):
        raise _odd(what)
    return list(entries)


def _size(blob: dict[str, object], what: str) -> int:
    if not isinstance(size := blob.get("size"), int):
        raise _odd(what)
    return size


def _odd(what: str) -> BakestoneError:
    return fail(f"the builder exported an odd {what}", "was it made by something else?")
