"""`bakestone diff COMMIT`: the variants that came, went and changed since a commit, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bakestone.core.documents.words import count, few
from bakestone.core.lock import demand
from bakestone.core.lock.differences import LockDifference, differences
from bakestone.core.matrix import changes
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.plan import PlannedVariant
from bakestone.errors import BakestoneError, Finding
from bakestone.jobs.changes import earlier
from bakestone.project import Project

ADDED, CHANGED, REMOVED = "added", "changed", "removed"
_FEW = 4
"""Packages that are told by name; of more their number."""


@dataclass(frozen=True)
class VariantChange:
    """What became of a variant: `before` is its name at the commit, `what` is otherwise in words,
    the fingerprints are empty where the locks do not say them.
    """

    kind: str
    family: str
    name: str
    before: str = ""
    what: tuple[str, ...] = ()
    old_fingerprint: str = ""
    new_fingerprint: str = ""

    def as_dict(self) -> dict[str, object]:
        """For `--format json`."""
        return asdict(self)


@dataclass(frozen=True)
class Changes:
    """All of them; `unlocked` says why the fingerprints of some were not compared."""

    variants: tuple[VariantChange, ...]
    same: int
    unlocked: tuple[Finding, ...]

    def of(self, kind: str) -> list[VariantChange]:
        """Those of a kind."""
        return [one for one in self.variants if one.kind == kind]


def since(now: Project, commit: str) -> Changes:
    """The variants of images.yaml at a commit beside those of today.

    Fingerprints are those of the lock of either time. Where one is missing or stale, or was made
    for other variants, what the matrix says is compared alone. Raises `BakestoneError` when there
    is no such commit or matrix, or one of the two is not right.
    """
    with earlier.project(now, commit) as before:
        pairs = changes.pairs(before.matrix.variants, now.matrix.variants)
        sides = [_Side.of(before, f"the lock at {commit}"), _Side.of(now, "the lock")]
        locks = _locked(*sides)
        found, same = [], 0
        for old, new in pairs:
            change = _change(old, new, sides[0], sides[1], locks)
            found += [change] if change else []
            same += change is None
        folder = before.matrix_path.parent
        unlocked = [why for side in sides for why in side.unlocked(commit, folder)]
    return Changes(tuple(found), same, tuple(unlocked))


@dataclass(frozen=True)
class _Side:
    """One of the two times: the planned variants by family and name, or why there are none."""

    project: Project
    title: str
    planned: dict[tuple[str, str], PlannedVariant]
    problem: BakestoneError | None

    @classmethod
    def of(cls, project: Project, title: str) -> _Side:
        """What a lock says, where it can be used."""
        try:
            variants = project.plan(project.locked_variants).variants
        except BakestoneError as problem:
            return cls(project, title, {}, problem)
        return cls(project, title, {(v.family, v.name): v for v in variants}, None)

    def plan(self, variant: Variant) -> PlannedVariant | None:
        """A variant as it is built; None where the lock does not know it."""
        return self.planned.get((variant.family.name, variant.name))

    def unlocked(self, commit: str, folder: Path) -> Iterator[Finding]:
        """Why the lock could not be used."""
        if self.problem:
            first = earlier.as_of(self.problem.findings[0], commit, folder)
            why = f"fingerprints are not compared: {self.title}: {first.message}"
            yield Finding(why, first.hint, severity="warning")


def _locked(old: _Side, new: _Side) -> dict[str, list[LockDifference]]:
    """Name of a variant -> what the locks say otherwise of what it uses, where both can be used."""
    found: dict[str, list[LockDifference]] = {}
    if old.problem or new.problem:
        return found
    whole = demand.of(new.project.locked_variants, new.project.matrix.library)
    for one in differences(old.project.lock, new.project.lock, whole):
        for name in one.variants:
            found.setdefault(name, []).append(one)
    return found


def _change(
    old: Variant | None,
    new: Variant | None,
    before: _Side,
    now: _Side,
    locks: dict[str, list[LockDifference]],
) -> VariantChange | None:
    """What became of a pair; None where it is the same."""
    one, other = (old and before.plan(old)), (new and now.plan(new))
    prints = (one.fingerprint if one else "", other.fingerprint if other else "")
    if new is None:
        return VariantChange(REMOVED, old.family.name, old.name, "", (), *prints) if old else None
    if old is None:
        return VariantChange(ADDED, new.family.name, new.name, "", (), *prints)
    words = changes.differences(old, new)
    if one and other:
        if prints[0] == prints[1] and old.name == new.name:
            return None
        words += _pins(locks.get(new.name, []), whole=not words)
        words = words or list(_texts(one, other))
    elif not words and old.name == new.name:
        return None
    renamed = old.name if old.name != new.name else ""
    words = words or ["name"]
    return VariantChange(CHANGED, new.family.name, new.name, renamed, tuple(words), *prints)


def _pins(found: Sequence[LockDifference], *, whole: bool) -> Iterator[str]:
    """What the locks say otherwise, in words: where images.yaml explains what came and went
    (not `whole`), only what has another pin.
    """
    moved = [one for one in found if whole or (one.old and one.new and one.kind != "file")]
    packages = [one for one in moved if one.kind == "package"]
    yield from (one.change for one in moved if one.kind != "package")
    if len(packages) > _FEW:
        yield f"{count(len(packages), 'package')} of the lock"
    else:
        yield from (one.change for one in packages)


def _texts(old: PlannedVariant, new: PlannedVariant) -> Iterator[str]:
    """The stages that are otherwise, where nothing else explains it: components' own files."""
    before = {s.identity for s in old.file.stages[old.name]}
    stages = [s for s in new.file.stages[new.name] if s.identity not in before]
    titles = dict.fromkeys(s.title.partition(".")[0] for s in stages if not s.own)
    yield f"text of {few(list(titles), _FEW)}" if titles else "text of the image's own stages"
