"""The entries of a lock: what can stay, and what is asked of servers and package managers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.http.ask import QUICK, Asker
from bakestone.clients.http.session import Session
from bakestone.clients.parallel import in_parallel
from bakestone.clients.registry.client import Registry
from bakestone.core.documents.words import Say, count
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
from bakestone.core.lock.needs import Needs
from bakestone.core.lock.scope import Scope
from bakestone.core.lock.survey import keyring_origin
from bakestone.errors import BakestoneError
from bakestone.jobs.lock import bases, keys, packages, snapshot
from bakestone.jobs.lock.journal import Journal
from bakestone.jobs.lock.packages import WantedPackages
from bakestone.project import Project

_Entry = TypeVar("_Entry", LockedArtifact, LockedKeyring, LockedPackages, LockedWheel)


@dataclass
class Entries:
    """`old` is the present lock, `again` what of it is not kept, `journal` what an earlier run had.

    `problems` has an error for each name that could not be resolved; `asked` counts the questions.
    """

    project: Project
    old: Lock
    again: Scope
    journal: Journal
    time: datetime
    say: Say
    problems: dict[str, BakestoneError] = field(default_factory=dict)
    asked: int = 0
    _snapshots: dict[str, LockedPackages] = field(default_factory=dict)

    def __post_init__(self) -> None:
        site = self.project.site
        self.now = self.time.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.registry, self.engine = Registry(site), Engine(site)
        self.asker = Asker(Session(site, give_up=1), QUICK)

    def resolve(self, wanted: Needs) -> Lock:
        """A lock for these needs; it is not whole when there are `problems`."""
        bases = self._bases(wanted)
        said = (LIBRARY, self.now)
        return Lock(
            inputs=wanted.fingerprint(),
            bases=bases,
            packages=self._packages(wanted, bases),
            artifacts=self._artifacts(wanted) if not self.problems else {},
            wheels={
                key: _as_before(LockedWheel(dict(wheel.files), *said), self.old.wheels.get(key))
                for key, wheel in wanted.wheels.items()
            },
            keyrings=self._keyrings(wanted),
        )

    def _bases(self, wanted: Needs) -> dict[str, LockedBase]:
        """Every base image, each asked for once, in parallel."""
        found: dict[str, LockedBase] = {}
        todo, resumed = [], 0
        for ref, base in wanted.bases.items():
            present = None if ref in self.again.bases else self.old.bases.get(ref)
            earlier, platforms = self.journal.base(ref), wanted.platforms[ref]
            if present and _still_right(present, base, platforms):
                found[ref] = replace(present, provides=dict(base.provides))
            elif earlier and _still_right(earlier, base, platforms):
                found[ref] = earlier
                resumed += 1
            else:
                todo.append(ref)
        if resumed:
            verb = "are" if resumed != 1 else "is"
            self.say(f"{count(resumed, 'base image')} {verb} as an unfinished run found them")
        self.asked += len(todo)

        def one(ref: str) -> LockedBase:
            base, platforms = wanted.bases[ref], wanted.platforms[ref]
            return bases.resolve(base, platforms, self.registry, self.project.site, self.now)

        for ref, answer in in_parallel(one, todo):
            if isinstance(answer, BakestoneError):
                self.problems[ref] = answer
                continue
            if answer.resolved_from == REGISTRY:
                self.journal.note_base(ref, answer)
            found[ref] = self._take(ref, answer, wanted)
        return found

    def _take(self, ref: str, answer: LockedBase, wanted: Needs) -> LockedBase:
        """A registry's answer, else the present entry; the library's only if there is no other."""
        before, base = self.old.bases.get(ref), wanted.bases[ref]
        if before and answer.resolved_from == LIBRARY:
            said = (before.resolved_from, before.digest, before.platforms)
            same = said == (LIBRARY, answer.digest, answer.platforms)
            if same or _still_right(before, base, wanted.platforms[ref]):
                if ref in self.again.bases:
                    why = answer.note.partition(": ")[2] or answer.note
                    self.say(f"{ref}: stays as it is: {why}")
                return replace(before, provides=dict(base.provides))
        digest = answer.digest[:19] if answer.digest else "no digest"
        self.say(f"{ref}: {digest} from the {answer.resolved_from}")
        return answer

    def _packages(self, wanted: Needs, found: dict[str, LockedBase]) -> dict[str, LockedPackages]:
        """How the packages on each base are pinned: as the site says, else as the distro's data."""
        locked: dict[str, LockedPackages] = {}
        questions = []
        for ref, sets in wanted.packages.items():
            if ref not in found:
                continue  # told already
            ordered = tuple(sets[names] for names in sorted(sets))
            item = WantedPackages(ref, found[ref], ordered, tuple(sorted(wanted.platforms[ref])))
            try:
                entry = self._without_asking(item)
            except BakestoneError as problem:
                self.problems[ref] = problem
                continue
            if entry:
                locked[ref] = entry
            else:
                questions.append(item)
        if questions:
            library = self.project.matrix.library
            keyrings = keyring_origin(library, found) if wanted.repositories else ""
            self._ask(questions, locked, keyrings)
        return locked

    def _without_asking(self, item: WantedPackages) -> LockedPackages | None:
        """The entry of a base, or None when its package manager must be asked."""
        distro, ref = item.distro, item.ref
        pins = self.project.site.pins_for(
            distro.component.name, distro.version.version
        ) or distro.version.data.get("pins", "versions")
        kept, base = self.old.packages.get(ref), self.old.bases.get(ref)
        if (
            kept
            and base
            and (kept.pins, kept.distro, base.digest) == (pins, distro.text, item.base.digest)
            and pins != "frozen"
            and ref not in self.again.packages
        ):
            still = _only(kept, item)
            if still:
                return still
        if pins == "versions":
            earlier = self.journal.packages(ref, item.base)
            return _only(earlier, item) if earlier and earlier.distro == distro.text else None
        if pins == "snapshot":
            return replace(self._snapshot(item), resolved=self.now, install=item.names)
        names = {name for one in item.names for name in one}
        known = {str(k): str(v) for k, v in distro.version.data.get("apt", {}).items()}
        pinned = {name: version for name, version in known.items() if name in names}
        entry = LockedPackages(pins, distro.text, self.now, resolved_from=LIBRARY)
        return _as_before(replace(entry, known=pinned, install=item.names), kept)

    def _snapshot(self, item: WantedPackages) -> LockedPackages:
        """One time for all bases of a distro: the lock's, if it may stay and no base is newer."""
        distro = item.distro
        for ref, locked in sorted(self.old.packages.items()):
            if (
                not self.again.packages & {ref, item.ref}
                and (locked.distro, locked.pins) == (distro.text, "snapshot")
                and datetime.fromisoformat(locked.snapshot).timestamp() >= item.base.epoch
            ):
                return locked
        if distro.text not in self._snapshots:
            self.asked += 1
            chosen = self._snapshots[distro.text] = snapshot.choose(distro, self.time, self.asker)
            why = f": {chosen.note}" if chosen.note else ", which its snapshot service has"
            self.say(f"{distro.text}: the archive as of {chosen.snapshot}{why}")
        return self._snapshots[distro.text]

    def _ask(
        self, questions: Sequence[WantedPackages], locked: dict[str, LockedPackages], keyrings: str
    ) -> None:
        for item in questions:
            sets = count(len(item.sets), "package set")
            manager = item.distro.package_manager
            self.say(f"{item.ref}: resolving {sets} with {manager} inside the image")
        self.asked += len(questions)

        try:
            for item, answer in packages.resolve_versions(
                questions, self.engine, self.now, self.say, keyrings
            ):
                if isinstance(answer, BakestoneError):
                    self.problems[item.ref] = answer
                else:
                    locked[item.ref] = answer
                    self.journal.note_packages(item.ref, item.base, answer)
        except BakestoneError as problem:  # there is no engine
            self.problems |= {item.ref: problem for item in questions if item.ref not in locked}

    def _artifacts(self, wanted: Needs) -> dict[str, LockedArtifact]:
        """The library's checksums; a size that it lacks is asked of the file's server."""
        found: dict[str, LockedArtifact] = {}
        unknown = []
        for url, artifact in wanted.artifacts.items():
            before = self.old.artifacts.get(url)
            known = before.size if before and before.sha256 == artifact.sha256 else 0
            size, by = artifact.size or known, artifact.component
            entry = LockedArtifact(artifact.sha256, size, by, LIBRARY, self.now)
            found[url] = _as_before(entry, before)
            if not size and (found[url] is not before or url in self.again.artifacts):
                unknown.append(url)
        for url, answer in in_parallel(self.asker.size, unknown):
            if isinstance(answer, int) and answer:
                found[url] = replace(found[url], size=answer)
        return found

    def _keyrings(self, wanted: Needs) -> dict[str, LockedKeyring]:
        """Keys by the library's fingerprints, with the checksum of the file as it is now.

        Where nobody answers the present checksum stays, else there is none, and `say` is told.
        """
        found: dict[str, LockedKeyring] = {}
        unknown = []
        for name, repository in wanted.repositories.items():
            key, fingerprint = repository.key, repository.fingerprint
            before = self.old.keyrings.get(name)
            same = before and (before.url, before.fingerprint) == (key, fingerprint)
            checksum = before.sha256 if before and same else ""
            entry = LockedKeyring(key, fingerprint, checksum, LIBRARY, self.now)
            found[name] = _as_before(entry, before)
            if not checksum or name in self.again.keyrings:
                unknown.append(repository)
        for repository, answer in in_parallel(partial(keys.fetch, asker=self.asker), unknown):
            name = repository.name
            before = found[name]
            if isinstance(answer, BakestoneError):
                self.problems[f"key of {name}"] = answer
            elif answer.why:
                stays = "keeps its checksum" if before.sha256 else "has no checksum"
                self.say(f"the key of {name} {stays}: {answer.why}")
            else:
                if before.sha256 and answer.sha256 != before.sha256:
                    self.say(f"the key of {name}: the file is another one, with the same key in it")
                entry = replace(before, sha256=answer.sha256, resolved=self.now)
                found[name] = _as_before(entry, before)
        return found


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


def _only(locked: LockedPackages, item: WantedPackages) -> LockedPackages | None:
    """An entry without the sets and platforms that nothing needs any more; None when it lacks one.

    A lock of the time before `from` was written says it now: no snapshot service was asked then.
    """
    if locked.pins != "versions":
        return replace(locked, install=item.names, resolved_from=locked.resolved_from or CLOCK)
    try:
        versions = {p: {n: locked.versions[p][n] for n in item.names} for p in item.platforms}
    except KeyError:
        return None
    return replace(locked, resolved_from=locked.resolved_from or IMAGE, versions=versions)


def _as_before(entry: _Entry, before: _Entry | None) -> _Entry:
    """The present entry when it says the same: a checksum is no newer for being asked for again."""
    same = before and before.resolved and replace(entry, resolved=before.resolved) == before
    return before if before and same else entry
