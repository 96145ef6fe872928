"""What a downloaded file holds, read without unpacking or running anything."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path

from bakestone.errors import fail

TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
MAX_MEMBERS = 500_000
MAX_UNPACKED = 64 * 2**30
"""Most files and bytes in an archive: beyond them it is made to fill a disk."""
_USUAL = {"bin", "lib", "lib64", "libexec", "share", "include", "etc", "usr", "opt"}
"""Folders that are part of what is installed, not a wrapper around it."""
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError)
_DATA = {"scripts": "bin/", "data": "", "headers": "include/"}
"""Where pip puts a folder of a wheel's data."""
_PROGRAM = (b"\x7fELF", b"#!")


@dataclass(frozen=True)
class Contents:
    """`kind` is tar, zip, wheel or program, `folder` whether all is in one folder, which `files`
    leave out. They map a path to whether it may be executed; a wheel's are as pip installs them,
    its programs below `bin`.
    """

    kind: str
    folder: bool
    files: dict[str, bool]

    def programs(self, name: str) -> list[str]:
        """The paths that may be the program, likeliest first: in a `bin` folder, near the top."""
        named = [path for path in self.files if path.rpartition("/")[2] == name]
        found = [path for path in named if self.files[path]] or named
        return sorted(found, key=lambda p: (f"/{p}".split("/")[-2] != "bin", p.count("/"), p))


def contents(path: Path, filename: str) -> Contents:
    """What is in the file at `path`, whose name was `filename`.

    Raises `BakestoneError` when it is neither an archive that an image's builder can unpack nor a
    program.
    """
    lower = filename.lower()
    try:
        if lower.endswith(TAR):
            return _of("tar", _tar(path, filename))
        if lower.endswith(".zip"):
            return _of("zip", _zip(path, filename))
        if lower.endswith(".whl"):
            return Contents("wheel", False, dict(_wheel(_zip(path, filename))))
    except (*_BROKEN, OSError, ValueError, NotImplementedError) as problem:
        hint = "is it whole, and what its name says?"
        raise fail(f"{filename} cannot be read: {problem}", hint, name=filename) from problem
    with path.open("rb") as stream:
        program = stream.read(4).startswith(_PROGRAM)
    if program and not lower.endswith((".sh", ".run")):
        return Contents("program", False, {filename: True})
    what = "an installer, which takes its own options"
    if not program:
        what = "neither an archive (.tar, .tar.gz, .tar.bz2, .tar.xz, .zip, .whl) nor a program"
    hint = "write the component by hand: docs/components.md shows each method"
    raise fail(f"{filename} is {what}", hint, name=filename)


def _tar(path: Path, filename: str) -> Iterator[tuple[str, bool]]:
    """Name and whether it may be executed, of every file and link."""
    size = 0
    with tarfile.open(path, "r|*") as archive:
        for count, member in enumerate(archive, 1):
            size += member.size
            _limit(filename, count, size)
            if member.isfile() or member.islnk() or member.issym():
                yield member.name, member.issym() or bool(member.mode & stat.S_IXUSR)


def _zip(path: Path, filename: str) -> Iterator[tuple[str, bool]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _limit(filename, len(members), sum(member.file_size for member in members))
        for member in members:
            if not member.is_dir():
                yield member.filename, bool(member.external_attr >> 16 & stat.S_IXUSR)


def _wheel(members: Iterator[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    """As pip installs them (PEP 427): scripts may be executed below `bin`, data keeps its path;
    metadata is left out.
    """
    for name, executable in members:
        top, _, rest = name.partition("/")
        if top.endswith(".data"):
            place, _, path = rest.partition("/")
            if place == "scripts":
                yield f"bin/{path}", True
            elif place == "data" and path:
                yield path, executable
        elif not top.endswith(".dist-info") and rest:
            yield name, executable


def checksums(path: Path, filename: str) -> dict[str, int]:
    """Path -> CRC-32 of every file that pip installs of the wheel at `path`, whose name was
    `filename`; those of its packages begin with `/`, since they are in another folder than its
    data (PEP 427). Its own metadata is left out.

    Raises `BakestoneError` when it cannot be read.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (*_BROKEN, OSError, ValueError) as problem:
        hint = "is it whole, and what its name says?"
        raise fail(f"{filename} cannot be read: {problem}", hint, name=filename) from problem
    for member in members:
        top, _, rest = member.filename.partition("/")
        place, _, data = rest.partition("/")
        if not top.endswith(".data"):
            installed = "" if top.endswith(".dist-info") else f"/{member.filename}"
        else:
            installed = f"/{data}" if place.endswith("lib") else f"{_DATA.get(place, place)}{data}"
        if installed:
            found[installed] = member.CRC
    return found


def _limit(filename: str, count: int, size: int) -> None:
    if count > MAX_MEMBERS or size > MAX_UNPACKED:
        why = f"{filename} unpacks to more than {MAX_MEMBERS} files or {MAX_UNPACKED // 2**30} GiB"
        raise fail(why, "is it the right file?", name=filename)


def _of(kind: str, members: Iterator[tuple[str, bool]]) -> Contents:
    files = {
        "/".join(part for part in name.split("/") if part not in ("", ".")): executable
        for name, executable in members
    }
    tops = {name.partition("/")[0] for name in files}
    folder = len(tops) == 1 and not tops & _USUAL and all("/" in name for name in files)
    if folder:
        files = {name.partition("/")[2]: executable for name, executable in files.items()}
    return Contents(kind, folder, files)
