"""Vendors' package repositories: what they have of a component, by their signed lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bakestone.clients.apt import lists
from bakestone.clients.apt.lists import AptSource
from bakestone.clients.apt.release import signed_lists
from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import HttpError, host_of
from bakestone.core.documents.yaml import Json
from bakestone.core.library import vendored
from bakestone.core.library.component import Component, Repository
from bakestone.core.library.indexed import IndexRules
from bakestone.core.library.vendored import Shelf, Shelves, VendorPackage, VendorRules
from bakestone.errors import ENVIRONMENT, Finding, fail
from bakestone.jobs.library import reading
from bakestone.jobs.library.additions import PLATFORMS, Entry
from bakestone.jobs.library.reading import SourceRead

METHOD = "apt"


@dataclass(frozen=True)
class Vendor:
    """Reads vendors' repositories, each list once; `day` is today (ISO 8601)."""

    asker: Asker
    day: str
    _texts: dict[tuple[Repository, str], str] = field(default_factory=dict, repr=False)

    def read(
        self, component: Component, rules: VendorRules, about: IndexRules, only: str
    ) -> SourceRead:
        """What the repositories have of a component, of all versions or of `only` one; `about` is
        the rest of its index.yaml.

        Raises `BakestoneError`: code 3 when a repository gives no answer, or a list that its vendor
        did not sign.
        """
        shelves = self._shelves(component, rules)
        held = {v: _held(component, v) for v in component.versions}
        found = vendored.vendored(
            rules, shelves, held, about.left_out, last_patches=about.last_patches
        )
        added: dict[str, Entry] = {}
        further: dict[str, dict[str, Entry]] = {}
        left_out = dict(found.left_out)
        findings = list(_lost(component, held, shelves))
        for version, entries in found.versions.items():
            if only not in ("", version):
                continue
            known = component.versions.get(version)
            before = (known.methods.get(METHOD) if known else None) or {}
            new = [entry | self._said(component, entry) for entry in entries]
            data: Entry = {**before, "packages": [*held.get(version, ()), *new]}
            if known:
                further[version] = {METHOD: data}
                continue
            told = ".".join(version.split(".")[: about.measured or None])
            measure = {"measure": {"version": told}} if about.measured else {}
            entry: Entry = {**measure, "methods": {METHOD: data}}
            if not about.needs:
                added[version] = entry
                continue
            for name, project, build in found.builds:
                if name == version:
                    left_out[project, build] = f"the repository does not say {about.needs}"
            where = "its vendor's repository"
            findings.append(reading.by_hand(component, version, entry, (about.needs, where)))
        builds = tuple(one for one in found.builds if one[1:] not in left_out)
        return SourceRead(rules.projects, builds, added, further, left_out, tuple(findings))

    def _said(self, component: Component, entry: Json) -> Json:
        """Where an entry comes from."""
        known = component.repositories
        said = [
            f"{known[n].line.split()[0]}, signed; read {self.day}" for n in entry["repositories"]
        ]
        return {"source": said[0] if len(said) == 1 else said, "confidence": "high"}

    def _shelves(self, component: Component, rules: VendorRules) -> Shelves:
        named = [*rules.builds]
        templates = {t for b in named for t in (b.main, *b.install, *b.optional)}
        patterns = [re.escape(t).replace(r"\{minor\}", "[0-9]+-[0-9]+") for t in templates]
        # what a release depends on is a chain of packages of other names
        every = any(build.release for build in named)
        names = re.compile("[a-z0-9][a-z0-9+.-]*" if every else "|".join(sorted(patterns)))
        found: dict[tuple[str, str], Shelf] = {}
        for name in rules.repositories:
            repository = component.repositories[name]
            for platform in [repository.platform] if repository.platform else PLATFORMS:
                found[name, platform] = self._shelf(repository, platform, names)
        return found

    def _shelf(self, repository: Repository, platform: str, names: re.Pattern[str]) -> Shelf:
        """What a repository has for a platform, of some packages."""
        source = AptSource.parse(f"deb {repository.line}")
        found: dict[str, dict[str, VendorPackage]] = {}
        try:
            if (repository, platform) not in self._texts:
                self._texts[repository, platform] = self._text(source, repository, platform)
            for package in lists.packages(self._texts[repository, platform], names):
                before = found.setdefault(package.name, {}).setdefault(package.version, package)
                if before.sha256 != package.sha256:
                    why = f"it has two {package.name} {package.version}"
                    raise ValueError(why)
        except (HttpError, ValueError) as problem:
            hint = problem.hint if isinstance(problem, HttpError) else ""
            where = f"{repository.name} ({host_of(source.folder)})"
            raise fail(str(problem), hint, name=where, code=ENVIRONMENT) from problem
        return found

    def _text(self, source: AptSource, repository: Repository, platform: str) -> str:
        signed = signed_lists(source, repository.key, repository.fingerprint, self.asker)
        texts = []
        for url in source.lists(platform.partition("/")[2]):
            came = lists.read(url, self.asker, signed=signed)
            if not came.answer.good:
                raise HttpError(f"its list of packages answers {came.answer.said}")
            texts.append(came.text)
        return "\n\n".join(texts)


def _held(component: Component, version: str) -> list[Json]:
    """The sets of vendor's packages that the library has of a version."""
    data = component.versions[version].methods.get(METHOD) or {}
    return list(data.get("packages", []))


def _lost(
    component: Component, held: Mapping[str, Sequence[Json]], shelves: Shelves
) -> Iterator[Finding]:
    """Packages that the library has, and a repository has as another file or no longer."""
    for version, entries in held.items():
        name = f"{component.name}@{version}"
        for entry in entries:
            where = " and ".join(entry["repositories"])
            for one in vendored.lost(entry, shelves):
                what = f"{one.name}={one.version}"
                if one.now:
                    why = f"{what} is another file now: {one.now}, not {one.before}"
                    hint = "a package never changes by itself: ask its vendor before you go on"
                    yield Finding(why, hint, name=name)
                else:
                    why = f"{what} is no longer in {where}"
                    yield Finding(
                        why, "`bakestone archive` keeps it", name=name, severity="warning"
                    )
