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
from bakestone.errors import BakestoneError, fail

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
    """`base` and `packages` tell what an earlier run left; `note_...` takes what this one found."""

    def __init__(self, lock_path: Path, site: Site, now: datetime, say: Say) -> None:
        self.path = path_of(lock_path)
        # what another site would resolve otherwise: a mirror need not have what another one has
        plain = json.dumps([site.registries, site.urls, site.pins], sort_keys=True)
        self.inputs = "sha256:" + hashlib.sha256(plain.encode()).hexdigest()
        self.lock = self._load(now, say)
        self._written = time.monotonic()
        self._changed = False

    def _load(self, now: datetime, say: Say) -> Lock:
        """What an earlier run left; nothing when it is no lock, as it is made again."""
        nothing = Lock(self.inputs)
        if self.path.is_dir():
            why = "a folder is where an unfinished run would keep what it has resolved"
            raise fail(why, "move it away", name=str(self.path))
        try:
            found = lockfile.load(self.path) if self.path.exists() else nothing
        except BakestoneError:
            say(f"{self.path}: not what a run of `bakestone lock` writes, so it is not used")
            return nothing
        if found.inputs != self.inputs:
            return nothing

        def young(entry: LockedBase | LockedPackages) -> bool:
            return timedelta(0) <= now - datetime.fromisoformat(entry.resolved) <= MAX_AGE

        bases = {ref: base for ref, base in found.bases.items() if young(base)}
        packages = {ref: p for ref, p in found.packages.items() if ref in bases and young(p)}
        return Lock(self.inputs, bases=bases, packages=packages)

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
        """Write what is new; a full disk is told with the lock itself. True when a file is left."""
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
