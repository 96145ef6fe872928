"""One `bakestone lock` at a time on one lock."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bakestone.errors import ENVIRONMENT, fail
from bakestone.files import refused

ENDING = 0.5
"""Seconds in which a run that has just ended may still be letting go of its mark."""
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a file system says that has no locks."""


@contextmanager
def single_run(lock_path: Path) -> Iterator[None]:
    """Keep other runs away from a lock.

    The mark is a locked file beside the lock, so that one left by a killed run means nothing. On a
    file system without locks there is no guard; the lock is then still written in one step.

    Raises `BakestoneError` (exit 3) when another run is at work, or the mark cannot be written.
    """
    path = lock_path.with_name(f".{lock_path.name}.running")
    mark = FileLock(path, timeout=ENDING, fallback_to_soft=False)
    try:
        mark.acquire()
    except Timeout as problem:
        number = ""
        with contextlib.suppress(OSError):
            number = path.read_bytes()[:20].decode("ascii", "replace").strip()
        process = f" (process {number})" if number.isdigit() else ""
        why = f"another `bakestone lock`{process} is at work on this lock"
        hint = "wait until it has ended, then run this again"
        raise fail(why, hint, name=str(lock_path), code=ENVIRONMENT) from problem
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            raise refused(f"cannot write {path}", str(path), problem) from problem
    try:
        with contextlib.suppress(OSError):  # the number is only for the other run's sentence
            path.write_text(f"{os.getpid()}\n", "ascii")
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is let go, so that it is nobody else's
        mark.release()
