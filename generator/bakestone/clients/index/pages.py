"""Asks the package indexes of a site: each page once, with the logins that pip would take."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import UnreachableError, host_of
from bakestone.clients.index import pip
from bakestone.clients.index.page import ACCEPT, Listed, listed, project_page
from bakestone.clients.index.pip import Places
from bakestone.clients.site.site import Site
from bakestone.errors import ENVIRONMENT, BakestoneError, fail

_PAGE = 64 * 2**20
_LOGIN = (
    "give the login under `credentials` in the site file, or in its pip configuration (index-url)"
)


class Pages:
    """The pages of the indexes, and of the lists of links, where pip looks at this site."""

    def __init__(self, site: Site, asker: Asker) -> None:
        self.site = site
        self.asker = asker
        self._lock = threading.Lock()
        self._places: Places | BakestoneError | None = None
        self._one: dict[str, threading.Lock] = {}
        self._pages: dict[str, Mapping[str, Listed] | None] = {}

    def places(self) -> Places:
        """Where pip looks; asked once. Raises `BakestoneError` where that cannot be told."""
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

    def of(self, project: str) -> list[Mapping[str, Listed]]:
        """What each index that has a project lists, by file name.

        Raises `HttpError` when one gives no answer, `ValueError` when it gives no page, and
        `BakestoneError` when it asks for a login.
        """
        places = self.places()
        urls = [*(project_page(place, project) for place in places.indexes), *places.links]
        return [page for page in map(self._page, urls) if page is not None]

    def _page(self, url: str) -> Mapping[str, Listed] | None:
        """What a page lists; None when the index does not have the project."""
        places = self.places()
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

    def with_login(self, url: str) -> str:
        """The URL with the credentials of an index on the same host, as pip does."""
        for place in self.places().indexes:
            login, _, host = urlsplit(place).netloc.rpartition("@")
            if login and (urlsplit(place).scheme, host) == urlsplit(url)[:2]:
                return urlunsplit(urlsplit(url)._replace(netloc=f"{login}@{host}"))
        return url
