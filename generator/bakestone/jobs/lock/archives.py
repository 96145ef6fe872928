"""Whether a distro's archive has the packages that are asked for: of a snapshot and of an archive
that no longer changes, by its lists of packages. No engine is needed and no base is fetched: one
distro's lists serve every image that is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from urllib.parse import urlsplit

from bakestone.clients.apt import lists
from bakestone.clients.apt.lists import AptSource
from bakestone.clients.http.ask import Asker, Pace
from bakestone.clients.http.session import BrokenError, HttpError, Session, shown
from bakestone.clients.parallel import in_parallel
from bakestone.core.lock.needs import Distro
from bakestone.errors import BakestoneError

PACE = Pace(connect=5, idle=30, total=600)
"""Of one list: the largest have 20 MB, and a snapshot service gives 100 kB a second on a bad day.
"""
_WORKERS = 3
"""Lists at a time: each is 80 MB while it is read."""
_ENDINGS = (".xz", ".gz", "")


@dataclass(frozen=True)
class Archive:
    """A distro's archive for one platform: as of a time, or as it is where that is empty."""

    distro: Distro
    time: str
    platform: str

    @property
    def urls(self) -> list[str]:
        """Its lists of packages, less their endings: the first part of every suite first, which has
        most of what is asked for. Empty where the library does not know the archive.
        """
        lines = (
            self.distro.snapshot_sources(self.time)
            if self.time
            else self.distro.archive_sources(self.platform)
        )
        of_suites = [AptSource.parse(line).lists(self._architecture) for line in lines]
        return [url for part in zip_longest(*of_suites) for url in part if url]

    @property
    def _architecture(self) -> str:
        return self.platform.split("/")[1]


@dataclass(frozen=True)
class Looked:
    """Of the words that were looked for, those that no list has, and the versions that there are of
    packages of which a certain one was asked for; `unasked` says why nobody knows about them, and
    is empty otherwise.
    """

    missing: tuple[str, ...] = ()
    unasked: str = ""
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def look(wanted: Mapping[Archive, set[str]], session: Session) -> dict[Archive, Looked]:
    """Look each archive's words up: names of packages, or `name=version`."""
    asker = Asker(session, PACE)

    def one(archive: Archive) -> Looked:
        return _look(archive, wanted[archive], asker)

    found: dict[Archive, Looked] = {}
    for archive, answer in in_parallel(one, wanted, _WORKERS):
        if isinstance(answer, BakestoneError):  # the secret of an account cannot be read
            raise answer
        found[archive] = answer
    return found


def _look(archive: Archive, words: set[str], asker: Asker) -> Looked:
    urls, left = archive.urls, set(words)
    exact = {word.partition("=")[0] for word in words if "=" in word}
    there: dict[str, dict[str, None]] = {}
    if not urls:
        return Looked(
            unasked=f"the library does not say where the archive of {archive.distro.text} is"
        )
    for url in urls:
        try:
            came = lists.read(url, asker, _ENDINGS)
            if not came.answer.good:
                raise BrokenError(f"it answers {came.answer.status} for {shown(url)}")
        except (HttpError, ValueError) as problem:
            why = getattr(problem, "reason", str(problem)).partition(" (")[0]
            return Looked(unasked=f"{urlsplit(url).hostname}: {why}")
        left -= lists.held(came.text, left)
        for name, version in lists.versions(came.text, exact) if exact else ():
            there.setdefault(name, {})[version] = None
        if not left:
            break
    return Looked(tuple(sorted(left)), versions={name: tuple(v) for name, v in there.items()})
