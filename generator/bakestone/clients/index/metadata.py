"""What a wheel says of itself (METADATA), without the wheel: from the index (PEP 658), or out of
the end of the file, of which web servers give parts.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.metadata import InvalidMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import BrokenError

_LIMIT = 2**22
"""Most bytes of a METADATA; that of torch has 30 KB."""
_BLOCK = 2**20
"""Bytes that are fetched at a time: the directory of a large wheel has about as many."""
_BLOCKS = 16
"""Most of them: what has a longer directory is no wheel of ours to read."""


@dataclass(frozen=True)
class Requirements:
    """What a wheel asks for: other projects, and versions of Python (`>=3.10`; may be empty);
    `sha256` is that of the METADATA which says so.
    """

    python: str
    wanted: tuple[Requirement, ...]
    sha256: str


def requirements(url: str, asker: Asker, proxies: Mapping[str, str] | None) -> Requirements:
    """What the wheel at a URL asks for.

    Raises `HttpError` when it cannot be read, or is none; `BrokenError` for what is there and is no
    wheel.
    """
    answer = asker.page(f"{url}.metadata", _LIMIT, proxies=proxies)
    text = answer.body if answer.good else _inside(_Remote(url, asker, proxies))
    try:
        raw, _ = parse_email(text)
        wanted = tuple(Requirement(line) for line in raw.get("requires_dist", []))
    except (InvalidRequirement, InvalidMetadata, ValueError) as problem:
        raise BrokenError("its METADATA cannot be read") from problem
    checksum = hashlib.sha256(text).hexdigest()
    return Requirements(raw.get("requires_python", ""), wanted, checksum)


def _inside(file: _Remote) -> bytes:
    try:
        with zipfile.ZipFile(io.BufferedReader(file)) as archive:
            name = next(
                n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and _top(n)
            )
            with archive.open(name) as inner:
                text = inner.read(_LIMIT + 1)
    except (zipfile.BadZipFile, StopIteration, NotImplementedError, zlib.error, ValueError) as odd:
        raise BrokenError("it is no wheel") from odd
    if len(text) > _LIMIT:
        raise BrokenError(f"its METADATA is longer than {_LIMIT} bytes")
    return text


def _top(name: str) -> bool:
    """A wheel may hold other projects' metadata further in."""
    return name.count("/") == 1


class _Remote(io.RawIOBase):
    """A file on a web server, of which only the parts that are read are fetched."""

    def __init__(self, url: str, asker: Asker, proxies: Mapping[str, str] | None) -> None:
        super().__init__()
        self._url, self._asker, self._proxies = url, asker, proxies
        self._blocks: dict[int, bytes] = {}
        self._place = 0
        answer = asker.part(url, 0, 1, proxies)
        if answer.status != 206 or answer.size is None:
            raise BrokenError(f"the server answers {answer.said}, and gives no parts of the file")
        self._size = answer.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # as io calls it
        index, skip = divmod(self._place, _BLOCK)
        if self._place >= self._size:
            return 0
        piece = self._block(index)[skip : skip + len(buffer)]
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)

    def _block(self, index: int) -> bytes:
        if index not in self._blocks:
            if len(self._blocks) >= _BLOCKS:
                raise BrokenError("its directory is too long for a wheel")
            first = index * _BLOCK
            count = min(_BLOCK, self._size - first)
            answer = self._asker.part(self._url, first, count, self._proxies)
            if answer.status != 206 or len(answer.body) != count:
                raise BrokenError(f"the server answers {answer.said} for a part of the file")
            self._blocks[index] = answer.body
        return self._blocks[index]
