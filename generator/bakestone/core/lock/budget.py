"""The freshness budget: which entries of a lock are older than `max-age` in images.yaml allows.

Pure: the time is an argument.

What ages is what the world goes on changing behind a name: the tag of a base image, a package
archive. Files, wheels and keys do not: they are what their checksum or fingerprint says for ever;
nor does an archive that no longer changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bakestone.core.documents.words import count
from bakestone.core.library.catalog import Library
from bakestone.core.lock import survey
from bakestone.core.lock.lock import Lock, LockedPackages
from bakestone.core.matrix.spec import MaxAge
from bakestone.core.matrix.variant import Variant
from bakestone.errors import Finding

SHOWN = 5
"""Entries that one finding names; the others are counted."""


@dataclass(frozen=True)
class AgeingEntry:
    """An entry that ages: what it is, and since when."""

    ref: str
    kind: str
    since: datetime

    def text(self, at: datetime) -> str:
        """`docker.io/library/debian:12 (base image, 45 days)`, or `3 hours` below two days."""
        hours = self.hours(at)
        age = f"{hours // 24} days" if hours >= 48 else count(hours, "hour")
        return f"{self.ref} ({self.kind}, {age if hours >= 0 else 'not yet resolved then'})"

    def hours(self, at: datetime) -> int:
        """Its age at a time, rounded down."""
        return (at - self.since) // timedelta(hours=1)


def entries(lock: Lock) -> list[AgeingEntry]:
    """Every entry that ages, the oldest first."""
    found = [
        AgeingEntry(ref, "base image", datetime.fromisoformat(base.resolved))
        for ref, base in lock.bases.items()
    ]
    found += [_of_packages(ref, p) for ref, p in lock.packages.items() if p.pins != "frozen"]
    return sorted(found, key=lambda e: (e.since, e.ref, e.kind))


def _of_packages(ref: str, packages: LockedPackages) -> AgeingEntry:
    """Of a snapshot since the archive's time: one that was locked later is no younger for that."""
    since = datetime.fromisoformat(packages.resolved)
    if packages.snapshot:
        since = min(since, datetime.fromisoformat(packages.snapshot))
    snapshot = packages.pins == "snapshot"
    return AgeingEntry(ref, "packages as of a time" if snapshot else "package versions", since)


def findings(
    lock: Lock, variants: Iterable[Variant], library: Library, at: datetime, severity: str = "error"
) -> list[Finding]:
    """A finding for each `max-age` that an entry is past, at its place in images.yaml.

    The variants are those that the lock was made for; an entry counts for the families that use it.
    """
    users: dict[MaxAge, list[Variant]] = {}
    for variant in variants:
        if variant.family.max_age is not None:
            users.setdefault(variant.family.max_age, []).append(variant)
    found = []
    hint = (
        "run `bakestone lock --update`, then `bakestone generate`; an entry stays as old as it is"
        " where nobody answers"
    )
    for limit, own in users.items():
        bases = survey.collect(own, library).bases
        old = [e for e in entries(lock) if e.ref in bases and at - e.since > limit.span]
        if not old:
            continue
        more = f", and {len(old) - SHOWN} more" if len(old) > SHOWN else ""
        are = f"{len(old)} entries of the lock are" if len(old) > 1 else "an entry of the lock is"
        listed = ", ".join(e.text(at) for e in old[:SHOWN])
        why = f"{are} older than {limit.text}: {listed}{more}"
        found.append(Finding(why, hint, limit.where, severity=severity))
    return found


def unpinned(lock: Lock) -> list[Finding]:
    """A finding for each base image without a digest."""
    what = "it has no digest, so the image behind its name can change"
    hint = "run `bakestone lock` where its registry or a mirror can be reached"
    return [
        Finding(f"{what}: {base.note or 'nobody knows it'}", hint, name=ref)
        for ref, base in sorted(lock.bases.items())
        if not base.digest
    ]


def summary(found: list[AgeingEntry], at: datetime) -> str:
    """`the oldest of 9 entries that age: debian:12 (base image, 3 days)`."""
    if not found:
        return "nothing in it ages"
    return f"the oldest of {len(found)} entries that age: {found[0].text(at)}"


def plain(found: list[AgeingEntry], at: datetime) -> list[Mapping[str, object]]:
    """For `--format json`: each entry with its age in hours."""
    return [
        {"ref": e.ref, "kind": e.kind, "since": e.since.isoformat(), "hours": e.hours(at)}
        for e in found
    ]
