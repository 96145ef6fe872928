"""Two layers side by side: which files differ, and in what.

A layer is a tar stream: plain, by gzip or by zstd.
"""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from io import BufferedReader
from typing import IO

from bakestone.clients.registry import compressed
from bakestone.clients.registry.manifest import Json
from bakestone.errors import fail

MAX_ENTRIES = 2_000_000
"""Entries of one layer; the largest CUDA layer has some 20 000."""
_BROKEN: tuple[type[Exception], ...] = (tarfile.TarError, ValueError, *compressed.BROKEN)
KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
}


@dataclass(frozen=True)
class LayerFile:
    """A file of a layer. `content` is the SHA-256 of a regular file, or where a link leads;

    `size` is in bytes, `time` in seconds.
    """

    kind: str
    content: str
    size: int
    mode: int
    owner: str
    time: float
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Difference:
    """A file that two layers do not have alike.

    `what` is `added`, `removed` or the facts that differ; sizes are in bytes, None for none.
    """

    path: str
    what: tuple[str, ...]
    before: LayerFile | None
    after: LayerFile | None

    def as_dict(self) -> Json:
        """For `--format json`."""
        return vars(self) | {"before": _plain(self.before), "after": _plain(self.after)}


def listing(stream: IO[bytes], name: str) -> dict[str, LayerFile]:
    """Path -> entry of a layer, in the layer's order. `name` says in errors which one it is.

    Raises `BakestoneError` when it is not a tar stream, or has too many entries. Nothing is
    unpacked.
    """
    found: dict[str, LayerFile] = {}
    try:
        with compressed.opened(stream) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
            for member in archive:
                found[member.name.removeprefix("./").strip("/") or "."] = _entry(archive, member)
                if len(found) > MAX_ENTRIES:
                    why = f"the layer {name} has more than {MAX_ENTRIES} files"
                    raise fail(why, "it cannot be compared", name=name)
    except _BROKEN as problem:
        hint = "layers are tar: plain, by gzip or by zstd"
        raise fail(f"the layer {name} cannot be read: {problem}", hint, name=name) from problem
    return found


def differences(before: dict[str, LayerFile], after: dict[str, LayerFile]) -> list[Difference]:
    """The files that differ, by path.

    Empty for layers with the same files, whatever their order and compression.
    """
    pairs = ((path, before.get(path), after.get(path)) for path in sorted({*before, *after}))
    return [Difference(path, _what(old, new), old, new) for path, old, new in pairs if old != new]


def _what(before: LayerFile | None, after: LayerFile | None) -> tuple[str, ...]:
    if before is None or after is None:
        return ("added",) if before is None else ("removed",)
    now = vars(after)
    found = tuple(fact for fact, value in vars(before).items() if value != now[fact])
    # another size is another content
    return tuple(fact for fact in found if fact != "size") or found


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> LayerFile:
    kind = "file" if member.isreg() else KINDS.get(member.type, "other")
    content = member.linkname
    if member.isdev():
        content = f"{member.devmajor}:{member.devminor}"
    elif member.isreg() and isinstance(stream := archive.extractfile(member), BufferedReader):
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    extended = (pair for pair in member.pax_headers.items() if pair[0].startswith("SCHILY.xattr."))
    return LayerFile(
        kind,
        content,
        member.size if member.isreg() else 0,
        member.mode,
        f"{member.uid}:{member.gid}",
        float(member.mtime),
        tuple(sorted(extended)),
    )


def _plain(entry: LayerFile | None) -> Json | None:
    if entry is None:
        return None
    plain = vars(entry) | {"mode": f"{entry.mode:04o}", "attributes": dict(entry.attributes)}
    return {key: value for key, value in plain.items() if value or key != "attributes"}
