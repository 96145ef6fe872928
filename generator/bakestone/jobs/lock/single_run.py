"""One `bakestone lock` at a time on one lock."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bakestone.errors import ENVIRONMENT, fail


@contextmanager
def alone(lock_path: Path) -> Iterator[None]:
    """Keep other runs away from a lock.

    Raises `BakestoneError` (exit 3) at once when one is at work.

    The mark is a locked file beside the lock, so that one left by a killed run means nothing. On a
    file system without locks there is no guard; the lock is then still written in one step.
    """
    path = lock_path.with_name(f".{lock_path.name}.running")
    handle = _open(path)
    try:
        try:
            while True:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same(handle, path):
                    break
                ended, handle = (
                    handle,
                    _open(path),
                )  # the run that had it has just ended, and removed the file
                os.close(ended)
        except BlockingIOError:
            raise _busy(lock_path, handle) from None
        except OSError as problem:
            if problem.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                raise fail(
                    f"cannot lock {path}: {problem.strerror}",
                    "check the file system",
                    name=str(path),
                    code=ENVIRONMENT,
                ) from None
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as problem:
        raise fail(
            f"cannot write {path}: {problem.strerror}",
            "make room, or check the permissions",
            name=str(path),
            code=ENVIRONMENT,
        ) from None


def _same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _busy(lock_path: Path, handle: int) -> Exception:
    number = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
    who = (
        f"another `bakestone lock` (process {number})"
        if number.isdigit()
        else "another `bakestone lock`"
    )
    return fail(
        f"{who} is at work on this lock",
        "wait until it has ended, then run this again",
        name=str(lock_path),
        code=ENVIRONMENT,
    )
