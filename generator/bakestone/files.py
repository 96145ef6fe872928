"""Files that are written whole or not at all, and files of others that are opened with care."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path

from bakestone.errors import ENVIRONMENT, BakestoneError, fail

_NEW = ".new-"
"""Stands in the names of files that are not yet in their place, and begins those of folders."""


def write_text(
    path: Path, text: str | Iterable[str], *, durable: bool = True, mode: int = 0o644
) -> None:
    """Replace a file in one step; nothing half-written is left when that fails, and what a killed
    run left is removed. A large text may come in pieces.

    `durable` also waits for the disk, so that the file outlives a power cut; files that can
    be generated again need not, and a thousand of them are written in a fraction of the time.

    Raises `BakestoneError` (exit 3).
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, f".{path.name}{_NEW}")
        handle, temporary = _own(path)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.writelines([text] if isinstance(text, str) else text)
            stream.flush()
            if durable:
                os.fsync(handle)
            os.chmod(temporary, mode)
            os.replace(temporary, path)
    except OSError as problem:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise refused(f"cannot write {path}", str(path), problem) from problem


def _own(path: Path) -> tuple[int, str]:
    """A temporary file beside a path, open and locked, so that no other run takes it for one that
    was left.
    """
    import tempfile  # 8 ms, which commands that write nothing need not wait for

    while True:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}{_NEW}", dir=path.parent)
        with contextlib.suppress(OSError):  # no locks on this file system: nobody sweeps there
            _lock(handle)
        if os.path.exists(temporary):
            return handle, temporary
        os.close(handle)  # another run was there between the two


@contextlib.contextmanager
def scratch(purpose: str, inside: Path | None = None) -> Iterator[Path]:
    """A folder of one's own that is gone afterwards: below TMPDIR, or `inside` another one, where
    what is made in it can be renamed to its place in one step. There it is called `.new-`..., for
    those who look for what a killed run left; what one left of the same purpose is removed first.

    Raises `BakestoneError` (exit 3) where there is no room for it.
    """
    import tempfile

    prefix = f"{_NEW}{purpose}-" if inside else f"bakestone-{purpose}-"
    with contextlib.ExitStack() as stack:
        try:
            place = inside or Path(tempfile.gettempdir())
            sweep(place, prefix)
            name = stack.enter_context(_folder(place, prefix))
        except OSError as problem:
            where = str(inside or "the folder for small files (TMPDIR)")
            raise refused(f"cannot write in {where}", where, problem) from problem
        yield name


@contextlib.contextmanager
def _folder(place: Path, prefix: str) -> Iterator[Path]:
    """A new folder, locked as long as it is there: so others know that it is in use."""
    import tempfile

    while True:
        made = tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True)
        try:
            handle = os.open(made.name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # somebody swept it before it was locked
        with contextlib.suppress(OSError):  # no locks on this file system: nobody sweeps there
            _lock(handle)
        if os.path.exists(made.name):
            break
        os.close(handle)
    try:
        with made as name:
            yield Path(name)
    finally:
        os.close(handle)


def _lock(handle: int, *, blocking: bool = True) -> bool:
    """Lock an open file or folder, until it is closed; tells whether that was possible."""
    from filelock import lock_descriptor  # 40 ms, for those that write something

    return lock_descriptor(handle, blocking=blocking)


def sweep(place: Path, prefix: str) -> None:
    """Remove the files and folders of this user below a place that `tempfile` named so, for nobody
    else to read, and that nobody has locked: the run that made them was killed. After `.new-` there
    may be a purpose.
    """
    purpose = "(?:[a-z]+-)?" if prefix == _NEW else ""
    made = re.compile(f"{re.escape(prefix)}{purpose}[a-z0-9_]{{8}}")
    for left in place.glob(f"{glob.escape(prefix)}*"):
        if not made.fullmatch(left.name):
            continue
        with contextlib.suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                about = os.fstat(handle)
                alone = not stat.S_ISDIR(about.st_mode) or stat.S_IMODE(about.st_mode) == 0o700
                ours = alone and about.st_uid == os.geteuid()
                if ours and _lock(handle, blocking=False):
                    if stat.S_ISDIR(os.fstat(handle).st_mode):
                        shutil.rmtree(left)
                    else:
                        left.unlink()
            finally:
                os.close(handle)


class StrangeFileError(OSError):
    """A link, a FIFO, a folder or a device where a file should be."""


def open_regular(path: Path) -> BufferedReader:
    """A file under a name that somebody else gave, as a stream.

    Raises `OSError`, and `StrangeFileError` for all but regular files: a link may lead anywhere,
    and a FIFO would be waited for.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            raise StrangeFileError(problem.errno, "it is no regular file") from problem
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise StrangeFileError(errno.EINVAL, "it is no regular file")
    return open(handle, "rb")


def hash_of(path: Path) -> tuple[str, int]:
    """Digest, as registries write it, and size of a regular file. Raises `OSError`."""
    import hashlib

    with open_regular(path) as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}", stream.tell()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One writer at a time in a folder, which is made when it is not there: what two write at once
    is both kept.

    The folder itself is locked, so that no file is left in it. Raises `BakestoneError` (exit 3).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        raise refused(f"cannot write in {folder}", str(folder), problem) from problem
    try:
        with contextlib.suppress(OSError):  # no locks on this file system: as good as it gets
            _lock(handle)
        yield
    finally:
        os.close(handle)


def refused(what: str, name: str, problem: OSError) -> BakestoneError:
    """The error (exit 3) of something that the system did not let us write."""
    why, hint = problem.strerror or problem, "make room, or check the permissions"
    return fail(f"{what}: {why}", hint, name=name, code=ENVIRONMENT)
