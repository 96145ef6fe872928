"""Base images copied as they are: the index, the manifests of the platforms wanted, and their
blobs, digests kept.
"""

from __future__ import annotations

from collections.abc import Callable

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import INDEX_TYPES, Manifest, Registry
from bakestone.clients.registry.manifest import Descriptor
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import LockedBase
from bakestone.errors import ENVIRONMENT, fail
from bakestone.jobs.archive.catalog import IMAGE, PART, ArchivedBlob, is_digest
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
    repository = _repository(registry.site.mirror(ref))
    outside = _repository(ref)
    root = registry.need(f"{repository}@{locked.digest}")
    entries = [_write(layout, IMAGE, ref, root, users)]
    parts = [root]
    if root.media_type in INDEX_TYPES:
        there = root.platforms
        lacking = sorted(p for p in users.platforms if p not in there)
        if lacking:
            why = f"{ref}@{locked.digest} is not there for {', '.join(lacking)}"
            raise fail(why, "lock again", name=repository, code=ENVIRONMENT)
        parts = [registry.need(f"{repository}@{there[p]}") for p in sorted(users.platforms)]
        entries += [_write(layout, PART, outside, part, users) for part in parts]
    jobs = [
        _job(f"{repository}:latest", outside, blob, users, registry, layout)
        for part in parts
        for blob in _blobs(part, repository)
    ]
    return entries, jobs


def _write(
    layout: ArchiveLayout, kind: str, name: str, manifest: Manifest, users: Users
) -> ArchivedBlob:
    layout.put(manifest.raw)
    size = len(manifest.raw)
    return ArchivedBlob(kind, name, manifest.digest, size, manifest.media_type, users.names)


def _blobs(manifest: Manifest, repository: str) -> list[Descriptor]:
    """The configuration and the layers of a manifest."""
    found = [manifest.config, *manifest.layers]
    known = [d for d in found if d and is_digest(d.digest) and d.media_type]
    if not manifest.config or not manifest.layers or len(known) < len(found):
        why = f"the manifest {manifest.digest} is of a form that is not known"
        raise fail(why, "is it an image for Linux?", name=repository, code=ENVIRONMENT)
    return known


def _job(
    reference: str,
    outside: str,
    blob: Descriptor,
    users: Users,
    registry: Registry,
    layout: ArchiveLayout,
) -> Job:
    def run() -> ArchivedBlob:
        if not layout.right(blob.digest):
            with layout.writing(blob.digest) as sink:
                blobs.fetch(registry, reference, blob.digest, sink, blob.size)
        return ArchivedBlob(PART, outside, blob.digest, blob.size, blob.media_type, users.names)

    return run


def _repository(ref: str) -> str:
    """A reference without its tag."""
    head, slash, last = ref.rpartition("/")
    return head + slash + last.partition(":")[0].partition("@")[0]
