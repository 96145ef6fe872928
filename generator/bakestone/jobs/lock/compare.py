"""`bakestone lock --diff COMMIT`: what changed since the lock at a commit."""

from __future__ import annotations

from bakestone.clients import git
from bakestone.core.lock import demand, lockfile
from bakestone.core.lock.differences import LockDifference, differences
from bakestone.core.lock.lock import Lock
from bakestone.project import Project


def since(project: Project, commit: str) -> list[LockDifference]:
    """The differences between the lock at a commit and the lock as it is; where there was none,
    everything is new.

    Raises `BakestoneError` when git does not know the commit, or a lock cannot be read.
    """
    path = project.lock_path
    text = git.before(path, commit, "--diff").decode("utf-8", "replace")
    old = lockfile.parse(text, f"{commit}:{path.name}") if text else Lock()
    new = lockfile.load(path)
    whole = demand.of(project.select(new.selection), project.matrix.library)
    return differences(old, new, whole)
