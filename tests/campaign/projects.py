"""Folders with a matrix and a lock, what a command writes in them, and the command as a process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bakestone.core.library.catalog import Library
from tests.support.samples import MANY, locked

BAKESTONE = Path(sys.executable).with_name("bakestone")
NOBODY = "http://127.0.0.1:9"
"""A proxy that is not there: no command reaches the world."""
OTHER = MANY.replace("openmpi@5.0.10", "openmpi@5.0.9")


def fresh(folder: Path, library: Library) -> None:
    """A lock, and nothing generated."""
    locked(folder, MANY, library=library)


def changed(folder: Path, library: Library) -> None:
    """Dockerfiles of another matrix, one of a family that is gone, and a lock of this one."""
    fresh(folder, library)
    run(folder, "generate")
    (folder / "dockerfiles" / "gone").mkdir()
    shutil.copy(folder / "dockerfiles/cpu/Dockerfile", folder / "dockerfiles/gone/Dockerfile")
    locked(folder, OTHER, library=library)


def unlocked(folder: Path, library: Library) -> None:
    """A lock that an edit of images.yaml has made stale."""
    fresh(folder, library)
    (folder / "images.yaml").write_text(OTHER, "utf-8")


def run(
    folder: Path, *words: str, tracer: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """One command in a folder, with no site file and nobody to ask."""
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment |= {"BAKESTONE_SITE": "", "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"http_proxy": NOBODY, "https_proxy": NOBODY}
    environment["TMPDIR"] = str(folder.parent)  # what harm leaves there goes with the test
    command = [*tracer, str(BAKESTONE), *words]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def contents(folder: Path, pattern: str) -> dict[str, bytes]:
    """The files that a command writes, without the times at which entries came in; what begins with
    a dot is not among them.
    """
    return {
        str(path.relative_to(folder)): re.sub(rb"resolved: '[^']*'", b"", path.read_bytes())
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not path.name.startswith(".")
    }
