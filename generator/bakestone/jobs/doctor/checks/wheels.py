"""Wheels: does the package index still have each file, with the hash that is in the lock?"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import UnreachableError, host_of
from bakestone.clients.index import pip
from bakestone.clients.index.page import ACCEPT, Listed, listed, project_page, versions
from bakestone.clients.index.pip import Places
from bakestone.clients.site.site import Site
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import LockedWheel
from bakestone.core.lock.needs import Wheel
from bakestone.errors import ENVIRONMENT, BakestoneError, fail
from bakestone.jobs.doctor.checks import files
from bakestone.jobs.doctor.report import UNCHECKED, Trouble

_PAGE = 64 * 2**20
_LOGIN = (
    "give the login under `credentials` in the site file, or in its pip configuration (index-url)"
)
_HINT = "name an index that has it in the site's pip configuration, or choose another version"


class Wheels:
    """Asks the package index.

    Each page is fetched once, where several wheels are of one project.
    """

    def __init__(self, site: Site, asker: Asker) -> None:
        self.site = site
        self.asker = asker
        self._lock = threading.Lock()
        self._places: Places | BakestoneError | None = None
        self._one: dict[str, threading.Lock] = {}
        self._pages: dict[str, Mapping[str, Listed] | None] = {}

    def check(
        self, wheel: Wheel, locked: LockedWheel, users: Users, *, deep: bool
    ) -> Iterator[Trouble]:
        """What is wrong with the files of a wheel. `deep` downloads them."""
        places = self.places()
        if not places.indexes and not places.links:
            why = "the site's pip configuration has no index, and its links lead to no server"
            yield Trouble(why, "give it an index-url", UNCHECKED)
            return
        urls = [*(project_page(place, wheel.name) for place in places.indexes), *places.links]
        pages = [page for page in (self._page(url, places) for url in urls) if page is not None]
        for platform in users.platforms:
            if platform in locked.files:  # else the lock is stale, which is a finding of its own
                filename, sha256, size = locked.files[platform]
                found = _listed(pages, filename, sha256)
                if isinstance(found, Listed):
                    url, checksum = _with_login(found.url, places), sha256 if deep else ""
                    rows = files.check(wheel.key, url, size, self.asker, checksum)
                else:
                    rows = [found]
                yield from (replace(row, variants=users.on(platform)) for row in rows)

    def places(self) -> Places:
        """Where pip looks; asked once."""
        with self._lock:
            if self._places is None:
                named = self.site.indexes.get("pip")
                try:
                    self._places = (
                        Places(named.urls) if named else pip.places(self.site.files.get("pip"))
                    )
                except BakestoneError as problem:
                    self._places = problem
            if isinstance(self._places, BakestoneError):
                raise BakestoneError(self._places.findings, self._places.code)
            return self._places

    def _page(self, url: str, places: Places) -> Mapping[str, Listed] | None:
        """What a page lists; None when the index does not have the project."""
        with self._one.setdefault(url, threading.Lock()):
            if url not in self._pages:
                answer = self.asker.page(url, _PAGE, {"Accept": ACCEPT}, places.proxies or None)
                why = f"the package index answers {answer.said}"
                if answer.status in (401, 403, 407):
                    raise fail(why, _LOGIN, name=host_of(url), code=ENVIRONMENT)
                if not answer.good and not answer.gone:
                    raise UnreachableError(host_of(url), why, "try again later")
                self._pages[url] = (
                    listed(answer.body, answer.kind, answer.url) if answer.good else None
                )
            return self._pages[url]


def _listed(pages: list[Mapping[str, Listed]], filename: str, sha256: str) -> Listed | Trouble:
    """A file as a page lists it with this hash, or with none; else what is wrong."""
    if not pages:
        return Trouble("the package index has no such project", _HINT)
    found = [page[filename] for page in pages if filename in page]
    if not found:
        have = versions(name for page in pages for name in page)[-5:]
        more = f"; it has {', '.join(have)}" if have else ""
        return Trouble(f"the package index no longer has {filename}{more}", _HINT)
    for file in found:
        if file.sha256 in (sha256, ""):
            return file
    has = f"the package index has another {filename}: sha256 {found[0].sha256[:12]}..."
    return Trouble(
        f"{has}, the lock says {sha256[:12]}...",
        "pip will refuse it; the file was replaced: ask who keeps the index, or choose another"
        " version",
    )


def _with_login(url: str, places: Places) -> str:
    """The URL with the credentials of an index on the same host, as pip does."""
    for place in places.indexes:
        login, _, host = urlsplit(place).netloc.rpartition("@")
        if login and (urlsplit(place).scheme, host) == urlsplit(url)[:2]:
            return urlunsplit(urlsplit(url)._replace(netloc=f"{login}@{host}"))
    return url
