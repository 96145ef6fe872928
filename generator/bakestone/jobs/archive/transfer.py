"""An archive in a registry: one artifact whose layers are all of its blobs, pushed from a layout
and fetched into one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.manifest import MANIFEST, MAX_DOCUMENT
from bakestone.core.documents import schema
from bakestone.core.documents.patterns import TAG
from bakestone.core.documents.words import Say
from bakestone.errors import ENVIRONMENT, USAGE, fail
from bakestone.files import open_regular
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.collect.create import PARALLEL, Made
from bakestone.jobs.archive.collect.images import fetch
from bakestone.jobs.archive.layout import MAX_CATALOG, ArchiveLayout, config_of


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
    manifest = layout.manifest()
    size = len(manifest.raw)
    if size > MAX_DOCUMENT:  # more need not work anywhere (OCI distribution specification)
        why = f"the archive has so many blobs that its manifest is {size} bytes long, and"
        why += f" registries take {MAX_DOCUMENT}"
        hint = "make several archives with selectors, or carry the folder"
        raise fail(why, hint, name=str(folder))
    wanted = [config_of(manifest, str(folder)).digest, *layout.catalog().blobs()]

    def send(blob: str) -> bool:
        if registry.has_blob(reference, blob):
            return False
        path = layout.path(blob)
        if not layout.right(blob):
            hint = f"run `bakestone archive verify {folder}`"
            raise fail("the archive's blob is missing or altered", hint, name=str(path))
        with open_regular(path) as stream:
            registry.upload(reference, stream, blob, path.stat().st_size)
        return True

    with ThreadPoolExecutor(PARALLEL) as pool:
        sent = sum(pool.map(send, wanted))
    say(f"{sent} of {len(wanted)} blobs sent")
    registry.push_manifest(reference, manifest.raw, MANIFEST)
    return manifest.digest


def pull(reference: str, folder: Path, registry: Registry, say: Say) -> Made:
    """Fetch an archive into a folder, which may hold a part of it.

    Raises `BakestoneError` when it is none, or is not whole.
    """
    manifest = registry.need(reference)
    layout = ArchiveLayout(folder)
    layout.prepare()
    config = config_of(manifest, reference)
    if not 0 < config.size <= MAX_CATALOG:
        why = "its manifest does not say how long the catalog is"
        raise fail(why, "push it again", name=reference, code=ENVIRONMENT)
    fetch(registry, reference, layout, config)
    catalog = catalogs.parse(layout.read(config.digest), reference)
    wanted = catalog.blobs().values()
    with ThreadPoolExecutor(PARALLEL) as pool:
        came = sum(pool.map(partial(fetch, registry, reference, layout), wanted))
    say(f"{came} of {len(wanted)} blobs fetched")
    return Made(layout.seal(catalog), catalog)
