"""The digests of base images: from their registry, or where none answers from the library."""

from __future__ import annotations

from bakestone.clients.registry.client import Manifest, Reference, Registry
from bakestone.clients.registry.manifest import platform
from bakestone.clients.site.site import Site
from bakestone.core.library.version import Base
from bakestone.core.lock.lock import LIBRARY, REGISTRY, LockedBase
from bakestone.errors import BakestoneError


def resolve(
    base: Base, platforms: set[str], registry: Registry, site: Site, now: str
) -> LockedBase:
    """The locked form of a base image for the platforms wanted.

    The registry's answer wins. Where it cannot be reached or does not have the tag, the library's
    digest is taken, and `note` says why. A mirror that the site names is another thing: it must
    answer, or the lock would quietly hold what this site does not have.
    """
    reference = site.mirror(base.ref)
    try:
        manifest = registry.manifest(reference)
        why = "the registry has no such tag" if manifest is None else ""
    except BakestoneError as problem:
        if reference != base.ref:
            raise
        manifest, why = None, problem.findings[0].message
    if manifest is None:
        return _from_library(base, why, now)
    found = _platforms(reference, manifest, registry)
    missing = sorted(platforms - set(found))
    if missing:
        has = f"it for {', '.join(found)} only" if found else "nothing for Linux under that tag"
        return _from_library(base, f"the registry has {has}", now)
    wanted = {name: digest for name, digest in found.items() if name in platforms}
    epoch = min(_epoch(reference, d, registry) for d in wanted.values())
    return LockedBase(manifest.digest, wanted, REGISTRY, now, epoch, provides=dict(base.provides))


def _platforms(reference: str, manifest: Manifest, registry: Registry) -> dict[str, str]:
    if manifest.platforms:
        return manifest.platforms
    if "manifests" in manifest.data:
        return {}  # an index without anything for Linux
    only = platform(registry.config(reference, manifest))
    return {only: manifest.digest} if only else {}


def _epoch(reference: str, digest: str, registry: Registry) -> int:
    """SOURCE_DATE_EPOCH of what is built on it: when the base was made.

    Raises `BakestoneError` when the registry does not have what its own index names: without the
    time, what is built would be another image each time.
    """
    name = str(Reference.parse(reference).at(digest))
    return registry.created(name, registry.need(name))


def _from_library(base: Base, why: str, now: str) -> LockedBase:
    origin = "digest from the component library" if base.digest else "without a digest"
    note = "; ".join(text for text in (f"{origin}: {why}", base.note) if text)
    platforms, epoch = dict(base.platforms), base.epoch
    return LockedBase(base.digest, platforms, LIBRARY, now, epoch, note, dict(base.provides))
