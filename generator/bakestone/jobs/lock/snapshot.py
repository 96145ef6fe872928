"""The time as of which a distro's archive is used: chosen, and asked of its snapshot service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import BrokenError, HttpError
from bakestone.core.documents.patterns import matches
from bakestone.core.lock.lock import CLOCK, SNAPSHOT, LockedPackages
from bakestone.core.lock.needs import Distro
from bakestone.errors import ENVIRONMENT, fail

DAYS = 3
"""How many midnights are tried, the last one first: a service may lag behind."""
_RELEASE = 2**16
"""Bytes of an InRelease that are read: its head, with the codename."""


def choose(distro: Distro, now: datetime, asker: Asker) -> LockedPackages:
    """The newest midnight (UTC) at which the service has every suite of the distro.

    Where the service cannot be asked, last midnight, and `note` says so. Raises `BakestoneError`
    when the distro has no such service, or when the service says that it has nothing.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    unsaid = LockedPackages("snapshot", distro.text, now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    absent: list[str] = []
    for back in range(DAYS):
        time = (midnight - timedelta(days=back)).strftime("%Y%m%dT%H%M%SZ")
        try:
            absent = [url for url in releases(distro, time) if not _is_there(url, distro, asker)]
        except HttpError as problem:
            why = problem.reason.partition(" (")[0]  # the rest differs between machines
            host = urlsplit(next(releases(distro, time))).hostname
            note = f"nobody verified that this time is there: {host}: {why}"
            return replace(unsaid, snapshot=time, resolved_from=CLOCK, note=note)
        if not absent:
            return replace(unsaid, snapshot=time, resolved_from=SNAPSHOT)
    raise fail(
        f"the snapshot service has no {absent[0]}, nor one of the {DAYS - 1} days before it",
        "choose `versions` under `pins` in the site file, then lock again",
        name=distro.text,
        code=ENVIRONMENT,
    )


def releases(distro: Distro, time: str) -> Iterator[str]:
    """The URL of each suite's InRelease at a time.

    Raises `BakestoneError` when the distro has no snapshot service.
    """
    component, version = distro.component, distro.version
    about = component.data.get("snapshot") or {"versions": []}
    served = about.get("versions", ["*"])
    line = component.line(version.version)
    if not any(matches(pattern, *one) for pattern in served for one in line):
        hint = "choose `versions` or `frozen` under `pins` in the site file"
        raise fail(f"{distro.text} has no snapshot service", hint, name=distro.text)
    for source in distro.snapshot_sources(time):
        url, suite, *_parts = source.partition("]")[2].split()
        yield f"{url.rstrip('/')}/dists/{suite}/InRelease"


def _is_there(url: str, distro: Distro, asker: Asker) -> bool:
    found = asker.start(url, _RELEASE)
    if found.gone:
        return False
    if not found.good:
        raise BrokenError(f"it answers {found.status}", heals=True)
    if f"\nCodename: {distro.version.data['codename']}".encode() not in found.body:
        raise BrokenError("what it answers is no Release file of that suite")
    return True
