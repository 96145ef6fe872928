"""Source distributions, as far as they say what they are."""

from __future__ import annotations

import io
import tarfile


def archive(files: dict[str, str], kind: bytes = tarfile.REGTYPE) -> bytes:
    """A .tar.gz of these files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as out:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.type = len(text.encode()), kind
            out.addfile(member, io.BytesIO(text.encode()))
    return raw.getvalue()
