"""Questions to git about the folder that something lies in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bakestone.errors import ENVIRONMENT, USAGE, fail

MAX_TREE = 64 * 1024 * 1024
"""Bytes of the files that are read of a commit in all: a matrix and its components have some."""
_WORDS = 500
"""Paths in one command line."""

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


@dataclass(frozen=True)
class CommittedFile:
    """A file of a commit: its path, from the folder that was asked for on, what is in it, and
    whether it is a link, whose content is where it leads.
    """

    path: str
    content: bytes
    is_link: bool


def committed(
    folder: Path, commit: str, names: Iterable[str], below: Iterable[str] = ()
) -> Iterator[CommittedFile]:
    """The files of these names in a folder as it was at a commit that git knows, and all that are
    below the folders `below`; names that were none are left out.

    Raises `BakestoneError` where they are too large together, or git lacks one of them.
    """
    found = {*_listed(folder, commit, "-r", below), *_listed(folder, commit, "", names)}
    if sum(size for _, _, size, _ in found) > MAX_TREE:
        said = f"what images.yaml needs has more than {MAX_TREE} bytes at {commit}"
        raise fail(said, "is something large among the components?", name=commit)
    for mode, name, _, path in sorted(found, key=lambda one: one[3]):
        done = run(folder, "cat-file", "blob", name)
        if done.returncode:
            hint = "fetch it whole first: `git fetch --refetch origin COMMIT`"
            raise fail(f"git has no {path} of {commit}", hint, name=commit, code=ENVIRONMENT)
        yield CommittedFile(path, done.stdout, mode == "120000")


def _listed(
    folder: Path, commit: str, option: str, paths: Iterable[str]
) -> Iterator[tuple[str, str, int, str]]:
    """Mode, name as an object, bytes and path of each file that git lists."""
    for some in _batches(sorted({*paths}), _WORDS):
        options = ["-l", "-z", *([option] if option else [])]
        said = run(folder, "--literal-pathspecs", "ls-tree", *options, commit, "--", *some).stdout
        for line in said.decode("utf-8", "surrogateescape").split("\0"):
            about, _, path = line.partition("\t")
            words = about.split()
            if len(words) == 4 and words[1] == "blob" and _is_below(path):
                yield words[0], words[2], int(words[3]), path


def _is_below(path: str) -> bool:
    """Whether a path leads to nothing but what is below: a tree can be written by anybody."""
    parts = path.split("/")
    return not path.startswith("/") and not {"", ".", "..", ".git"} & {p.lower() for p in parts}


def _batches(paths: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]


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
