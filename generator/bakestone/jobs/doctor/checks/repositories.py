"""Package archives by HTTP: snapshots of a distro, vendors' repositories with the versions that are
pinned, and their keys.
"""

from __future__ import annotations

import lzma
import re
import threading
import zlib
from dataclasses import dataclass

from bakestone.clients.http.ask import Answer, Asker
from bakestone.clients.http.session import shown
from bakestone.core.documents import template
from bakestone.core.library.component import Repository
from bakestone.core.lock.needs import Distro, PackageSet
from bakestone.jobs.doctor.checks.openpgp import fingerprints
from bakestone.jobs.doctor.report import UNCHECKED, Trouble

_DEB = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)$")
_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_KEY = 2**20
_LIST = 64 * 2**20
_UNPACKED = 2**29
_PACKAGE = re.compile(r"^(Package|Version): *(\S+)", re.MULTILINE)
_MIRROR = "name a mirror that has it under `mirrors.urls` in the site file"


@dataclass(frozen=True)
class AptSource:
    """A line of a source list:

    URL, suite, parts. A suite that ends with a slash is a folder without parts.
    """

    url: str
    suite: str
    parts: tuple[str, ...]

    @staticmethod
    def parse(line: str) -> AptSource:
        """From `deb [options] URL SUITE PARTS`. Raises `ValueError` for another line."""
        found = _DEB.match(line)
        if not found:
            raise ValueError(f"not a source: {line[:100]}")
        return AptSource(found[1].rstrip("/"), found[2], tuple(found[3].split()))

    @property
    def folder(self) -> str:
        """Where InRelease is."""
        if self.suite.endswith("/"):
            return f"{self.url}/{self.suite.strip('/')}".rstrip("/")
        return f"{self.url}/dists/{self.suite}"

    def lists(self, architecture: str) -> list[str]:
        """Where the lists of packages are, less the ending that says how they are packed."""
        return [f"{self.folder}/{part}/binary-{architecture}/Packages" for part in self.parts] or [
            f"{self.folder}/Packages"
        ]


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
    what = f"{distro.text} at {time}"
    for source in map(AptSource.parse, lines):
        answer = asker.start(f"{source.folder}/InRelease", 256)
        reason = _wrong(answer)
        if answer.status == 429 or answer.status >= 500:
            return [Trouble("snapshot", what, reason, "try again later", UNCHECKED)]
        if reason:
            gone.setdefault(reason, []).append(f"{source.folder}/InRelease")
    hint = f"`bakestone lock --update` takes a new time; or {_MIRROR}"
    return [
        Trouble("snapshot", what, f"{reason}: {urls[0]}", hint, items=tuple(urls))
        for reason, urls in gone.items()
    ]


def _wrong(answer: Answer) -> str:
    if not answer.good:
        return f"the archive answers {answer.said}"
    return "" if answer.body.startswith(_SIGNED) else "what the archive gives is no signed list"


def key(repository: Repository, asker: Asker) -> list[Trouble]:
    """What is wrong with the key of a vendor's repository: it must be there, and be the one that
    the library names.
    """
    what = f"key of {repository.name}"
    answer = asker.page(repository.key, _KEY)
    if answer.status == 429 or answer.status >= 500:
        why = f"answers {answer.said}"
        return [Trouble("key", answer.place, why, "try again later", UNCHECKED, items=(what,))]
    if not answer.good:
        hint = f"the vendor moved it: correct it in the component, or {_MIRROR}"
        return [Trouble("key", what, f"{shown(answer.url)} answers {answer.said}", hint)]
    try:
        found = fingerprints(answer.body)
    except ValueError as problem:
        return [Trouble("key", what, f"{shown(answer.url)}: {problem}", _MIRROR)]
    if repository.fingerprint in found:
        return []
    why = f"{shown(answer.url)} has the key {', '.join(found[:3])}, not {repository.fingerprint}"
    return [
        Trouble(
            "key",
            what,
            why,
            "ask the vendor whether the key was changed; then correct its fingerprint in the"
            " component",
        )
    ]


class Repositories:
    """Vendors' repositories: their lists, fetched once each; then the pinned packages are looked
    for.
    """

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.packages: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def fetch(self, repository: Repository, platforms: tuple[str, ...]) -> list[Trouble]:
        """Read the lists of a repository. What is wrong with it, when it has none."""
        source, found = AptSource.parse(f"deb {repository.line}"), set()
        wanted = [repository.platform] if repository.platform else list(platforms)
        for url in dict.fromkeys(url for p in wanted for url in source.lists(p.split("/")[1])):
            text, answer = self._list(url)
            if text is None:
                if answer.status == 429 or answer.status >= 500:
                    return [
                        Trouble(
                            "repository",
                            answer.place,
                            f"answers {answer.said}",
                            "try again later",
                            UNCHECKED,
                            items=(repository.name,),
                        )
                    ]
                why = f"{shown(url)} is not there: {answer.said}"
                hint = f"the vendor moved it: correct it in the component, or {_MIRROR}"
                return [Trouble("repository", repository.name, why, hint)]
            found |= packages(text)
        with self._lock:
            self.packages[repository.name] = found
        return []

    def _list(self, url: str) -> tuple[str | None, Answer]:
        for ending, unpack in ((".gz", gunzip), (".xz", unxz), ("", bytes)):
            answer = self.asker.page(url + ending, _LIST)
            if answer.good:
                return unpack(answer.body).decode("utf-8", "replace"), answer
            if not answer.gone:
                break
        return None, answer

    def missing(self, wanted: PackageSet) -> list[str] | None:
        """The pinned `name=version` of a set that its repositories do not have;

        None when a list of one is not known.
        """
        if any(r.name not in self.packages for r in wanted.repositories):
            return None
        there = {package for r in wanted.repositories for package in self.packages[r.name]}
        return [name for name in wanted.names if "=" in name and name not in there]


def packages(text: str) -> set[str]:
    """Every `name=version` of a list."""
    found, name = set(), ""
    for field, value in _PACKAGE.findall(text):
        if field == "Package":
            name = value
        elif name:
            found.add(f"{name}={value}")
    return found


def gunzip(data: bytes) -> bytes:
    """Raises `ValueError` for another form, and for more than fits in memory."""
    work = zlib.decompressobj(wbits=31)
    try:
        return _whole(work.decompress(data, _UNPACKED), work.unconsumed_tail)
    except zlib.error as problem:
        raise ValueError("a list of packages that cannot be unpacked") from problem


def unxz(data: bytes) -> bytes:
    """Raises `ValueError` like `gunzip`."""
    work = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_UNPACKED)
    try:
        return _whole(
            work.decompress(data, _UNPACKED), b"" if work.needs_input or work.eof else b"more"
        )
    except lzma.LZMAError as problem:
        raise ValueError("a list of packages that cannot be unpacked") from problem


def _whole(unpacked: bytes, rest: bytes) -> bytes:
    if rest:
        raise ValueError(f"a list of packages of more than {_UNPACKED} bytes")
    return unpacked
