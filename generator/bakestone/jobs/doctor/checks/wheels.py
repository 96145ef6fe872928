"""Wheels: does the package index still have each file, with the hash that is in the lock?"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import UnreachableError, host_of
from bakestone.clients.index import pip
from bakestone.clients.index.page import ACCEPT, Listed, listed, project_page, versions
from bakestone.clients.index.pip import Places
from bakestone.clients.site.site import Site
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import LockedWheel
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
        self, name: str, key: str, locked: LockedWheel, users: Users, *, deep: bool
    ) -> list[Trouble]:
        """What is wrong with the files of a wheel. `deep` downloads them."""
        places = self.places()
        if not places.indexes and not places.links:
            why = "the site's pip configuration has no index, and its links lead to no server"
            return [Trouble("wheel", key, why, "give it an index-url", UNCHECKED)]
        pages = [
            page
            for page in (self.page(url, places) for url in self.urls(name, places))
            if page is not None
        ]
        troubles = []
        for platform in users.platforms:
            if platform not in locked.files:
                continue  # the lock is stale then, which is a finding of its own
            filename, sha256, size = locked.files[platform]
            found = self._file(key, filename, sha256, size, pages, deep=deep)
            troubles += [
                Trouble("wheel", t.what, t.why, t.hint, t.state, users.on(platform), t.items)
                for t in found
            ]
        return troubles

    def places(self) -> Places:
        """Where pip looks; asked once."""
        with self._lock:
            if self._places is None:
                config: Path | None = self.site.files.get("pip")
                named = self.site.indexes.get("pip")
                try:
                    self._places = Places(named.urls) if named else pip.places(config)
                except BakestoneError as problem:
                    self._places = problem
            if isinstance(self._places, BakestoneError):
                raise BakestoneError(self._places.findings, self._places.code)
            return self._places

    @staticmethod
    def urls(name: str, places: Places) -> list[str]:
        """The pages on which a project's files may be listed."""
        return [*(project_page(place, name) for place in places.indexes), *places.links]

    def page(self, url: str, places: Places) -> Mapping[str, Listed] | None:
        """What a page lists; None when the index does not have the project."""
        with self._lock:
            own = self._one.setdefault(url, threading.Lock())
        with own:
            if url not in self._pages:
                answer = self.asker.page(url, _PAGE, {"Accept": ACCEPT}, places.proxies or None)
                if answer.status in (401, 403, 407):
                    why = f"the package index answers {answer.said}"
                    raise fail(why, _LOGIN, name=host_of(url), code=ENVIRONMENT)
                if not answer.good and not answer.gone:
                    raise UnreachableError(
                        host_of(url), f"the package index answers {answer.said}", "try again later"
                    )
                self._pages[url] = (
                    listed(answer.body, answer.kind, answer.url) if answer.good else None
                )
            return self._pages[url]

    def _file(
        self,
        key: str,
        filename: str,
        sha256: str,
        size: int,
        pages: list[Mapping[str, Listed]],
        *,
        deep: bool,
    ) -> list[Trouble]:
        if not pages:
            return [Trouble("wheel", key, "the package index has no such project", _HINT)]
        found = [page[filename] for page in pages if filename in page]
        if not found:
            have = versions(name for page in pages for name in page)[-5:]
            more = f"; it has {', '.join(have)}" if have else ""
            return [
                Trouble("wheel", key, f"the package index no longer has {filename}{more}", _HINT)
            ]
        same = [f for f in found if f.sha256 in (sha256, "")]
        if not same:
            why = (
                f"the package index has another {filename}: sha256 {found[0].sha256[:12]}..., the"
                f" lock says {sha256[:12]}..."
            )
            return [
                Trouble(
                    "wheel",
                    key,
                    why,
                    "pip will refuse it; the file was replaced: ask who keeps the index, or choose"
                    " another version",
                )
            ]
        url = self._with_login(same[0].url)
        troubles = files.check("wheel", url, size, self.asker, name=key)
        return troubles or (
            files.deep("wheel", url, sha256, size, self.asker.session, name=key) if deep else []
        )

    def _with_login(self, url: str) -> str:
        """The URL with the credentials of an index on the same host, as pip does."""
        for place in self.places().indexes:
            login, _, host = urlsplit(place).netloc.rpartition("@")
            here = (urlsplit(place).scheme, host) == urlsplit(url)[:2]
            if login and here:
                return urlunsplit(urlsplit(url)._replace(netloc=f"{login}@{host}"))
        return url
