"""Publishers' own lists of releases: what they have of a component, with files and checksums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bakestone.clients.http import download
from bakestone.clients.http.ask import Asker
from bakestone.clients.http.download import Limits
from bakestone.clients.http.session import HttpError, host_of
from bakestone.core.documents.yaml import Json
from bakestone.core.library import released
from bakestone.core.library.component import Component
from bakestone.core.library.indexed import IndexRules
from bakestone.core.library.released import ListedRelease, Listing, ReleaseFile, ReleaseList
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, fail
from bakestone.jobs.library import additions, reading
from bakestone.jobs.library.additions import Entry, FetchedFile
from bakestone.jobs.library.reading import SourceRead

LIST_LIMIT = 2**24
"""Most bytes of a list, or of a page of one: that of git has 300 KB, GitHub's pages up to 2 MB."""
_PAGE = 100
"""Releases on a page of GitHub's API: the most that it gives
(https://docs.github.com/en/rest/releases/releases).
"""
_PAGES = 10
"""GitHub lists the newest 1,000 releases."""
_FILE = Limits(size=2**29, idle=60, total=1800)
"""Of a file that is fetched for its checksum: Miniforge has 150 MB, Open MPI 10."""


@dataclass(frozen=True)
class Publisher:
    """Reads the lists; `day` is today (ISO 8601)."""

    asker: Asker
    day: str

    def read(
        self,
        component: Component,
        rules: ReleaseList,
        about: IndexRules,
        only: str,
        *,
        write: bool,
        own: bool,
    ) -> SourceRead:
        """What the list has of a component, of all versions or of `only` one; `about` is the rest
        of its index.yaml. Versions that are there get files where they are our `own` to change.

        A file without checksum on the list is fetched and hashed when it is to be written, which is
        the only time that its entry is looked at. Raises `BakestoneError`: code 3 when the list
        gives no answer, or gives something else.
        """
        held = {v: _held(component, v, rules.method) for v in component.versions}
        try:
            listing = self._listing(rules, about, [v for v, files in held.items() if files])
        except (HttpError, ValueError) as problem:
            hint = problem.hint if isinstance(problem, HttpError) else ""
            raise fail(str(problem), hint, name=rules.address, code=ENVIRONMENT) from problem
        name = project_of(component, rules)
        left_out = {(name, version): why for version, why in listing.left_out.items()}
        added: dict[str, Entry] = {}
        further: dict[str, dict[str, Entry]] = {}
        findings = list(_lost(component, rules, listing, held))
        silent: list[Finding] = []
        for release in listing.releases:
            version = release.version
            there = version in component.versions
            if held.get(version) or only not in ("", version) or (there and not own):
                continue
            try:
                data = self._files(rules, release) if write else {}
            except BakestoneError as problem:  # of one file: the others are read all the same
                if problem.code == ENVIRONMENT:
                    silent.extend(problem.findings)
                else:
                    findings += [replace(f, severity="warning") for f in problem.findings]
                left_out[name, version] = "its file could not be fetched for its checksum"
                continue
            if there:  # by other methods: all else is known
                further[version] = {rules.method: data}
                continue
            measure = {"measure": dict(release.measure)} if release.measure else {}
            entry: Entry = {**measure, "methods": {rules.method: data}}
            if not about.needs:
                added[version] = entry
                continue
            left_out[name, version] = f"the list does not say {about.needs}"
            known = entry if write else None
            findings.append(reading.by_hand(component, version, known, (about.needs, "the list")))
        kept = [r.version for r in listing.releases if (name, r.version) not in left_out]
        builds = tuple((version, name, version) for version in kept)
        told = (tuple(findings), tuple(silent))
        return SourceRead(frozenset({name}), builds, added, further, left_out, *told)

    def _listing(self, rules: ReleaseList, about: IndexRules, held: Sequence[str]) -> Listing:
        if not rules.github:
            return released.releases(rules, self._text(rules.address))
        tags: dict[str, Json] = {}
        for number in range(1, _PAGES + 1):
            page = released.tagged(self._text(f"{rules.address}?per_page={_PAGE}&page={number}"))
            new = {one["tag"]: one for one in page if one["tag"] not in tags}
            tags |= new
            if len(page) < _PAGE or not new:  # a mirror may know one page alone
                break
        return released.tagged_releases(rules, tags.values(), about.left_out, held)

    def _text(self, url: str) -> str:
        """A list, which nobody but the host that was asked gives."""
        answer = self.asker.page(url, LIST_LIMIT)
        asked = host_of(self.asker.session.site.mirror_url(url))
        if host_of(answer.url) != asked:
            raise ValueError(f"the list leads elsewhere, to {host_of(answer.url)}")
        if not answer.good:
            hint = "is `mirrors` in the site file right?"
            raise HttpError(f"the list answers {answer.said}", hint)
        return answer.body.decode("utf-8", "replace")

    def _files(self, rules: ReleaseList, release: ListedRelease) -> Entry:
        return additions.artifacts([self._file(rules, file) for file in release.files])

    def _file(self, rules: ReleaseList, file: ReleaseFile) -> FetchedFile:
        """A file with its checksum: the list's, or computed from what its server gives."""
        if file.sha256:
            size = file.size or self.asker.size(file.url)
            said = f"{rules.address}, read {self.day}"
            return FetchedFile(
                file.url, file.sha256, size, file.platform, said, "high", file.published
            )
        came = download.fetch(file.url, self.asker.session, _FILE)
        if file.size and came.size != file.size:
            why = f"{file.filename} has {came.size} bytes, and {file.size} by its publisher's list"
            raise fail(why, "ask its publisher before you go on", name=file.url)
        said = f"computed from this URL, {self.day}: {rules.address} has no checksum"
        return FetchedFile(
            file.url, came.sha256, came.size, file.platform, said, "low", file.published
        )


def project_of(component: Component, rules: ReleaseList) -> str:
    """The name under which index.yaml records what is left out of a list."""
    return rules.github or component.name


def _held(component: Component, version: str, method: str) -> list[Json]:
    """The files that the library has of a version by a method."""
    data = component.versions[version].methods.get(method) or {}
    return list(data.get("artifacts", []))


def _lost(
    component: Component, rules: ReleaseList, listing: Listing, held: dict[str, list[Json]]
) -> Iterator[Finding]:
    """Files that the library has, and the list has as another one or no longer."""
    there = {file.url: file for release in listing.releases for file in release.files}
    named = {file.filename: file for file in there.values()}
    for version, artifacts in held.items():
        name = f"{component.name}@{version}"
        for artifact in artifacts:
            filename = additions.filename_of(artifact["url"])
            now = named.get(artifact.get("filename") or filename)
            if now is not None:
                yield from _another(name, filename, artifact, now)
            elif rules.github and not rules.folder and artifact["url"].startswith(rules.place):
                hint = "`bakestone archive` keeps it"
                why = f"{filename} is no longer on the list of its publisher"
                yield Finding(why, hint, name=name, severity="warning")


def _another(name: str, filename: str, before: Json, now: ReleaseFile) -> Iterable[Finding]:
    """That a file is another one than the library has, by its checksum or its size."""
    hint = "a release never changes by itself: ask its publisher before you go on"
    if now.sha256 and now.sha256 != before["sha256"]:
        why = f"{filename} is another file now: {now.sha256}, not {before['sha256']}"
        yield Finding(why, hint, name=name)
    elif not now.sha256 and now.size and now.size != before.get("size", now.size):
        why = f"{filename} is another file now: of {now.size} bytes, not {before['size']}"
        yield Finding(why, hint, name=name)
