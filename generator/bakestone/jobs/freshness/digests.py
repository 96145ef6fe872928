"""What the registries have today behind the tags of the locked base images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bakestone.clients.registry.client import PARALLEL, Manifest, Reference, Registry
from bakestone.core.lock.model import LockedBase
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
    """Every base's tag, asked of its registry or mirror in parallel.

    A host that gives one error twice is not asked again: its other tags get the same problem.
    """
    hosts: dict[str, list[str]] = {}
    for ref in bases:
        hosts.setdefault(Reference.parse(registry.site.mirror(ref)).host, []).append(ref)
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(lambda refs: _host(refs, bases, registry), hosts.values()))
    return {ref: today for answer in answers for ref, today in answer.items()}


def _host(refs: list[str], bases: Mapping[str, LockedBase], registry: Registry) -> dict[str, Today]:
    found = {ref: _one(ref, bases[ref], registry) for ref in refs[:2]}
    problems = {today.problem for today in found.values()}
    if len(found) == 2 and len(problems) == 1 and None not in problems:
        return {**found, **dict.fromkeys(refs[2:], Today(problem=next(iter(problems))))}
    with ThreadPoolExecutor(PARALLEL) as pool:
        return {
            **found,
            **dict(
                zip(
                    refs[2:],
                    pool.map(lambda ref: _one(ref, bases[ref], registry), refs[2:]),
                    strict=True,
                )
            ),
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
        return Today(
            manifest.digest,
            manifest.platforms,
            _created(reference, manifest, locked.platforms, registry),
        )
    except BakestoneError as problem:
        return Today(problem=problem.findings[0])
    except (AttributeError, KeyError, TypeError, ValueError):
        host = Reference.parse(reference).host
        return Today(
            problem=Finding(
                f"the registry {host} gave no manifest for {ref}",
                "is a proxy or a login page in between?",
                name=host,
            )
        )


def _created(
    reference: str, manifest: Manifest, platforms: Iterable[str], registry: Registry
) -> str:
    """The day on which the image was made, as its configuration says."""
    parsed = Reference.parse(reference)
    single: Manifest | None = manifest
    name = f"{parsed.host}/{parsed.repository}"
    if manifest.platforms:
        digest = next(
            (manifest.platforms[p] for p in platforms if p in manifest.platforms),
            next(iter(manifest.platforms.values())),
        )
        single = registry.manifest(f"{name}@{digest}")
    try:
        config = registry.config(f"{name}:{parsed.target}", single) if single else {}
        return datetime.fromisoformat(str(config.get("created"))).astimezone(UTC).date().isoformat()
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""
