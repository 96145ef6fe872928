"""A file that people edit: read with its exact bytes, and replaced only when nobody else changed it
meanwhile.
"""

from __future__ import annotations

import codecs
import stat
from dataclasses import dataclass
from pathlib import Path

from bakestone.core.documents import yaml as yamldoc
from bakestone.errors import fail, read_text
from bakestone.files import alone, write_text


@dataclass(frozen=True)
class Handwritten:
    """`text` is without the byte order mark that some editors write;

    `mark` says that there was one.
    """

    path: Path
    text: str
    mark: bool

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return (codecs.BOM_UTF8 if self.mark else b"") + self.text.encode()


def read(path: Path, what: str, *, hint: str = "") -> Handwritten:
    """Read a file of UTF-8 text.

    Raises `BakestoneError` when it is missing, too large or not UTF-8.
    """
    text = read_text(path, what, limit=yamldoc.MAX_BYTES, hint=hint)
    with path.open("rb") as stream:
        return Handwritten(path, text, stream.read(3) == codecs.BOM_UTF8)


def replace(before: Handwritten, text: str) -> None:
    """Write the new text in one step: the file's rights, its byte order mark and a link to it stay.

    Raises `BakestoneError`, and leaves the file as it is, when it is no longer what was read.
    """
    real = before.path.resolve()
    with alone(real.parent):
        now = real.read_bytes() if real.is_file() else None
        if now != before.content:
            raise fail(
                "the file was changed by someone else meanwhile; nothing was written",
                "run the command again",
                name=str(before.path),
            )
        write_text(
            real, ("\ufeff" if before.mark else "") + text, mode=stat.S_IMODE(real.stat().st_mode)
        )
