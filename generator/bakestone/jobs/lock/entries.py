"""The entries of a lock: what can stay, and what is asked of registries, package managers, snapshot
services, file servers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.http.ask import QUICK, Asker
from bakestone.clients.http.session import Session
from bakestone.clients.parallel import in_parallel
from bakestone.clients.registry.client import Registry
from bakestone.core.documents.words import count
from bakestone.core.library.version import Base
from bakestone.core.lock.lock import (
    CLOCK,
    IMAGE,
    LIBRARY,
    REGISTRY,
    Lock,
    LockedArtifact,
    LockedBase,
    LockedKeyring,
    LockedPackages,
    LockedWheel,
)
from bakestone.core.lock.needs import Artifact, Distro, Needs
from bakestone.core.lock.scope import Scope
from bakestone.core.lock.survey import keyring_origin
from bakestone.errors import BakestoneError
from bakestone.jobs.lock import bases, packages, snapshot
from bakestone.jobs.lock.journal import Journal
from bakestone.jobs.lock.packages import WantedPackages
from bakestone.jobs.lock.snapshot import Snapshot
from bakestone.project import Project

_Entry = TypeVar("_Entry", LockedArtifact, LockedKeyring, LockedPackages, LockedWheel)


class Entries:
    """`old` is the present lock, `again` what of it is not kept, `journal` what an earlier run had
    resolved already.

    `problems` has an error for each name that could not be resolved, `asked` how many were asked
    for.
    """

    def __init__(
        self,
        project: Project,
        old: Lock,
        again: Scope,
        journal: Journal,
        now: datetime,
        say: Callable[[str], None],
    ) -> None:
        self.project = project
        self.old = old
        self.again = again
        self.journal = journal
        self.time = now
        self.now = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.say = say
        self.problems: dict[str, BakestoneError] = {}
        self.asked = 0
        self.registry = Registry(project.site)
        self.engine = Engine(project.site)
        self.asker = Asker(Session(project.site, give_up=1), QUICK)
        self._snapshots: dict[str, Snapshot] = {}

    def resolve(self, wanted: Needs) -> Lock:
        """A lock for these needs; it is not whole when there are `problems`."""
        bases = self._bases(wanted)
        return Lock(
            inputs=wanted.fingerprint(),
            bases=bases,
            packages=self._packages(wanted, bases),
            artifacts=self._artifacts(wanted) if not self.problems else {},
            wheels={
                text: _as_before(
                    LockedWheel(dict(wheel.files), LIBRARY, self.now), self.old.wheels.get(text)
                )
                for text, wheel in wanted.wheels.items()
            },
            keyrings={
                name: _as_before(
                    LockedKeyring(repository.key, repository.fingerprint, LIBRARY, self.now),
                    self.old.keyrings.get(name),
                )
                for name, repository in wanted.repositories.items()
            },
        )

    # --- base images

    def _bases(self, wanted: Needs) -> dict[str, LockedBase]:
        """Every base image, each asked for once, in parallel."""
        found: dict[str, LockedBase] = {}
        todo = []
        for ref, base in wanted.bases.items():
            present, earlier = self.old.bases.get(ref), self.journal.base(ref)
            if (
                present
                and ref not in self.again.bases
                and _still_right(present, base, wanted.platforms[ref])
            ):
                found[ref] = replace(present, provides=dict(base.provides))
            elif earlier and _still_right(earlier, base, wanted.platforms[ref]):
                found[ref] = earlier
            else:
                todo.append(ref)
        resumed = sum(ref in found and found[ref] is self.journal.base(ref) for ref in wanted.bases)
        if resumed:
            verb = "are" if resumed != 1 else "is"
            self.say(f"{count(resumed, 'base image')} {verb} as an unfinished run found them")
        self.asked += len(todo)

        def one(ref: str) -> LockedBase:
            return bases.resolve(
                wanted.bases[ref], wanted.platforms[ref], self.registry, self.project.site, self.now
            )

        for ref, answer in in_parallel(one, todo):
            if isinstance(answer, BakestoneError):
                self.problems[ref] = answer
                continue
            if answer.resolved_from == REGISTRY:
                self.journal.note_base(ref, answer)
            found[ref] = self._take(ref, answer, wanted)
        return found

    def _take(self, ref: str, answer: LockedBase, wanted: Needs) -> LockedBase:
        """A registry's answer; where none came the present entry, and the library's only when there
        is no other.
        """
        before = self.old.bases.get(ref)
        if answer.resolved_from == LIBRARY and before:
            right = bool(before.digest) and _still_right(
                before, wanted.bases[ref], wanted.platforms[ref]
            )
            same = (before.resolved_from, before.digest, before.platforms) == (
                LIBRARY,
                answer.digest,
                answer.platforms,
            )
            if right or same:
                if ref in self.again.bases:
                    self.say(
                        f"{ref}: stays as it is: {answer.note.partition(': ')[2] or answer.note}"
                    )
                return replace(before, provides=dict(wanted.bases[ref].provides))
        digest = answer.digest[:19] if answer.digest else "no digest"
        self.say(f"{ref}: {digest} from the {answer.resolved_from}")
        return answer

    # --- distro packages

    def _packages(self, wanted: Needs, found: dict[str, LockedBase]) -> dict[str, LockedPackages]:
        """How the packages on each base are pinned: what the site says, else what the distro's data
        says.
        """
        locked: dict[str, LockedPackages] = {}
        questions: list[WantedPackages] = []
        for ref, sets in wanted.packages.items():
            if ref not in found:
                continue  # told already
            item = WantedPackages(
                ref,
                found[ref],
                tuple(sets[names] for names in sorted(sets)),
                tuple(sorted(wanted.platforms[ref])),
            )
            with self._told(ref):
                entry = self._without_asking(item)
                if entry:
                    locked[ref] = entry
                else:
                    questions.append(item)
        if questions:
            self._ask(questions, found, locked, with_keys=bool(wanted.repositories))
        return locked

    def _without_asking(self, item: WantedPackages) -> LockedPackages | None:
        """The entry of a base, or None when its package manager must be asked."""
        distro, ref = item.distro, item.ref
        pins = self.project.site.pins_for(
            distro.component.name, distro.version.version
        ) or distro.version.data.get("pins", "versions")
        kept = self.old.packages.get(ref)
        same = (
            kept
            and (kept.pins, kept.distro) == (pins, distro.text)
            and ref in self.old.bases
            and self.old.bases[ref].digest == item.base.digest
        )
        if (
            kept
            and same
            and pins != "frozen"
            and ref not in self.again.packages
            and _complete(kept, item)
        ):
            return _only(kept, item)
        if pins == "versions":
            earlier = self.journal.packages(ref, item.base)
            return (
                _only(earlier, item)
                if earlier and earlier.distro == distro.text and _complete(earlier, item)
                else None
            )
        install = tuple(s.names for s in item.sets)
        if pins == "frozen":
            known = {str(k): str(v) for k, v in distro.version.data.get("apt", {}).items()}
            names = {name for one in install for name in one}
            pinned = {k: v for k, v in known.items() if k in names}
            entry = LockedPackages(
                pins, distro.text, self.now, known=pinned, resolved_from=LIBRARY, install=install
            )
            return _as_before(entry, kept)
        chosen = self._snapshot(distro, item)
        return LockedPackages(
            pins,
            distro.text,
            self.now,
            snapshot=chosen.time,
            resolved_from=chosen.resolved_from,
            note=chosen.note,
            install=install,
        )

    def _snapshot(self, distro: Distro, item: WantedPackages) -> Snapshot:
        """One time for all bases of a distro, that of the present lock, unless it is to be resolved
        again or the base is newer than it.
        """
        kept = {
            r: p
            for r, p in sorted(self.old.packages.items())
            if r not in self.again.packages and (p.distro, p.pins) == (distro.text, "snapshot")
        }
        for locked in kept.values() if item.ref not in self.again.packages else ():
            if _seconds(locked.snapshot) >= item.base.epoch:
                return Snapshot(locked.snapshot, locked.resolved_from, locked.note)
        if distro.text not in self._snapshots:
            self.asked += 1
            chosen = self._snapshots[distro.text] = snapshot.choose(distro, self.time, self.asker)
            why = f": {chosen.note}" if chosen.note else ", which its snapshot service has"
            self.say(f"{distro.text}: the archive as of {chosen.time}{why}")
        return self._snapshots[distro.text]

    def _ask(
        self,
        questions: Sequence[WantedPackages],
        found: dict[str, LockedBase],
        locked: dict[str, LockedPackages],
        *,
        with_keys: bool,
    ) -> None:
        for item in questions:
            sets = count(len(item.sets), "package set")
            manager = item.distro.package_manager
            self.say(f"{item.ref}: resolving {sets} with {manager} inside the image")
        self.asked += len(questions)

        def done(item: WantedPackages, entry: LockedPackages) -> None:
            locked[item.ref] = entry
            self.journal.note_packages(item.ref, item.base, entry)

        try:
            keyrings = keyring_origin(self.project.matrix.library, found) if with_keys else ""
            for problem in packages.resolve_versions(
                questions, self.engine, self.now, done=done, say=self.say, keyrings=keyrings
            ):
                self.problems.setdefault(problem.findings[0].name, problem)
        except BakestoneError as problem:  # there is no engine
            self.problems |= {item.ref: problem for item in questions if item.ref not in locked}

    # --- files

    def _artifacts(self, wanted: Needs) -> dict[str, LockedArtifact]:
        """Files by the library's checksums.

        A size that it does not have is asked of the file's server, which need not answer.
        """
        found: dict[str, LockedArtifact] = {}
        unknown = []
        for url, artifact in wanted.artifacts.items():
            before = self.old.artifacts.get(url)
            found[url] = _artifact(artifact, before, self.now)
            if not found[url].size and (found[url] is not before or url in self.again.artifacts):
                unknown.append(url)
        for url, size in in_parallel(self.asker.size, unknown):
            if isinstance(size, int) and size:
                found[url] = replace(found[url], size=size)
        return found

    @contextmanager
    def _told(self, ref: str) -> Iterator[None]:
        try:
            yield
        except BakestoneError as problem:
            self.problems[ref] = problem


def _still_right(locked: LockedBase, base: Base, platforms: set[str]) -> bool:
    """Whether an entry can stay: it has a digest, for these platforms, and of the contents that are
    wanted now.

    The registry's word for a tag stays until `--update`. The library's belongs to certain contents:
    NVIDIA rebuilt one tag with other cuDNN and NCCL versions.
    """
    if not locked.digest or (
        locked.resolved_from == LIBRARY and base.digest and base.digest != locked.digest
    ):
        return False
    return not locked.platforms or platforms <= set(locked.platforms)


def _complete(locked: LockedPackages, item: WantedPackages) -> bool:
    """Whether an entry has every set for every platform."""
    return locked.pins != "versions" or all(
        s.names in locked.versions.get(p, {}) for s in item.sets for p in item.platforms
    )


def _only(locked: LockedPackages, item: WantedPackages) -> LockedPackages:
    """An entry without the sets and platforms that nothing needs any more.

    A lock of the time before `from` was written says it now: no snapshot service was asked then.
    """
    names = tuple(s.names for s in item.sets)
    origin = locked.resolved_from or (IMAGE if locked.pins == "versions" else CLOCK)
    if locked.pins != "versions":
        return replace(locked, install=names, resolved_from=origin)
    return replace(
        locked,
        resolved_from=origin,
        versions={p: {n: locked.versions[p][n] for n in names} for p in item.platforms},
    )


def _as_before(entry: _Entry, before: _Entry | None) -> _Entry:
    """The present entry when it says the same: what has a checksum is no newer for being asked for
    again.
    """
    same = before and before.resolved and replace(entry, resolved=before.resolved) == before
    return before if before and same else entry


def _artifact(artifact: Artifact, before: LockedArtifact | None, now: str) -> LockedArtifact:
    known = before.size if before and before.sha256 == artifact.sha256 else 0
    size = artifact.size or known
    return _as_before(
        LockedArtifact(artifact.sha256, size, artifact.component, LIBRARY, now), before
    )


def _seconds(time: str) -> int:
    return int(datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
