"""Questions to git about the folder that something lies in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bakestone.errors import ENVIRONMENT, USAGE, fail

ALONE = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
"""What keeps git from asking a remote for an object that it lacks: a repository's configuration may
name a program for that, and a repository may be anybody's. Before git 2.44 the second one alone.
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """One command of git in a folder, which asks no other machine and runs nothing that the
    repository's configuration names. Raises `OSError` where there is no git, or no folder.
    """
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=os.environ | ALONE)


def before(path: Path, commit: str, option: str) -> bytes:
    """A file as it was at a commit; nothing where it was not there.

    `option` is what on the command line named the commit. Raises `BakestoneError` when git does not
    know it, or is not there.
    """
    if not commit or commit.startswith("-"):
        raise fail(f"{commit!r} is not a commit", "name a branch, a tag or a commit", code=USAGE)
    folder = path.parent if path.parent.is_dir() else Path()
    try:
        if run(folder, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").returncode:
            hint = "fetch it first: `git fetch --depth=1 origin COMMIT`"
            said = f"git does not know the commit {commit}"
            raise fail(said, hint, name=commit, code=ENVIRONMENT)
        return run(folder, "show", f"{commit}:./{path.name}").stdout
    except FileNotFoundError as problem:
        hint = f"{option} compares with a commit"
        raise fail("git is not installed", hint, code=ENVIRONMENT) from problem


def commit(folder: Path) -> str:
    """The commit that is checked out there; empty without one."""
    return _said(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")


def remote(folder: Path) -> str:
    """The URL of the remote `origin` as the configuration has it, which may hold an account; empty
    without one.
    """
    return _said(folder, "config", "--get", "remote.origin.url")


def _said(folder: Path, *arguments: str) -> str:
    """The line that git says; empty where there is no git, no repository, or no answer."""
    try:
        done = run(folder, *arguments)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.decode("utf-8", "replace").strip()
