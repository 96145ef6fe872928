"""Which blob answers a request: the registry protocol for base images, a package index for wheels,
URLs for all else. Pure.

Nothing but what the catalog names can be asked for, so no path of a request reaches the disk.
"""

from __future__ import annotations

import html
import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from packaging.utils import canonicalize_name

from bakestone.clients.registry.reference import Reference
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import IMAGE, INDEX, PART, WHEEL, Catalog

_BY_HASH = re.compile(r"/by-hash/SHA256/([0-9a-f]{64})$")
_SIMPLE = re.compile(r"/simple/([A-Za-z0-9._-]+)/?")
_URL = re.compile(r"/url/(?P<scheme>https?)/(?P<host>[A-Za-z0-9.-]+(_[0-9]+)?)(?P<rest>/.*)")


@dataclass(frozen=True)
class Reply:
    """A blob by its digest, or `text` that is made here."""

    media_type: str
    digest: str = ""
    text: bytes = b""


class Routes:
    """The requests that one archive answers: a reply for each path, each URL outside, and the
    digest of each package index.
    """

    def __init__(self, catalog: Catalog) -> None:
        counts = Counter(entry.kind for entry in catalog.entries)
        lines = [f"{counts[kind]} x {what}\n" for kind, what in catalogs.KINDS.items()]
        welcome = "".join(["Bakestone archive\n", *lines]).encode()
        version = Reply("application/json", text=b"{}")
        replies = {"/": Reply("text/plain", text=welcome), "/v2": version, "/v2/": version}
        projects: dict[str, list[str]] = {}
        for entry in catalog.entries:
            reply = Reply(catalogs.PLAIN, entry.digest)
            if entry.kind in (IMAGE, PART):
                reply = Reply(entry.media_type, entry.digest)
                place = Reference.parse(entry.name)
                names = {entry.digest, place.target} if entry.kind == IMAGE else {entry.digest}
                for what, name in itertools.product(("manifests", "blobs"), names):
                    replies[f"/v2/{spelled(place.name)}/{what}/{name}"] = reply
            elif entry.kind == WHEEL:
                replies[f"/wheel/{entry.name}"] = reply
                project = canonicalize_name(entry.name.partition("-")[0])
                link = f"/wheel/{entry.name}#sha256={entry.digest[7:]}"
                projects.setdefault(project, []).append(link)
            else:
                replies[_normal(entry.name)] = reply
                if entry.kind == INDEX:
                    replies[entry.digest] = reply
        replies["/simple/"] = _page(f"{name}/" for name in projects)
        replies |= {f"/simple/{name}/": _page(links) for name, links in projects.items()}
        self._replies = replies

    def find(self, target: str) -> Reply | None:
        """The answer to a request's target: a path, or a whole URL as a proxy is sent it.

        None when the archive has nothing for it.
        """
        try:
            if not target.startswith(("http://", "https://")):
                return self._here(target)
            parts = urlsplit(target)  # if it is none outside, it has this server's own address
            return self._outside(target) or self._here(parts.path + _query(parts))
        except ValueError:  # no URL, such as http://[::1/
            return None

    def _here(self, target: str) -> Reply | None:
        if found := _URL.fullmatch(target):
            host = found["host"].replace("_", ":")
            return self._outside(f"{found['scheme']}://{host}{found['rest']}")
        path = unquote(target.partition("?")[0])
        if found := _SIMPLE.fullmatch(path):
            path = f"/simple/{canonicalize_name(found[1])}/"
        return self._replies.get(path)

    def _outside(self, url: str) -> Reply | None:
        found = self._replies.get(_normal(url))
        if found is None and (by_hash := _BY_HASH.search(url)):
            return self._replies.get(f"sha256:{by_hash[1]}")
        return found


def spelled(name: str) -> str:
    """A repository's name with its host, as a path below this server:

    `registry.lab:5000/base` -> `registry.lab_5000/base`.
    """
    return name.replace(":", "_")


def _normal(url: str) -> str:
    """A URL in one of its many spellings; flat repositories have `/./` in theirs."""
    parts = urlsplit(url)
    path = unquote(parts.path).replace("/./", "/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}{_query(parts)}"


def _query(parts: SplitResult) -> str:
    return f"?{parts.query}" if parts.query else ""


def _page(links: Iterable[str]) -> Reply:
    text = "<!DOCTYPE html>\n"
    for link in sorted(links):
        name = link.rpartition("/")[2].partition("#")[0] or link
        text += f'<a href="{html.escape(link)}">{html.escape(name)}</a><br>\n'
    return Reply("text/html", text=text.encode())
