"""Publishing: floating tags, the record of a release, and what was measured inside each image."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakestone.clients.registry.client import PARALLEL, Registry
from bakestone.core.matrix.variant import Variant, slot_rank
from bakestone.core.render.bakefile import repository
from bakestone.errors import fail
from bakestone.files import write_text
from bakestone.project import Project

INVENTORY = "usr/share/bakestone/inventory.json"
MAX_INVENTORY = 1_000_000


@dataclass(frozen=True)
class Image:
    """A published image, as the registry has it.

    `size` is the compressed size of all layers in bytes.
    """

    variant: Variant
    repository: str
    fingerprint: str
    digest: str
    platforms: dict[str, str]
    size: int
    inventory: dict[str, Any]

    @property
    def pinned(self) -> str:
        """The reference that never changes."""
        return f"{self.repository}@{self.digest}"


def fingerprint_tag(fingerprint: str) -> str:
    """The tag that an image is pushed under; it never moves."""
    return f"fp-{fingerprint}"


def fingerprint_reference(project: Project, variant: Variant) -> str:
    """Where a variant is pushed: REGISTRY/FAMILY:fp-FINGERPRINT."""
    return (
        f"{repository(project.registry, variant)}:{fingerprint_tag(project.fingerprint(variant))}"
    )


def read_all(project: Project, variants: Sequence[Variant], registry: Registry) -> list[Image]:
    """`read_back` of every variant, in parallel."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(lambda variant: read_back(project, variant, registry), variants))


def read_back(project: Project, variant: Variant, registry: Registry) -> Image:
    """What the registry holds under a variant's fingerprint.

    The builder's word is not taken for a digest.
    """
    fingerprint = project.fingerprint(variant)
    where = repository(project.registry, variant)
    top = registry.need(fingerprint_reference(project, variant))
    platforms = top.platforms or {variant.platforms[0]: top.digest}
    layers = registry.need(f"{where}@{platforms[variant.platforms[0]]}").data["layers"]
    inventory = read_inventory(registry, where, layers)
    return Image(
        variant,
        where,
        fingerprint,
        top.digest,
        platforms,
        sum(layer["size"] for layer in layers),
        inventory,
    )


def read_inventory(registry: Registry, where: str, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """inventory.json out of the image's last layer, which holds nothing else; read with limits."""
    if layers[-1]["size"] > MAX_INVENTORY:
        raise fail(
            f"the last layer of {where} is not an inventory",
            "was the image pushed by something else?",
            name=where,
        )
    blob = registry.blob(f"{where}@{layers[-1]['digest']}")
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:*") as archive:
        for member in archive:
            if (
                member.name.lstrip("./") == INVENTORY
                and member.isfile()
                and member.size <= MAX_INVENTORY
            ):
                stream = archive.extractfile(member)
                if stream:
                    found: dict[str, Any] = json.load(stream)
                    return found
    raise fail(f"{where} has no {INVENTORY}", "was the image pushed by something else?", name=where)


def move_tags(images: Sequence[Image], registry: Registry) -> list[Image]:
    """Point every variant's floating tag at its new image. Gives those whose tag moved."""
    current = registry.heads(f"{i.repository}:{i.variant.name}" for i in images)
    moved = [i for i in images if current[f"{i.repository}:{i.variant.name}"] != i.digest]
    with ThreadPoolExecutor(PARALLEL) as pool:  # together, so that the time in between is short
        list(
            pool.map(
                lambda i: registry.tag(
                    f"{i.repository}:{fingerprint_tag(i.fingerprint)}", i.variant.name
                ),
                moved,
            )
        )
    return moved


def write(images: Sequence[Image], project: Project, path: Path) -> bool:
    """Write release.json. True when it changed; the same images give the same bytes."""
    text = (
        json.dumps(
            {"version": 1, "registry": project.registry, "images": [_plain(i) for i in images]},
            indent=2,
        )
        + "\n"
    )
    if path.is_file() and path.read_text("utf-8") == text:
        return False
    write_text(path, text)
    return True


def _plain(image: Image) -> dict[str, Any]:
    variant = image.variant
    return {
        "name": variant.name,
        "family": variant.family.name,
        "repository": image.repository,
        "tag": variant.name,
        "fingerprint": image.fingerprint,
        "digest": image.digest,
        "platforms": image.platforms,
        "size": image.size,
        "base": {"ref": variant.base.ref},
        "slots": {
            c.slot: c.text for c in sorted(variant.slots.values(), key=lambda c: slot_rank(c.slot))
        },
        "inventory": image.inventory,
    }


def measured(image: Image) -> str:
    """The measured versions in one line: `debian 12, cuda 13.0 (nvcc 13.0.88), ...`."""
    parts = []
    components = image.inventory.get("components", {})
    for slot in sorted(components, key=slot_rank):
        values = dict(components[slot]["measured"])
        extra = [f"{key} {values[key]}" for key in ("nvcc", "python") if key in values]
        parts.append(
            f"{components[slot]['component']} {values['version']}"
            + (f" ({', '.join(extra)})" if extra else "")
        )
    return ", ".join(parts)
