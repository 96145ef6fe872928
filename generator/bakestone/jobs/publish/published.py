"""What a registry holds of a variant, read with limits and compared before it is believed.

Anybody who may push can put anything under a name: an index without images, a layer that unpacks
to gigabytes, the image of another variant.
"""

from __future__ import annotations

import io
import itertools
import tarfile
from collections.abc import Mapping
from dataclasses import replace

from bakestone.clients.http.session import LedAstrayError, UnreachableError
from bakestone.clients.registry import compressed
from bakestone.clients.registry.auth import BusyError, DeniedError, UnfitError
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.manifest import Descriptor, Manifest
from bakestone.clients.registry.manifest import platform as platform_of
from bakestone.core.matrix.variant import slot_rank
from bakestone.core.render import measured, packagelist, release
from bakestone.core.render.measured import Json
from bakestone.core.render.plan import PlannedVariant
from bakestone.core.render.release import ReleasedImage
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, fail
from bakestone.jobs.publish import sizes
from bakestone.jobs.publish.attest import index
from bakestone.jobs.publish.failures import FailedVariant, VariantError
from bakestone.jobs.publish.found import INVENTORY, PACKAGES, Found, FoundPlatform

MAX_INVENTORY = 1_000_000
"""Bytes of each file that is read of the layer which holds what was measured; real ones have some
tens of KB.
"""
MAX_LAYER = 4_000_000
"""Bytes of that layer; with the list of the files of Miniconda it has some hundreds of KB."""
MAX_UNPACKED = 16_000_000
"""Bytes of that layer when it is unpacked: the lists, of which that of files has 12 MB at most
(tools/inventory.sh), and what tar puts around them.
"""
MAX_MEMBERS = 20
"""Files and folders of that layer; real ones have five."""
MAX_LAYERS = 1000
"""Layers of an image; engines take 127."""
_ODD: tuple[type[Exception], ...] = (
    tarfile.TarError,
    *compressed.BROKEN,
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


_WIDE = (UnreachableError, LedAstrayError, BusyError, DeniedError, UnfitError)
"""What led to an error that concerns a registry as a whole, and not one image in it."""


def read(variant: PlannedVariant, reference: str, registry: Registry) -> Found | None:
    """What the registry has under a reference, for every platform; None when it is not there.

    Raises `VariantError` for what is no image of Bakestone, and for that of another variant.
    """
    try:
        top = _top(reference, registry)
        if top is None:
            return None
        platforms = {
            platform: _noted(top, entry) or _measured(variant, entry, registry)
            for platform, entry in _platforms(top, variant).items()
        }
        wrong = {
            platform: measured.disagreements(variant.name, variant.expected, image.inventory)
            for platform, image in platforms.items()
        }
    except ValueError as problem:
        hint = "was the image pushed by something else? Remove it, then build again"
        said = f"{reference} is no image of Bakestone: {problem}"
        raise _refused(Finding(said, hint, name=variant.title), environment=True) from problem
    except BakestoneError as problem:
        if isinstance(problem.__cause__, _WIDE):
            raise
        finding = replace(problem.findings[0], name=variant.title)
        raise _refused(finding, environment=True) from problem
    if any(wrong.values()):
        raise _refused(_disagreement(variant, reference, wrong), environment=False)
    for platform, image in platforms.items():
        too_large = sizes.exceeded(variant, platform, image.size, image.layers)
        if too_large:
            raise _refused(too_large, environment=False)
    return Found(top, platforms)


def released(variant: PlannedVariant, found: Found, digest: str) -> ReleasedImage:
    """The entry of a release: a variant's image, whose index or manifest has this digest."""
    slots = sorted(variant.variant.slots.values(), key=lambda c: slot_rank(c.slot))
    first = found.platforms[variant.platforms[0]]
    return ReleasedImage(
        variant.name,
        variant.family,
        variant.repository,
        variant.fingerprint,
        digest,
        {platform: image.digest for platform, image in found.platforms.items()},
        first.size,
        variant.variant.base.ref,
        {chosen.slot: chosen.pin for chosen in slots},
        first.inventory,
        first.layers,
    )


def is_known(variant: PlannedVariant, image: ReleasedImage) -> bool:
    """Whether an entry of a release is of what a variant is now, and agrees with it. Where a family
    has a budget each image is looked at: the entry has the sizes of one platform alone.
    """
    then = (image.name, image.repository, image.fingerprint, set(image.platforms))
    now = (variant.name, variant.repository, variant.fingerprint, set(variant.platforms))
    if variant.variant.family.max_size is not None:
        return False
    try:
        return then == now and not measured.disagreements(
            variant.name, variant.expected, image.inventory
        )
    except ValueError:
        return False


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


def _refused(finding: Finding, *, environment: bool) -> VariantError:
    return VariantError(FailedVariant(finding, environment))


def _top(reference: str, registry: Registry) -> Manifest | None:
    try:
        return registry.manifest(reference)
    except BakestoneError as problem:
        # some registries deny a repository that is not there yet: `head` knows
        if isinstance(problem.__cause__, DeniedError) and registry.head(reference) is None:
            return None
        raise


def _platforms(top: Manifest, variant: PlannedVariant) -> dict[str, Json]:
    """Platform -> the image's descriptor, in the variant's order: exactly its platforms, each
    once.
    """
    if "manifests" in top.data:
        entries = index.images(top.data)
        found = {platform_of(entry.get("platform")): entry for entry in entries}
        if len(entries) != len(found) or "" in found:
            raise ValueError("its index has an image for no platform, or two for one")
    else:
        found = {variant.platforms[0]: {"digest": top.digest}}
    if set(found) != set(variant.platforms):
        there = ", ".join(sorted(found)) or "nothing"
        raise ValueError(f"it is for {there}, not for {', '.join(variant.platforms)}")
    return {platform: found[platform] for platform in variant.platforms}


def _noted(top: Manifest, entry: Json) -> FoundPlatform | None:
    """An image by what its index says of it: who may write that may write the image as well."""
    note = index.note(entry) if index.is_done(top.data) else None
    if note is None:
        return None
    layers = sizes.parse(index.annotation(entry, index.LAYERS))
    return FoundPlatform(str(entry["digest"]), note[1], _inventory(note[0]), layers=layers)


def _measured(variant: PlannedVariant, entry: Json, registry: Registry) -> FoundPlatform:
    """An image by what its gate wrote, out of its last layer, which holds nothing else."""
    digest, where = str(entry["digest"]), variant.repository
    image = registry.need(f"{where}@{digest}")
    layers: tuple[Descriptor, ...] = () if "manifests" in image.data else image.layers
    size = sum(layer.size for layer in layers)
    if not size or len(layers) > MAX_LAYERS:
        raise ValueError("it has no layers")
    if layers[-1].size > MAX_LAYER:
        raise ValueError("its last layer holds more than what was measured")
    blob = registry.blob(f"{where}@{layers[-1].digest}")
    files = _unpacked(blob)
    if INVENTORY not in files:
        raise ValueError(f"its last layer has no {INVENTORY}")
    listed = files.get(PACKAGES)
    packages = None if listed is None else packagelist.parse(listed)
    config = registry.blob(f"{where}@{image.config.digest}") if image.config else b""
    told = sizes.layers(variant.variant, [(one.digest, one.size) for one in layers], config)
    return FoundPlatform(digest, size, _inventory(files[INVENTORY]), packages, told)


def _inventory(content: bytes | str) -> Json:
    found = measured.parse(content)
    release.check_inventory(found)
    return found


def _unpacked(blob: bytes) -> dict[str, bytes]:
    """What was measured, by the names of the files."""
    found: list[tuple[str, bytes]] = []
    try:
        if len(blob) > MAX_LAYER:
            raise ValueError
        with compressed.opened(io.BytesIO(blob)) as stream:
            raw = stream.read(MAX_UNPACKED + 1)
        if len(raw) > MAX_UNPACKED:
            raise ValueError
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for member in itertools.islice(archive, MAX_MEMBERS):
                name = member.name.removeprefix("./").lstrip("/")
                if name not in (INVENTORY, PACKAGES):
                    continue
                if not member.isfile() or member.size > MAX_INVENTORY:
                    raise ValueError
                content = archive.extractfile(member)
                found.append((name, content.read(MAX_INVENTORY) if content else b""))
    except _ODD as problem:
        raise ValueError("its last layer is no archive of an inventory") from problem
    files = dict(found)
    if len(files) != len(found):
        raise ValueError("its last layer has a file twice")
    return files


def unpublished(reference: str) -> BakestoneError:
    """The error of an image that was pushed, and is not there."""
    hint = "is a proxy in between, or does the registry remove what has no tag? Run it again"
    said = f"{reference} was pushed, and is not in the registry"
    return fail(said, hint, name=reference, code=ENVIRONMENT)
