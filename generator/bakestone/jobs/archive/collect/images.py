"""Base images copied as they are: the index, the manifests of the platforms wanted, and their
blobs, digests kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import INDEX_TYPES, Manifest, Registry
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
            raise fail(
                f"{ref}@{locked.digest} is not there for {', '.join(lacking)}",
                "lock again",
                name=repository,
                code=ENVIRONMENT,
            )
        parts = [registry.need(f"{repository}@{there[p]}") for p in sorted(users.platforms)]
        entries += [_write(layout, PART, outside, part, users) for part in parts]
    jobs = [
        _job(f"{repository}:latest", outside, d, users, registry, layout)
        for part in parts
        for d in _descriptors(part, repository)
    ]
    return entries, jobs


def _write(
    layout: ArchiveLayout, kind: str, name: str, manifest: Manifest, users: Users
) -> ArchivedBlob:
    layout.put(manifest.raw)
    return ArchivedBlob(
        kind, name, manifest.digest, len(manifest.raw), manifest.media_type, users.names
    )


def _descriptors(manifest: Manifest, repository: str) -> Iterator[dict[str, Any]]:
    """The configuration and the layers of a manifest."""
    try:
        found = [manifest.data["config"], *manifest.data["layers"]]
        if all(
            is_digest(d["digest"])
            and isinstance(d["size"], int)
            and isinstance(d["mediaType"], str)
            for d in found
        ):
            yield from found
            return
    except (KeyError, TypeError):
        pass
    raise fail(
        f"the manifest {manifest.digest} is of a form that is not known",
        "is it an image for Linux?",
        name=repository,
        code=ENVIRONMENT,
    )


def _job(
    reference: str,
    outside: str,
    descriptor: dict[str, Any],
    users: Users,
    registry: Registry,
    layout: ArchiveLayout,
) -> Job:
    digest, size = descriptor["digest"], descriptor["size"]

    def run() -> ArchivedBlob:
        if not layout.right(digest):
            with layout.writing(digest) as sink:
                blobs.fetch(registry, reference, digest, sink, size)  # type: ignore[arg-type]
        return ArchivedBlob(PART, outside, digest, size, descriptor["mediaType"], users.names)

    return run


def _repository(ref: str) -> str:
    """A reference without its tag."""
    head, slash, last = ref.rpartition("/")
    return head + slash + last.partition(":")[0].partition("@")[0]
