"""What a registry holds of a variant, read with limits and compared before it is believed.

Anybody who may push can put anything under a name: an index without images, a layer that unpacks
to gigabytes, the image of another variant.
"""

from __future__ import annotations

import gzip
import io
import itertools
import tarfile
import zlib
from collections.abc import Mapping

from bakestone.clients.registry.client import Manifest, Registry
from bakestone.clients.registry.manifest import is_digest
from bakestone.core.matrix.variant import slot_rank
from bakestone.core.render import measured
from bakestone.core.render.measured import Json
from bakestone.core.render.plan import PlannedVariant
from bakestone.core.render.release import ReleasedImage
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, fail
from bakestone.jobs.publish.attest import index
from bakestone.jobs.publish.found import Found

INVENTORY = "usr/share/bakestone/inventory.json"
MAX_INVENTORY = 1_000_000
"""Bytes of the layer that holds the inventory, and of the inventory; real ones have a few KB."""
MAX_UNPACKED = 4_000_000
"""Bytes of that layer when it is unpacked: the file and what tar puts around it."""
MAX_MEMBERS = 20
"""Files and folders of that layer; real ones have four."""
MAX_LAYERS = 1000
"""Layers of an image; engines take 127."""
_ODD = (
    tarfile.TarError,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    LookupError,
    TypeError,
    RecursionError,
    MemoryError,
)
"""What Python's own readers raise at archives that are none."""


class DisagreementError(Exception):
    """An image that is another one than its name says; `finding` has expected and measured."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def read(variant: PlannedVariant, reference: str, registry: Registry) -> Found | None:
    """What the registry has under a reference, for every platform; None when it is not there.

    Raises `BakestoneError` (exit 3) for what is no image of Bakestone, `DisagreementError` for the
    image of another variant.
    """
    top = registry.manifest(reference)
    if top is None:
        return None
    try:
        platforms = _platforms(top, variant)
        inventories, sizes = {}, []
        for platform, digest in platforms.items():
            image = registry.need(f"{variant.repository}@{digest}")
            layers = _layers(image.data)
            sizes.append(sum(size for _, size in layers))
            inventories[platform] = _inventory(registry, variant.repository, layers)
        wrong = {
            platform: measured.disagreements(variant.name, variant.expected, inventory)
            for platform, inventory in inventories.items()
        }
    except ValueError as problem:
        hint = "was the image pushed by something else? Remove it, then build again"
        said = f"{reference} is no image of Bakestone: {problem}"
        raise fail(said, hint, name=variant.name, code=ENVIRONMENT) from problem
    if any(wrong.values()):
        raise DisagreementError(_disagreement(variant, reference, wrong))
    return Found(top, platforms, sizes[0], inventories)


def released(variant: PlannedVariant, found: Found, digest: str) -> ReleasedImage:
    """The entry of a release: a variant's image, whose index or manifest has this digest."""
    slots = sorted(variant.variant.slots.values(), key=lambda c: slot_rank(c.slot))
    return ReleasedImage(
        variant.name,
        variant.family,
        variant.repository,
        variant.fingerprint,
        digest,
        found.platforms,
        found.size,
        variant.variant.base.ref,
        {chosen.slot: chosen.text for chosen in slots},
        found.inventories[variant.platforms[0]],
    )


def is_known(variant: PlannedVariant, image: ReleasedImage) -> bool:
    """Whether an entry of a release is of what a variant is now, and agrees with it."""
    try:
        wrong = measured.disagreements(variant.name, variant.expected, image.inventory)
    except ValueError:
        return False
    same = (image.name, image.repository, image.fingerprint, set(image.platforms))
    now = (variant.name, variant.repository, variant.fingerprint, set(variant.platforms))
    return same == now and not wrong


def _disagreement(
    variant: PlannedVariant, reference: str, wrong: Mapping[str, list[str]]
) -> Finding:
    several = len(wrong) > 1
    lines = [f"{p}: {line}" if several else line for p, found in wrong.items() for line in found]
    said = "\n".join(f"    {line}" for line in lines)
    hint = "no tag was moved"
    if reference == variant.kept:
        hint += f"; who pushed it? Remove {reference}, then build again"
    message = f"the image {reference} is not what its name says:\n{said}"
    return Finding(message, hint, name=variant.title)


def _platforms(top: Manifest, variant: PlannedVariant) -> dict[str, str]:
    """Platform -> manifest digest, in the variant's order: exactly its platforms, each once."""
    if "manifests" not in top.data:
        found = {variant.platforms[0]: top.digest}
    else:
        found = top.platforms
        if len(index.images(top.data)) != len(found):
            raise ValueError("its index has an image for no platform, or two for one")
    if set(found) != set(variant.platforms):
        there = ", ".join(sorted(found)) or "nothing"
        raise ValueError(f"it is for {there}, not for {', '.join(variant.platforms)}")
    return {platform: found[platform] for platform in variant.platforms}


def _layers(manifest: Mapping[str, object]) -> list[tuple[str, int]]:
    """Digest and size of each layer."""
    layers = manifest.get("layers")
    if not isinstance(layers, list) or not 0 < len(layers) <= MAX_LAYERS:
        raise ValueError("it has no layers")
    found = []
    for layer in layers:
        digest = layer.get("digest") if isinstance(layer, dict) else None
        size = layer.get("size") if isinstance(layer, dict) else None
        if not is_digest(digest) or type(size) is not int or size < 0:
            raise ValueError("it has a layer without a digest or a size")
        found.append((str(digest), size))
    return found


def _inventory(registry: Registry, where: str, layers: list[tuple[str, int]]) -> Json:
    """inventory.json out of the image's last layer, which holds nothing else."""
    digest, size = layers[-1]
    if size > MAX_INVENTORY:
        raise ValueError("its last layer holds more than an inventory")
    return measured.parse(_unpacked(registry.blob(f"{where}@{digest}")))


def _unpacked(blob: bytes) -> bytes:
    found = []
    try:
        if len(blob) > MAX_INVENTORY:
            raise ValueError
        raw = blob
        if blob.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(blob)) as stream:
                raw = stream.read(MAX_UNPACKED + 1)
        if len(raw) > MAX_UNPACKED:
            raise ValueError
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for member in itertools.islice(archive, MAX_MEMBERS):
                name = member.name.removeprefix("./").lstrip("/")
                if name == INVENTORY and member.isfile() and member.size <= MAX_INVENTORY:
                    content = archive.extractfile(member)
                    found.append(content.read(MAX_INVENTORY) if content else b"")
    except _ODD as problem:
        raise ValueError("its last layer is no archive of an inventory") from problem
    if len(found) != 1:
        raise ValueError(f"its last layer has {'no' if not found else 'more than one'} {INVENTORY}")
    return found[0]


def unpublished(reference: str) -> BakestoneError:
    """The error of an image that was pushed, and is not there."""
    hint = "is a proxy in between, or does the registry remove what has no tag? Run it again"
    said = f"{reference} was pushed, and is not in the registry"
    return fail(said, hint, name=reference, code=ENVIRONMENT)
