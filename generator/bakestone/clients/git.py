"""Questions to git about the folder that something lies in."""

from __future__ import annotations

import subprocess
from pathlib import Path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """One command of git in a folder. Raises `OSError` where there is no git, or no folder."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, check=False)


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
