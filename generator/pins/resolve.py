"""`bakestone lock`: resolve what the matrix needs, keep what is still right, write the lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from generator import lockfile, survey
from generator.build.engine import Engine
from generator.errors import BakestoneError, Finding, fail
from generator.lock import Lock, LockedArtifact, LockedBase, LockedPackages, LockedWheel
from generator.needs import Needs, PackageSet
from generator.pins import bases, packages
from generator.project import Project
from generator.registry import PARALLEL, Registry
from generator.variant import Base

Say = Callable[[str], None]


def resolve(project: Project, selectors: Sequence[str], *, update: bool, say: Say) -> str:
    """Make the lock for the selected variants and write it. Gives a sentence on what changed.

    Without `update`, entries of the present lock that are still needed stay
    as they are. Nothing is written when anything cannot be resolved.
    """
    present = _present(project, update)
    selection = tuple(selectors) or present.selection
    if project.lock_path.is_file() and present.inputs and selection != present.selection:
        made_for = " ".join(present.selection) or "all variants"
        raise fail(
            f"the lock was made for {made_for}; locking {' '.join(selection)} would drop its other pins",
            "give the new selection a lock of its own with --lock FILE, or remove the old one",
            name=str(project.lock_path),
        )
    variants = project.select(selection)
    wanted = survey.collect(variants, project.matrix.library)
    new = _Resolver(project, Lock() if update else present, say).run(wanted)
    new.selection = selection
    changed = lockfile.write(new, project.lock_path)
    count = f"{len(new.bases)} base images, {len(new.artifacts)} files, {len(new.wheels)} wheels for {len(variants)} variants"
    return f"{count}; {'written' if changed else 'nothing changed'}"


def _present(project: Project, update: bool) -> Lock:
    """The lock as it is; one that cannot be read is replaced with `update`, and an error without."""
    if not project.lock_path.is_file():
        return Lock()
    try:
        return lockfile.load(project.lock_path)
    except BakestoneError:
        if update:
            return Lock()
        raise


def _still_right(locked: LockedBase, base: Base, platforms: set[str]) -> bool:
    """Whether an entry can stay: it has a digest, for these platforms, and of the contents that are wanted now.

    The registry's word for a tag stays until `--update`. The library's belongs to certain contents:
    NVIDIA rebuilt one tag with other cuDNN and NCCL versions.
    """
    if not locked.digest or (locked.resolved_from == "library" and base.digest and base.digest != locked.digest):
        return False
    return not locked.platforms or platforms <= set(locked.platforms)


class _Resolver:
    def __init__(self, project: Project, old: Lock, say: Say) -> None:
        self.project = project
        self.old = old
        self.say = say
        self.now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.registry = Registry(project.site)
        self.engine = Engine(project.site)

    def run(self, wanted: Needs) -> Lock:
        lock = Lock(inputs=wanted.fingerprint())
        lock.bases = self.resolve_bases(wanted)
        for ref, sets in wanted.packages.items():
            lock.packages[ref] = self.resolve_packages(ref, lock.bases[ref], list(sets.values()), wanted.platforms[ref])
        lock.artifacts = {url: LockedArtifact(a.sha256, a.size, a.component) for url, a in wanted.artifacts.items()}
        lock.wheels = {text: LockedWheel(dict(w.files)) for text, w in wanted.wheels.items()}
        return lock

    def resolve_bases(self, wanted: Needs) -> dict[str, LockedBase]:
        """Every base image, each asked for once, in parallel; all failures are reported together."""
        kept = {ref: b for ref, b in self.old.bases.items() if ref in wanted.bases and _still_right(b, wanted.bases[ref], wanted.platforms[ref])}
        missing = [ref for ref in wanted.bases if ref not in kept]
        findings: list[Finding] = []
        code = 1

        def one(ref: str) -> LockedBase | BakestoneError:
            try:
                return bases.resolve(wanted.bases[ref], wanted.platforms[ref], self.registry, self.project.site, self.now)
            except BakestoneError as problem:
                return problem

        with ThreadPoolExecutor(PARALLEL) as pool:
            for ref, found in zip(missing, pool.map(one, missing), strict=True):
                if isinstance(found, BakestoneError):
                    findings += found.findings
                    code = found.code
                    continue
                before = self.old.bases.get(ref)
                if before and replace(found, resolved=before.resolved) == before:
                    kept[ref] = before  # asked again without a new answer: nothing changes
                    continue
                kept[ref] = found
                digest = found.digest[:19] if found.digest else "no digest"
                self.say(f"{ref}: {digest} from the {found.resolved_from}")
        if findings:
            raise BakestoneError(findings, code)
        return kept

    def resolve_packages(self, ref: str, base: LockedBase, sets: list[PackageSet], platforms: set[str]) -> LockedPackages:
        """How the packages on one base are pinned: what the site says, else what the distro's data says."""
        distro = sets[0].distro
        pins = self.project.site.pins_for(distro.component.name, distro.version.version) or distro.version.data.get("pins", "versions")
        kept = self.old.packages.get(ref)
        same_base = ref in self.old.bases and self.old.bases[ref].digest == base.digest
        if kept and kept.pins == pins != "frozen" and same_base and self.complete(kept, sets, platforms):
            return kept
        if pins == "versions":
            self.say(f"{ref}: resolving {len(sets)} package sets with apt inside the image")
            return packages.resolve_versions(ref, base, sets, platforms, self.engine, self.now)
        if pins == "frozen":
            known = {str(k): str(v) for k, v in distro.version.data.get("apt", {}).items()}
            names = {name for s in sets for name in s.names}
            found = LockedPackages(pins, distro.text, self.now, known={k: v for k, v in known.items() if k in names})
            return kept if kept and replace(found, resolved=kept.resolved) == kept else found
        return LockedPackages(pins, distro.text, self.now, snapshot=self.snapshot(distro.text))

    def snapshot(self, distro: str) -> str:
        """One time for all bases of a distro: the present lock's, else last midnight UTC."""
        for locked in self.old.packages.values():
            if locked.distro == distro and locked.pins == "snapshot":
                return locked.snapshot
        return self.now[:10].replace("-", "") + "T000000Z"

    @staticmethod
    def complete(locked: LockedPackages, sets: list[PackageSet], platforms: set[str]) -> bool:
        """Whether the present entry has every set for every platform."""
        if locked.pins != "versions":
            return True
        return all(s.names in locked.versions.get(p, {}) for s in sets for p in platforms)
