"""`bakestone lock`: resolve what the matrix needs, keep what is still right, write the lock."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence, Sized
from datetime import UTC, datetime
from pathlib import Path

from bakestone.core.documents.schema import NewerFormatError
from bakestone.core.documents.words import Say, count, few
from bakestone.core.lock import lockfile, scope, survey
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.scope import Scope
from bakestone.errors import ENVIRONMENT, INPUT, USAGE, BakestoneError, Finding, fail
from bakestone.jobs.lock.entries import Entries
from bakestone.jobs.lock.journal import Journal
from bakestone.jobs.lock.single_run import single_run
from bakestone.project import Project


@dataclasses.dataclass(frozen=True)
class LockReport:
    """Numbers of entries in the lock, how many names were asked for, and whether it changed."""

    bases: int
    packages: int
    files: int
    wheels: int
    variants: int
    asked: int
    changed: bool

    @property
    def text(self) -> str:
        """One sentence."""
        entries = ((self.bases, "base image"), (self.files, "file"), (self.wheels, "wheel"))
        made_of = ", ".join(count(number, what) for number, what in entries)
        done = "written" if self.changed else "nothing changed"
        return f"{made_of} for {count(self.variants, 'variant')}; {done}"


def resolve(project: Project, words: Sequence[str], *, update: bool, say: Say) -> LockReport:
    """Resolve what is missing in the lock and write it.

    Without `update`, `words` are the selectors that a new lock is made for. With it, they say which
    entries are resolved again (all without a word), and for what the lock was made stays. The lock
    is written when everything is there, and not at all before; what an unfinished run had resolved
    is kept beside it for the next one.
    """
    with single_run(project.lock_path):
        present = _present(project, replace=update and not words, say=say)
        selection = _selection(project.lock_path, words, present, update)
        variants = project.select(selection)
        wanted = survey.collect(variants, project.matrix.library)
        again = scope.named(words, variants, wanted, project.matrix.library) if update else Scope()
        now = datetime.now(UTC)
        earlier = Journal(project.lock_path, project.site, now, say)
        entries = Entries(project, present, again, earlier, now, say, variants)
        try:
            new = entries.resolve(wanted)
        finally:
            kept = earlier.save()
        if entries.problems:
            if kept:
                path = earlier.path
                say(f"what was resolved is kept in {path}: run it again to go on from there")
            raise _failure(entries.problems)
        changed = lockfile.write(dataclasses.replace(new, selection=selection), project.lock_path)
        earlier.drop()
    counted: list[Sized] = [new.bases, new.packages, new.artifacts, new.wheels, variants]
    bases, packages, files, wheels, used = map(len, counted)
    return LockReport(bases, packages, files, wheels, used, entries.asked, changed)


def _present(project: Project, *, replace: bool, say: Say) -> Lock:
    """The lock as it is; one that cannot be read is replaced, or else an error.

    What a newer Bakestone wrote can be read, but not here: it is never replaced.
    """
    if not project.lock_path.is_file():
        return Lock()
    try:
        return lockfile.load(project.lock_path)
    except BakestoneError as problem:
        if not replace or isinstance(problem, NewerFormatError):
            raise
        say(f"{project.lock_path}: it cannot be read, so it is made anew, for all variants")
        return Lock()


def _selection(path: Path, words: Sequence[str], present: Lock, update: bool) -> tuple[str, ...]:
    """The selectors that the lock is for."""
    given = " ".join(words)
    if update:
        if words and not present.inputs:
            raise fail(
                f"there is no lock yet in which {given} could be updated",
                f"make it: `bakestone lock` for every variant, or `bakestone lock {given}`",
                name=str(path),
                code=USAGE,
            )
        return present.selection
    selection = tuple(words) or present.selection
    if present.inputs and selection != present.selection:
        made_for = " ".join(present.selection) or "all variants"
        raise fail(
            f"the lock was made for {made_for}; locking {given} would drop its other pins",
            f"to resolve these again: `bakestone lock --update {given}`; for a lock of their own:"
            " --lock FILE",
            name=str(path),
        )
    return selection


def _failure(problems: dict[str, BakestoneError]) -> BakestoneError:
    """All that went wrong, told once: name, reason, hint."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, problem in sorted(problems.items()):
        for finding in problem.findings:
            names.setdefault((finding.message, finding.hint), []).append(name)
    findings = [
        Finding(message, hint, name=few(found, 3)) for (message, hint), found in names.items()
    ]
    environment = all(problem.code == ENVIRONMENT for problem in problems.values())
    return BakestoneError(findings, ENVIRONMENT if environment else INPUT)
