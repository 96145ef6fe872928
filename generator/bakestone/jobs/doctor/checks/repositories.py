"""Package archives by HTTP: snapshots of a distro, vendors' repositories with the versions that are
pinned, and their keys.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import shown
from bakestone.core.documents import template
from bakestone.core.documents.words import few
from bakestone.core.library.component import Repository
from bakestone.core.lock.needs import Distro, PackageSet
from bakestone.core.lock.openpgp import fingerprints
from bakestone.jobs.doctor.checks.files import MIRROR, busy, later
from bakestone.jobs.doctor.report import UNCHECKED, Trouble

_DEB = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)$")
_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_KEY = 2**20
_LIST = 64 * 2**20
_UNPACKED = 2**29
_PACKAGE = re.compile(r"^(Package|Version): *(\S+)", re.MULTILINE)
_MOVED = f"the vendor moved it: correct it in the component, or {MIRROR}"


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


def snapshot(distro: Distro, time: str, asker: Asker) -> list[Trouble]:
    """What is wrong with a distro's archive as of a time: each source must have its signed list
    there.
    """
    about = distro.component.data.get("snapshot") or {"sources": []}
    context = {"time": time, "codename": distro.version.data["codename"]}
    lines = [
        template.render(line, context, origin=f"{distro.component.origin}/component.yaml")
        for line in about["sources"]
    ]
    gone: dict[str, list[str]] = {}
    for source in map(AptSource.parse, lines):
        url = f"{source.folder}/InRelease"
        answer = asker.start(url, 256)
        if busy(answer):
            return [Trouble(f"the archive answers {answer.said}", "try again later", UNCHECKED)]
        if not answer.good:
            gone.setdefault(f"the archive answers {answer.said}", []).append(url)
        elif not answer.body.startswith(_SIGNED):
            gone.setdefault("what the archive gives is no signed list", []).append(url)
    hint = f"`bakestone lock --update` takes a new time; or {MIRROR}"
    return [
        Trouble(f"{reason}: {urls[0]}", hint, items=tuple(urls)) for reason, urls in gone.items()
    ]


def key(repository: Repository, asker: Asker, sha256: str = "") -> list[Trouble]:
    """What is wrong with the key of a vendor's repository: it must be there, be the one that the
    library names, and the file that the lock has a checksum of.
    """
    answer = asker.page(repository.key, _KEY)
    place = shown(answer.url)
    if busy(answer):
        return [later(answer, f"key of {repository.name}")]
    if not answer.good:
        return [Trouble(f"{place} answers {answer.said}", _MOVED)]
    try:
        found = fingerprints(answer.body)
    except ValueError as problem:
        return [Trouble(f"{place}: {problem}", MIRROR)]
    if repository.fingerprint in found:
        came = hashlib.sha256(answer.body).hexdigest()
        if sha256 in ("", came):
            return []
        why = f"{place} has the right key in another file: sha256 {came}, the lock has {sha256}"
        return [Trouble(why, f"`bakestone lock --update` takes the new file; or {MIRROR}")]
    why = f"{place} has the key {', '.join(found[:3])}, not {repository.fingerprint}"
    hint = "ask the vendor whether the key was changed; then correct its fingerprint in the"
    return [Trouble(why, f"{hint} component")]


class Repositories:
    """Vendors' repositories: their lists, fetched once each; then the pinned packages are looked
    for.
    """

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.packages: dict[str, set[str]] = {}

    def fetch(self, repository: Repository, platforms: Iterable[str]) -> list[Trouble]:
        """Read the lists of a repository. What is wrong with it, when it has none."""
        source, found = AptSource.parse(f"deb {repository.line}"), set()
        wanted = [repository.platform] if repository.platform else platforms
        for url in dict.fromkeys(url for p in wanted for url in source.lists(p.split("/")[1])):
            for ending in (".gz", ".xz", ""):
                answer = self.asker.page(url + ending, _LIST)
                if not answer.gone:
                    break
            if busy(answer):
                return [later(answer, repository.name)]
            if not answer.good:
                return [Trouble(f"{shown(url)} is not there: {answer.said}", _MOVED)]
            found |= packages(unpacked(answer.body, ending).decode("utf-8", "replace"))
        self.packages[repository.name] = found
        return []

    def missing(self, wanted: PackageSet) -> list[Trouble]:
        """The pinned `name=version` of a set that its vendors no longer have."""
        there = {package for r in wanted.repositories for package in self.packages[r.name]}
        gone = [name for name in wanted.names if "=" in name and name not in there]
        why = f"the repository no longer has {few(gone)}"
        hint = "choose another version, or name a mirror that kept it under `mirrors.urls` in the"
        return [Trouble(why, f"{hint} site file", items=tuple(gone))] if gone else []


def packages(text: str) -> set[str]:
    """Every `name=version` of a list."""
    found, name = set(), ""
    for field, value in _PACKAGE.findall(text):
        if field == "Package":
            name = value
        elif name:
            found.add(f"{name}={value}")
    return found


def unpacked(data: bytes, ending: str) -> bytes:
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
    return content
