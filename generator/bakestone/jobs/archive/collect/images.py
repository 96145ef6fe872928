"""Base images copied as they are: the index, the manifests of the platforms wanted, and their
blobs, digests kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import INDEX_TYPES, Manifest, Reference, Registry
from bakestone.clients.registry.manifest import Descriptor
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import LockedBase
from bakestone.errors import ENVIRONMENT, fail
from bakestone.jobs.archive.catalog import IMAGE, PART, ArchivedBlob
from bakestone.jobs.archive.layout import ArchiveLayout

Job = Callable[[], ArchivedBlob]


def copy(
    ref: str, locked: LockedBase, users: Users, registry: Registry, layout: ArchiveLayout
) -> tuple[list[ArchivedBlob], list[Job]]:
    """Write what describes a base image; gives that, and a job for each of its blobs, which fetches
    it unless it is there.

    Raises `BakestoneError` when the registry does not have the image with the lock's digest for
    these platforms.
    """
    repository = Reference.parse(registry.site.mirror(ref)).name
    root = registry.need(f"{repository}@{locked.digest}")
    parts, outside = [root], Reference.parse(ref).name
    described = [(IMAGE, ref, root)]
    if root.media_type in INDEX_TYPES:
        there = root.platforms
        lacking = sorted(p for p in users.platforms if p not in there)
        if lacking:
            why = f"{ref}@{locked.digest} is not there for {', '.join(lacking)}"
            raise fail(why, "lock again", name=repository, code=ENVIRONMENT)
        parts = [registry.need(f"{repository}@{there[p]}") for p in sorted(users.platforms)]
        described += [(PART, outside, part) for part in parts]
    entries = []
    for kind, name, manifest in described:
        blob = Descriptor(layout.put(manifest.raw), len(manifest.raw), manifest.media_type)
        entries.append(_entry(kind, name, blob, users))

    def part(blob: Descriptor) -> ArchivedBlob:
        fetch(registry, repository, layout, blob)
        return _entry(PART, outside, blob, users)

    return entries, [partial(part, blob) for one in parts for blob in _blobs(one, repository)]


def fetch(
    registry: Registry, reference: str, layout: ArchiveLayout, blob: Descriptor | ArchivedBlob
) -> bool:
    """Bring a blob of a repository into the archive, unless it is there. Gives whether it came.

    Raises `BakestoneError` for one that is longer than its size, or is not what its digest says.
    """
    if layout.right(blob.digest):
        return False
    with layout.writing(blob.digest) as sink:
        blobs.fetch(registry, reference, blob.digest, sink, blob.size)
    return True


def _entry(kind: str, name: str, blob: Descriptor, users: Users) -> ArchivedBlob:
    return ArchivedBlob(kind, name, blob.digest, blob.size, blob.media_type, users.names)


def _blobs(manifest: Manifest, repository: str) -> list[Descriptor]:
    """The configuration and the layers of a manifest."""
    found = [d for d in (manifest.config, *manifest.layers) if d and d.media_type]
    if not manifest.config or not manifest.layers or len(found) < 1 + len(manifest.layers):
        why = f"the manifest {manifest.digest} is of a form that is not known"
        raise fail(why, "is it an image for Linux?", name=repository, code=ENVIRONMENT)
    return found
