"""Wheels: does the package index still have each file, with the hash that is in the lock?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bakestone.clients.http.ask import Asker
from bakestone.clients.index.page import Listed, versions
from bakestone.clients.index.pages import Pages
from bakestone.clients.site.site import Site
from bakestone.core.lock.demand import Users
from bakestone.core.lock.environments import project_and_version
from bakestone.core.lock.lock import LockedEnvironment, LockedWheel
from bakestone.core.lock.needs import Wheel
from bakestone.jobs.doctor.checks import files
from bakestone.jobs.doctor.report import UNCHECKED, Trouble

_HINT = "name an index that has it in the site's pip configuration, or choose another version"


class Wheels:
    """Asks the package index.

    Each page is fetched once, where several wheels are of one project.
    """

    def __init__(self, site: Site, asker: Asker) -> None:
        self.asker = asker
        self.index = Pages(site, asker)

    def check(
        self, wheel: Wheel, locked: LockedWheel, users: Users, *, deep: bool
    ) -> Iterator[Trouble]:
        """What is wrong with the files of a wheel. `deep` downloads them."""
        yield from self._check(wheel.key, wheel.name, locked.files, users, deep=deep)

    def environment(
        self, locked: LockedEnvironment, users: Users, *, deep: bool
    ) -> Iterator[Trouble]:
        """The same of the wheels of an environment of Python."""
        by_project: dict[str, dict[str, tuple[str, str, int]]] = {}
        for platform, wheels in locked.files.items():
            for wheel in wheels:
                name, _ = project_and_version(wheel[0])
                by_project.setdefault(name, {})[platform] = wheel
        for name, theirs in sorted(by_project.items()):
            found = list(self._check(name, name, theirs, users, deep=deep))
            yield from (replace(trouble, what=trouble.what or name) for trouble in found)
            if any(trouble.state == UNCHECKED for trouble in found):
                return  # it will say the same of all others

    def _check(
        self,
        what: str,
        project: str,
        locked: Mapping[str, tuple[str, str, int]],
        users: Users,
        *,
        deep: bool,
    ) -> Iterator[Trouble]:
        places = self.index.places()
        if not places.indexes and not places.links:
            why = "the site's pip configuration has no index, and its links lead to no server"
            yield Trouble(why, "give it an index-url", UNCHECKED)
            return
        pages = self.index.of(project)
        for platform in users.platforms:
            if platform in locked:  # else the lock is stale, which is a finding of its own
                filename, sha256, size = locked[platform]
                found = _listed(pages, filename, sha256)
                if isinstance(found, Listed):
                    url, checksum = self.index.with_login(found.url), sha256 if deep else ""
                    rows = files.check(what, url, size, self.asker, checksum)
                else:
                    rows = [found]
                yield from (replace(row, variants=users.on(platform)) for row in rows)


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
