"""What a source distribution says that it asks for, without running any of it. Pure."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from email.parser import HeaderParser
from email.policy import compat32

from packaging.utils import canonicalize_name

MAX_SDIST = 50 * 2**20
"""Bytes of a source distribution that is looked into."""
MAX_UNPACKED = 500 * 2**20
"""Bytes of it unpacked: a small archive can hold very many."""
_MAX_MEMBER = 2**20
"""Bytes of the files in it that say what it is."""


def stub(content: bytes, name: str, version: str) -> tuple[str, bytes]:
    """File name and bytes of a wheel that has nothing but what the archive says that it asks for,
    so that a resolver which takes wheels alone can count with it.

    Read are its PKG-INFO, and of setuptools before `Requires-Dist` was in there its requires.txt.
    Raises `ValueError` for an archive that says neither, or says another name or version.
    """
    about, requires = _read(content)
    if about is None:
        raise ValueError("it has no PKG-INFO")
    said = HeaderParser(policy=compat32).parsestr(about.decode("utf-8", "replace"))
    if (
        canonicalize_name(str(said["Name"]).strip()) != canonicalize_name(name)
        or str(said["Version"]).strip() != version
    ):
        raise ValueError(f"it says that it is {said['Name']} {said['Version']}"[:200])
    if "Requires-Dist" in (said.get_all("Dynamic") or ()):
        raise ValueError("what it asks for is known only when it is built")
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if python := said["Requires-Python"]:
        lines.append(f"Requires-Python: {_line(python)}")
    asks = said.get_all("Requires-Dist") or _legacy(requires or b"")
    lines += [f"Requires-Dist: {_line(text)}" for text in asks]
    plain = name.replace("-", "_")
    folder = f"{plain}-{version}.dist-info"
    wheel = "Wheel-Version: 1.0\nGenerator: bakestone\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{folder}/METADATA", "\n".join([*lines, "", ""]))
        archive.writestr(f"{folder}/WHEEL", wheel)
        archive.writestr(f"{folder}/RECORD", "")
    return f"{plain}-{version}-py3-none-any.whl", out.getvalue()


def _read(content: bytes) -> tuple[bytes | None, bytes | None]:
    """Its PKG-INFO, and the requires.txt of its egg-info."""
    about = requires = None
    try:
        with tarfile.open(fileobj=_Unpacked(content), mode="r|") as archive:
            for member in archive:
                parts = member.name.split("/")
                if not member.isreg() or member.size > _MAX_MEMBER:
                    continue
                if len(parts) == 2 and parts[1] == "PKG-INFO":
                    about = _bytes(archive, member)
                elif parts[-1] == "requires.txt" and parts[-2].endswith(".egg-info"):
                    requires = _bytes(archive, member)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as problem:
        raise ValueError("it is no .tar.gz archive") from problem
    return about, requires


class _Unpacked(io.RawIOBase):
    """The archive without its compression, as far as that is no bomb."""

    def __init__(self, content: bytes) -> None:
        self._stream = gzip.GzipFile(fileobj=io.BytesIO(content))
        self._left = MAX_UNPACKED

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises `ValueError` where there are too many."""
        found = self._stream.read(size)
        self._left -= len(found)
        if self._left < 0:
            raise ValueError(f"it has more than {MAX_UNPACKED // 2**20} MiB in it")
        return found


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return stream.read(_MAX_MEMBER) if stream else b""


def _legacy(text: bytes) -> list[str]:
    """The requirements of a requires.txt, whose sections are `[extra:marker]`."""
    found, marker = [], ""
    for raw in text.decode("utf-8", "replace").splitlines():
        line = raw.strip()
        if line.startswith("["):
            extra, _, condition = line.strip("[]").partition(":")
            marker = "extra" if extra else condition
        elif line and marker != "extra":
            found.append(f"{line} ; {marker}" if marker else line)
    return found


def _line(text: object) -> str:
    return " ".join(str(text).split())
