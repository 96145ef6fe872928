"""Publishing without the builder's push: an image is exported as an OCI layout, and pushed from
here.

For Docker before 28, which rewrites times when it exports and not when it pushes (output.py), and
for sites whose builder does not reach the registry. One image at a time is on the disk, and it is
removed when it is pushed.
"""

from __future__ import annotations

import time
from typing import Any

from bakestone.clients.engine import capabilities as output
from bakestone.clients.engine.buildx import Engine, Watch
from bakestone.clients.engine.events import State
from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import Reference, Registry
from bakestone.clients.registry.layout import Layout, parsed, temporary
from bakestone.core.matrix.variant import Variant
from bakestone.core.render import bakefile
from bakestone.errors import ENVIRONMENT, BakestoneError, fail
from bakestone.jobs.publish import failures, release
from bakestone.project import Project

TRIES = 3
"""How often an export is tried when the engine failed."""
PAUSE = 5
"""Seconds between two tries."""
_FULL = ("no space left on device", "disk quota exceeded")


def publish(
    project: Project,
    variant: Variant,
    engine: Engine,
    registry: Registry,
    watch: Watch | None = None,
) -> None:
    """Bring a variant that is in the builder's cache to the registry, under its fingerprint.

    Needs room below TMPDIR for this one image. A run that is stopped leaves nothing there; blobs
    that it pushed are not sent again by the next one. Raises `BakestoneError` (exit 3).
    """
    reference = release.fingerprint_reference(project, variant)
    for tries in range(1, TRIES + 1):
        with temporary("bakestone-export-") as folder:
            layout = Layout(folder / "image")
            state, good = engine.bake(definition(project, variant, layout), watch=watch)
            if good:
                send(registry, layout, reference)
                return
            _raise_when_full(state, variant)
        if tries == TRIES:
            failed = failures.explain(project, state, [variant])
            raise (
                BakestoneError([f.finding for f in failed.values()], ENVIRONMENT)
                if failed
                else failures.stopped(state)
            )
        time.sleep(PAUSE)


def definition(project: Project, variant: Variant, layout: Layout) -> dict[str, Any]:
    """The bake definition that exports a variant, in the form and under the name that a push would
    give it.
    """
    target = bakefile.target(
        variant, project.lock, context=str(project.path_of(variant).parent.resolve())
    )
    target |= {"attest": bakefile.PROVENANCE} if project.form.attest else {}
    reference = release.fingerprint_reference(project, variant)
    return {
        "target": {
            variant.target: (
                target | {"output": [output.layout(reference, layout.folder, project.form)]}
            )
        }
    }


def send(registry: Registry, layout: Layout, reference: str) -> None:
    """Push the image that has the name `reference` in a layout: what is named comes before what
    names it, the tag last.
    """
    place = Reference.parse(reference)
    _send(registry, layout, f"{place.host}/{place.repository}", layout.named(reference), reference)


def _send(
    registry: Registry, layout: Layout, where: str, descriptor: dict[str, Any], reference: str
) -> None:
    raw = layout.read(descriptor["digest"])
    data = parsed(raw, descriptor["digest"])
    for entry in data.get("manifests", []):
        _send(registry, layout, where, entry, f"{where}@{entry['digest']}")
    for blob in [*data.get("layers", []), *([data["config"]] if "config" in data else [])]:
        if not blobs.has(
            registry, where, blob["digest"]
        ):  # asked first: what is there need not be read
            with layout.checked(blob) as stream:
                blobs.push(registry, where, stream, blob["digest"], blob["size"])
    blobs.push_manifest(registry, reference, raw, descriptor["mediaType"])


def _raise_when_full(state: State, variant: Variant) -> None:
    """Another try would not help. Raises `BakestoneError` (exit 3)."""
    for said in (*(failure.error for failure in state.failures()), *state.output):
        if any(word in said for word in _FULL):
            hint = (
                "make room below TMPDIR (one image at a time is exported there) and for the engine;"
                " run it again to go on"
            )
            raise fail(
                f"the disk is full: {said[-300:].strip()}",
                hint,
                name=variant.name,
                code=ENVIRONMENT,
            )
