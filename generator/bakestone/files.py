"""Files that are written whole or not at all, and files of others that are opened with care."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path

from bakestone.errors import ENVIRONMENT, BakestoneError, fail


def write_text(
    path: Path, text: str | Iterable[str], *, durable: bool = True, mode: int = 0o644
) -> None:
    """Replace a file in one step; nothing half-written is left when that fails. A large text may
    come in pieces.

    `durable` also waits for the disk, so that the file outlives a power cut; files that can
    be generated again need not, and a thousand of them are written in a fraction of the time.

    Raises `BakestoneError` (exit 3).
    """
    import tempfile  # 8 ms, which commands that write nothing need not wait for

    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.writelines([text] if isinstance(text, str) else text)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except OSError as problem:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise refused(f"cannot write {path}", str(path), problem) from problem


@contextlib.contextmanager
def scratch(purpose: str, inside: Path | None = None) -> Iterator[Path]:
    """A folder of one's own that is gone afterwards: below TMPDIR, or `inside` another one, where
    what is made in it can be renamed to its place in one step. There it is called `.new-`..., for
    those who look for what a killed run left.

    Raises `BakestoneError` (exit 3) where there is no room for it.
    """
    import tempfile

    try:
        prefix = f".new-{purpose}-" if inside else f"bakestone-{purpose}-"
        folder = tempfile.TemporaryDirectory(prefix=prefix, dir=inside, ignore_cleanup_errors=True)
    except OSError as problem:
        where = str(inside or "the folder for small files (TMPDIR)")
        raise refused(f"cannot write in {where}", where, problem) from problem
    with folder as name:
        yield Path(name)


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
            from filelock import lock_descriptor  # 40 ms, which few commands need

            lock_descriptor(handle)
        yield
    finally:
        os.close(handle)


def refused(what: str, name: str, problem: OSError) -> BakestoneError:
    """The error (exit 3) of something that the system did not let us write."""
    why, hint = problem.strerror or problem, "make room, or check the permissions"
    return fail(f"{what}: {why}", hint, name=name, code=ENVIRONMENT)
