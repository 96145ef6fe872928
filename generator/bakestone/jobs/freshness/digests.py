"""What the registries have today behind the tags of the locked base images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bakestone.clients.parallel import in_parallel
from bakestone.clients.registry.client import Manifest, Reference, Registry
from bakestone.core.lock.lock import LockedBase
from bakestone.errors import BakestoneError, Finding


@dataclass(frozen=True)
class Today:
    """A tag as its registry has it: the digest, empty when there is no such tag; or the `problem`
    that hid it.

    `platforms` and `created` (a day, empty when nobody says) are looked up only where the digest is
    not the locked one.
    """

    digest: str = ""
    platforms: dict[str, str] = field(default_factory=dict)
    created: str = ""
    problem: Finding | None = None


def ask(bases: Mapping[str, LockedBase], registry: Registry) -> dict[str, Today]:
    """Every base's tag, asked of its registry or mirror in parallel."""
    found = dict(in_parallel(lambda ref: _one(ref, bases[ref], registry), bases))
    return {
        ref: Today(problem=answer.findings[0]) if isinstance(answer, BakestoneError) else answer
        for ref, answer in ((ref, found[ref]) for ref in bases)
    }


def _one(ref: str, locked: LockedBase, registry: Registry) -> Today:
    reference = registry.site.mirror(ref)
    try:
        digest = registry.head(reference)
        if digest is None or digest == locked.digest:
            return Today(digest or "")
        manifest = registry.manifest(reference)
        if manifest is None:
            return Today()
        created = _created(reference, manifest, locked.platforms, registry)
        return Today(manifest.digest, manifest.platforms, created)
    except (AttributeError, KeyError, TypeError, ValueError):
        host = Reference.parse(reference).host
        why = f"the registry {host} gave no manifest for {ref}"
        hint = "is a proxy or a login page in between?"
        return Today(problem=Finding(why, hint, name=host))


def _created(
    reference: str, manifest: Manifest, platforms: Iterable[str], registry: Registry
) -> str:
    """The day on which the image was made, as its configuration says."""
    single: Manifest | None = manifest
    if manifest.platforms:
        known = [manifest.platforms[p] for p in platforms if p in manifest.platforms]
        digest = [*known, *manifest.platforms.values()][0]
        single = registry.manifest(str(Reference.parse(reference).at(digest)))
    try:
        config = registry.config(reference, single) if single else {}
        return datetime.fromisoformat(str(config.get("created"))).astimezone(UTC).date().isoformat()
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""
