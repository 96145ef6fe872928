"""What an unfinished `bakestone lock` has resolved, kept beside the lock so that the next run goes
on from there.

The file has the form of a lock and is checked like one. It is there only while a run is at work, or
when one did not come to its end; entries older than a day, or of a site with other mirrors, are not
used.
"""

from __future__ import annotations

import hashlib
import json
import time
from datetime import datetime, timedelta
from pathlib import Path

from bakestone.clients.site.site import Site
from bakestone.core.documents.words import Say
from bakestone.core.lock import lockfile
from bakestone.core.lock.lock import Lock, LockedBase, LockedPackages
from bakestone.errors import BakestoneError

MAX_AGE = timedelta(days=1)
PAUSE = 1.0
"""Seconds between two writes: a lock of many images is large, and what a killed run loses is a
second's work.
"""
_KEPT = "of the lock"
"""Note of a base that was not asked for, and stands here to say on which image packages were
resolved.
"""


def path_of(lock_path: Path) -> Path:
    """Where the journal of a lock is."""
    return lock_path.with_name(f".{lock_path.name}.partial")


class Journal:
    """Use `base` and `packages` to ask what an earlier run left, `note_...` to write down what this
    one found.
    """

    def __init__(self, lock_path: Path, site: Site, now: datetime, say: Say) -> None:
        self.path = path_of(lock_path)
        self.inputs = _fingerprint(site)
        self.now = now
        self.lock = self._load(say)
        self._written = time.monotonic()
        self._changed = False

    def _load(self, say: Say) -> Lock:
        """What an earlier run left; nothing when it is no lock, as it is made again."""
        nothing = Lock(self.inputs)
        try:
            found = lockfile.load(self.path) if self.path.exists() else nothing
        except BakestoneError:
            say(f"{self.path}: not what a run of `bakestone lock` writes, so it is not used")
            return nothing
        if found.inputs != self.inputs:
            return nothing
        young = {ref: b for ref, b in found.bases.items() if self._young(b.resolved)}
        on_these = {
            r: p for r, p in found.packages.items() if r in young and self._young(p.resolved)
        }
        return Lock(self.inputs, bases=young, packages=on_these)

    def _young(self, resolved: str) -> bool:
        return timedelta(0) <= self.now - datetime.fromisoformat(resolved) <= MAX_AGE

    def base(self, ref: str) -> LockedBase | None:
        """What an earlier run found."""
        found = self.lock.bases.get(ref)
        return found if found and found.note != _KEPT else None

    def packages(self, ref: str, base: LockedBase) -> LockedPackages | None:
        """What an earlier run found on this base; nothing when it was another image."""
        there = self.lock.bases.get(ref)
        return self.lock.packages.get(ref) if there and there.digest == base.digest else None

    def note_base(self, ref: str, base: LockedBase) -> None:
        """Write down a base image."""
        self.lock.bases[ref] = base
        self._save_now_and_then()

    def note_packages(self, ref: str, base: LockedBase, packages: LockedPackages) -> None:
        """Write down the packages that were resolved on a base."""
        if ref not in self.lock.bases or self.lock.bases[ref].digest != base.digest:
            self.lock.bases[ref] = LockedBase(
                base.digest, base.platforms, base.resolved_from, packages.resolved, note=_KEPT
            )
        self.lock.packages[ref] = packages
        self._save_now_and_then()

    def _save_now_and_then(self) -> None:
        self._changed = True
        if time.monotonic() - self._written > PAUSE:
            self.save()

    def save(self) -> bool:
        """Write what is not written yet; a full disk is told when the lock itself cannot be
        written. True when a file is there.
        """
        if self._changed:
            try:
                lockfile.write(self.lock, self.path)
            except BakestoneError:
                self.drop()
            self._changed, self._written = False, time.monotonic()
        return self.path.exists()

    def drop(self) -> None:
        """Remove the file: the lock has all of it."""
        self.path.unlink(missing_ok=True)


def _fingerprint(site: Site) -> str:
    """What another site would resolve otherwise: a mirror need not have what another one has."""
    plain = json.dumps([site.registries, site.urls, site.pins], sort_keys=True)
    return "sha256:" + hashlib.sha256(plain.encode()).hexdigest()
