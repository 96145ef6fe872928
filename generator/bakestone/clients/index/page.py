"""A page of a package index: its address, and the files that it lists (PEP 503 and PEP 691)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version
from pypi_simple import (
    ACCEPT_JSON_PREFERRED,
    DistributionPackage,
    ProjectPage,
    UnsupportedRepoVersionError,
    parse_links_stream,
)

ACCEPT = ACCEPT_JSON_PREFERRED
"""What a request for a page accepts: JSON rather than HTML."""
_MAX_NAME = 255
"""Bytes of a file's name, on every file system that pip runs on."""
_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Listed:
    """A file that a page lists: its URL, and its SHA-256, empty when the page does not say.

    `size` in bytes and `published` (a day, ISO 8601) are known where the index says them (PEP 700);
    `withdrawn` is why the publisher took it back (PEP 592), None for a file that counts.
    """

    url: str
    sha256: str
    size: int | None = None
    published: str = ""
    withdrawn: str | None = None


def project_page(index: str, name: str) -> str:
    """The page of a project."""
    return f"{index.rstrip('/')}/{canonicalize_name(name)}/"


def listed(body: bytes, kind: str, url: str) -> dict[str, Listed]:
    """File name -> what a page says of it; `kind` is its media type, `url` where it came from.

    Raises `ValueError` for what is no page of an index.
    """
    try:
        if kind == _JSON:
            files = ProjectPage.from_json_data(json.loads(body), url).packages
            return {file.filename: _listed(file) for file in files}
        # the name in the link, not its text: a page of links need not be that of an index
        links = parse_links_stream([body.decode("utf-8", "replace")], url)
        files = [DistributionPackage.from_link(link) for link in links]
        return {unquote(urlsplit(f.url).path.rpartition("/")[2]): _listed(f) for f in files}
    except (UnsupportedRepoVersionError, RecursionError, AssertionError) as problem:
        # the last one is how Python's parser of HTML says that it does not understand
        raise ValueError(f"it is no page of an index: {problem}") from problem


def _listed(file: DistributionPackage) -> Listed:
    day = file.upload_time.date().isoformat() if file.upload_time else ""
    withdrawn = (file.yanked_reason or "") if file.is_yanked else None
    checksum = file.digests.get("sha256", "")
    return Listed(file.url, checksum, file.size, day, withdrawn)


def versions(filenames: Iterable[str]) -> list[str]:
    """The versions of the wheels among some files, each once, the oldest first."""
    found: set[Version] = set()
    for name in filenames:
        # a source distribution, no distribution at all, or a number that Python does not take; no
        # file has a longer name, and one could stand for millions of tags
        with contextlib.suppress(ValueError):
            if len(name) <= _MAX_NAME:
                found.add(parse_wheel_filename(name)[1])
    return [str(version) for version in sorted(found)]
