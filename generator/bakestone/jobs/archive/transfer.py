"""An archive in a registry: one artifact whose layers are all of its blobs, pushed from a layout
and fetched into one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import Registry
from bakestone.core.documents import schema
from bakestone.core.documents.patterns import TAG
from bakestone.core.documents.words import Say
from bakestone.errors import ENVIRONMENT, USAGE, fail
from bakestone.files import open_regular
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.collect.create import PARALLEL, Made
from bakestone.jobs.archive.layout import MANIFEST, MAX_CATALOG, ArchiveLayout, config_of

MAX_MANIFEST = 4 * 2**20
"""Bytes of a manifest that registries must take (OCI distribution specification); more need not
work anywhere.
"""


def target(text: str) -> str:
    """HOST/REPOSITORY:TAG of what was given, `latest` without a tag.

    Raises `BakestoneError` (exit 2) for anything else.
    """
    head, slash, last = text.rpartition("/")
    name, colon, tag = last.partition(":")
    schema.check_value(head + slash + name, "site", "place", "the archive's place")
    if not slash or (colon and not TAG.fullmatch(tag)):
        hint = "HOST[:PORT]/REPOSITORY[:TAG]"
        raise fail(f"the archive's place cannot be {text[:120]!r}", hint, code=USAGE)
    return f"{head}/{name}:{tag or 'latest'}"


def push(folder: Path, reference: str, registry: Registry, say: Say) -> str:
    """Push an archive; blobs that the repository has are not sent. Gives the manifest's digest.

    The tag is moved last, when all blobs are there. Raises `BakestoneError` when a blob is not
    right or the registry fails.
    """
    layout = ArchiveLayout(folder)
    digest, raw = layout.manifest()
    if len(raw) > MAX_MANIFEST:
        raise fail(
            f"the archive has so many blobs that its manifest is {len(raw)} bytes long, and"
            f" registries take {MAX_MANIFEST}",
            "make several archives with selectors, or carry the folder",
            name=str(folder),
        )
    wanted = [config_of(raw, str(folder)), *layout.catalog().blobs()]

    def one(blob: str) -> int:
        if registry.has_blob(reference, blob):
            return 0
        path = layout.path(blob)
        if not layout.right(blob):
            hint = f"run `bakestone archive verify {folder}`"
            raise fail("the archive's blob is missing or altered", hint, name=str(path))
        with open_regular(path) as stream:
            blobs.push(registry, reference, stream, blob, path.stat().st_size)
        return 1

    with ThreadPoolExecutor(PARALLEL) as pool:
        sent = sum(pool.map(one, wanted))
    say(f"{sent} of {len(wanted)} blobs sent")
    registry.push_manifest(reference, raw, MANIFEST)
    return digest


def pull(reference: str, folder: Path, registry: Registry, say: Say) -> Made:
    """Fetch an archive into a folder, which may hold a part of it.

    Raises `BakestoneError` when it is none, or is not whole.
    """
    manifest = registry.need(reference)
    layout = ArchiveLayout(folder)
    layout.prepare()
    config = config_of(manifest.raw, reference)
    stated = manifest.config.size if manifest.config else 0
    if not 0 < stated <= MAX_CATALOG:
        why = "its manifest does not say how long the catalog is"
        raise fail(why, "push it again", name=reference, code=ENVIRONMENT)
    _fetch(layout, registry, reference, {config: stated})
    catalog = catalogs.parse(layout.read(config), reference)
    wanted = {digest: entry.size for digest, entry in catalog.blobs().items()}
    say(f"{_fetch(layout, registry, reference, wanted)} of {len(wanted)} blobs fetched")
    return Made(layout.seal(catalog), catalog)


def _fetch(layout: ArchiveLayout, registry: Registry, reference: str, sizes: dict[str, int]) -> int:
    def one(digest: str) -> int:
        if layout.right(digest):
            return 0
        with layout.writing(digest) as sink:
            blobs.fetch(registry, reference, digest, sink, sizes[digest])
        return 1

    with ThreadPoolExecutor(PARALLEL) as pool:
        return sum(pool.map(one, sizes))
