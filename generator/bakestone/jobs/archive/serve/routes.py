"""Which blob answers a request: the registry protocol for base images, a package index for wheels,
URLs for all else. Pure.

Nothing but what the catalog names can be asked for, so no path of a request reaches the disk.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from packaging.utils import canonicalize_name

from bakestone.clients.registry.reference import Reference
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import IMAGE, INDEX, PART, WHEEL, ArchivedBlob, Catalog

_BY_HASH = re.compile(r"/by-hash/SHA256/([0-9a-f]{64})$")
_REGISTRY = re.compile(
    r"/v2/(?P<name>[a-z0-9][a-z0-9._/-]*)/(?P<what>manifests|blobs)/(?P<reference>[A-Za-z0-9._:-]+)"
)
_SIMPLE = re.compile(r"/simple/(?P<project>[A-Za-z0-9._-]+)/?")
_URL = re.compile(r"/url/(?P<scheme>https?)/(?P<host>[A-Za-z0-9.-]+(_[0-9]+)?)(?P<rest>/.*)")


@dataclass(frozen=True)
class Reply:
    """A blob by its digest, or `text` that is made here."""

    media_type: str
    digest: str = ""
    text: bytes = b""


class Routes:
    """The requests that one archive answers."""

    def __init__(self, catalog: Catalog) -> None:
        self._images: dict[tuple[str, str], ArchivedBlob] = {}
        self._urls: dict[str, ArchivedBlob] = {}
        self._indexes: dict[str, ArchivedBlob] = {}
        self._wheels: dict[str, ArchivedBlob] = {}
        self._projects: dict[str, list[str]] = {}
        for entry in catalog.entries:
            if entry.kind == IMAGE:
                place = Reference.parse(entry.name)
                for target in (place.target, entry.digest):
                    self._images[spelled(place.name), target] = entry
            elif entry.kind == PART:
                self._images[spelled(entry.name), entry.digest] = entry
            elif entry.kind == WHEEL:
                self._wheels[entry.name] = entry
                project = canonicalize_name(entry.name.partition("-")[0])
                self._projects.setdefault(project, []).append(entry.name)
            else:
                self._urls[_normal(entry.name)] = entry
                if entry.kind == INDEX:
                    self._indexes[entry.digest] = entry
        counts = Counter(entry.kind for entry in catalog.entries)
        lines = [f"{counts[kind]} x {what}\n" for kind, what in catalogs.KINDS.items()]
        self._welcome = "".join(["Bakestone archive\n", *lines]).encode()

    def find(self, target: str) -> Reply | None:
        """The answer to a request's target: a path, or a whole URL as a proxy is sent it.

        None when the archive has nothing for it.
        """
        try:
            if target.startswith(("http://", "https://")):
                found = self._url(target)
                if found:
                    return found
                parts = urlsplit(target)
                target = parts.path + _query(parts)  # this server's own address
            return self._here(target)
        except ValueError:  # no URL, such as http://[::1/
            return None

    def _here(self, target: str) -> Reply | None:
        path = target.partition("?")[0]
        if path == "/":
            return Reply("text/plain", text=self._welcome)
        if path in ("/v2", "/v2/"):
            return Reply("application/json", text=b"{}")
        if found := _REGISTRY.fullmatch(path):
            entry = self._images.get((found["name"], found["reference"]))
            return Reply(entry.media_type, entry.digest) if entry else None
        if path == "/simple/":
            return _page(f"{name}/" for name in sorted(self._projects))
        if found := _SIMPLE.fullmatch(path):
            files = sorted(self._projects.get(canonicalize_name(found["project"]), ()))
            links = [f"/wheel/{name}#sha256={self._wheels[name].digest[7:]}" for name in files]
            return _page(links) if links else None
        if path.startswith("/wheel/"):
            entry = self._wheels.get(unquote(path.removeprefix("/wheel/")))
            return Reply(catalogs.PLAIN, entry.digest) if entry else None
        if found := _URL.fullmatch(target):
            host = found["host"].replace("_", ":")
            return self._url(f"{found['scheme']}://{host}{found['rest']}")
        return None

    def _url(self, url: str) -> Reply | None:
        entry = self._urls.get(_normal(url))
        if entry is None and (found := _BY_HASH.search(url)):
            entry = self._indexes.get(f"sha256:{found[1]}")
        return Reply(catalogs.PLAIN, entry.digest) if entry else None


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
    for link in links:
        name = link.rpartition("/")[2].partition("#")[0] or link
        text += f'<a href="{html.escape(link)}">{html.escape(name)}</a><br>\n'
    return Reply("text/html", text=text.encode())
