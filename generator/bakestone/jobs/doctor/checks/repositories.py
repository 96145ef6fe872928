"""Package archives by HTTP: snapshots of a distro, vendors' repositories with the versions that are
pinned, and their keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from bakestone.clients.apt import lists
from bakestone.clients.apt.lists import AptSource
from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import shown
from bakestone.core.documents import template
from bakestone.core.documents.words import few
from bakestone.core.library.component import Repository
from bakestone.core.lock.needs import Distro, PackageSet
from bakestone.core.lock.openpgp import fingerprints
from bakestone.jobs.doctor.checks.files import MIRROR, busy, later
from bakestone.jobs.doctor.report import UNCHECKED, Trouble

_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_KEY = 2**20
_MOVED = f"the vendor moved it: correct it in the component, or {MIRROR}"


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
            came = lists.read(url, self.asker)
            if busy(came.answer):
                return [later(came.answer, repository.name)]
            if not came.answer.good:
                return [Trouble(f"{shown(url)} is not there: {came.answer.said}", _MOVED)]
            found |= lists.pinned(came.text)
        self.packages[repository.name] = found
        return []

    def missing(self, wanted: PackageSet) -> list[Trouble]:
        """The pinned `name=version` of a set that its vendors no longer have."""
        there = {package for r in wanted.repositories for package in self.packages[r.name]}
        gone = [name for name in wanted.names if "=" in name and name not in there]
        why = f"the repository no longer has {few(gone)}"
        hint = "choose another version, or name a mirror that kept it under `mirrors.urls` in the"
        return [Trouble(why, f"{hint} site file", items=tuple(gone))] if gone else []
