"""The lists of packages of an apt archive: where they are, and what is in them."""

from __future__ import annotations

import hashlib
import lzma
import re
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bakestone.clients.http.ask import Answer, Asker
from bakestone.core.library.vendored import VendorPackage

_DEB = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)$")
_LIST = 64 * 2**20
"""Bytes of a packed list at most; the largest of Debian and Ubuntu have 20 MB."""
_UNPACKED = 2**29
_PACKAGE = re.compile(r"^(Package|Version|Provides): *(.*)$", re.MULTILINE)
_FIELD = re.compile(r"^(Package|Version|SHA256|Size|Depends):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+:~-]{0,119}")
"""As versions.yaml takes them (packageVersion in schemas/versions.schema.json)."""
_SHA256 = re.compile("[0-9a-f]{64}")
_SIZE = re.compile("[1-9][0-9]{0,13}")
_PROVIDED = re.compile(r"(?:^|,)\s*([^\s,(:]+)")


@dataclass(frozen=True)
class AptSource:
    """A line of a source list: the folder that InRelease is in, and the parts below it."""

    folder: str
    parts: tuple[str, ...]

    @staticmethod
    def parse(line: str) -> AptSource:
        """From `deb [options] URL SUITE PARTS`; a suite that ends with a slash is a folder without
        parts. Raises `ValueError` for another line.
        """
        found = _DEB.match(line)
        if not found:
            raise ValueError(f"not a source: {line[:100]}")
        url, suite = found[1].rstrip("/"), found[2]
        below = suite.strip("/") if suite.endswith("/") else f"dists/{suite}"
        return AptSource(f"{url}/{below}".rstrip("/"), tuple(found[3].split()))

    def lists(self, architecture: str) -> list[str]:
        """Where the lists of packages are, less the ending that says how they are packed."""
        below = [f"{part}/binary-{architecture}/Packages" for part in self.parts] or ["Packages"]
        return [f"{self.folder}/{path}" for path in below]


@dataclass(frozen=True)
class PackageList:
    """What a server said, and the list; that is empty where there is none."""

    answer: Answer
    text: str = ""


def read(
    url: str,
    asker: Asker,
    endings: Sequence[str] = (".gz", ".xz", ""),
    signed: Mapping[str, str] | None = None,
) -> PackageList:
    """The list at a URL of `AptSource.lists`, by the first of the endings that is there.

    `signed` is what a signed release says of lists: URL -> SHA-256; one that it does not have is
    not asked for. Raises `HttpError`, and `ValueError` for what is no list, or is not the signed
    one. One that is empty is: of a suite that has nothing yet.
    """
    asked = [ending for ending in endings if signed is None or url + ending in signed]
    if not asked:
        raise ValueError("the signed release has no list of packages for it")
    for ending in asked:
        answer = asker.page(url + ending, _LIST)
        if not answer.gone:
            break
    if not answer.good:
        return PackageList(answer)
    if signed is not None and hashlib.sha256(answer.body).hexdigest() != signed[url + ending]:
        raise ValueError("the list of packages is not the one that was signed")
    text = _unpacked(answer.body, ending).decode("utf-8", "replace")
    if text.strip() and not any(_words(text)):
        raise ValueError("what it answers is no list of packages")
    return PackageList(answer, text)


def pinned(text: str) -> set[str]:
    """Every `name=version` of a list."""
    return {word for word in _words(text) if "=" in word}


def packages(text: str, names: re.Pattern[str]) -> Iterator[VendorPackage]:
    """The packages of a list whose names a pattern matches whole.

    Raises `ValueError` where one of them lacks what a list must say of it, or says what dpkg does
    not take.
    """
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields = dict(_FIELD.findall(stanza))
        name, version = fields.get("Package", ""), fields.get("Version", "")
        if not names.fullmatch(name):
            continue
        size = fields.get("Size", "")
        if not _VERSION.fullmatch(version):
            raise ValueError(f"the version of {name} is none: {version[:60]!r}")
        if not _SHA256.fullmatch(fields.get("SHA256", "")) or not _SIZE.fullmatch(size):
            raise ValueError(f"{name} {version} has no SHA-256 and size")
        yield VendorPackage(name, version, fields["SHA256"], int(size), fields.get("Depends", ""))


def versions(text: str, names: Container[str]) -> Iterator[tuple[str, str]]:
    """Name and version of each package of a list that is called so."""
    for word in _words(text):
        name, _, version = word.partition("=")
        if version and name in names:
            yield name, version


def held(text: str, words: Iterable[str]) -> set[str]:
    """Those of the words that apt finds in a list: names of packages, `name=version`, and names
    that a package provides.
    """
    wanted = set(words)
    return {word for word in _words(text) if word in wanted}


def _words(text: str) -> Iterator[str]:
    name = ""
    for field, value in _PACKAGE.findall(text):
        if field == "Package":
            name = value.strip()
            yield name
        elif field == "Provides":
            yield from _PROVIDED.findall(value)
        elif name:
            yield f"{name}={value.strip()}"


def _unpacked(data: bytes, ending: str) -> bytes:
    """The content of a file whose name ends in .gz, .xz or neither.

    Raises `ValueError` for another form, and for more than fits in memory.
    """
    if not ending:
        return data
    work = (
        zlib.decompressobj(wbits=31)
        if ending == ".gz"
        else lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_UNPACKED)
    )
    try:
        content = work.decompress(data, _UNPACKED)
    except (zlib.error, lzma.LZMAError) as problem:
        raise ValueError("a list of packages that cannot be unpacked") from problem
    if len(content) == _UNPACKED and not work.eof:
        raise ValueError(f"a list of packages of more than {_UNPACKED} bytes")
    if not work.eof or work.unused_data:
        raise ValueError("a list of packages that cannot be unpacked to its end")
    return content
