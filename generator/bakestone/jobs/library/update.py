"""`bakestone library update`: what package indexes, publishers' lists and vendors' repositories
have of a component becomes its versions.

New versions are written, and further files of versions that are there. What a source no longer has,
has as another file, or took back is told: an image may hold it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier
from packaging.version import Version

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import HttpError, Session, UnreachableError
from bakestone.clients.index import uv
from bakestone.clients.index.metadata import requirements
from bakestone.clients.index.pages import Pages
from bakestone.clients.site.site import Site
from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.words import Say, few
from bakestone.core.documents.yaml import Json
from bakestone.core.library import indexed
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from bakestone.core.library.indexed import Indexed, IndexFile, IndexRules
from bakestone.core.library.released import ReleaseList
from bakestone.core.library.vendored import VendorRules
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, fail, read_text
from bakestone.files import alone, write_text
from bakestone.jobs.library import additions, reading
from bakestone.jobs.library.additions import Entry
from bakestone.jobs.library.publishers import Publisher
from bakestone.jobs.library.reading import SourceRead
from bakestone.jobs.library.vendors import METHOD, Vendor

FILE = "index.yaml"
"""Of a component: which projects of the index it is made of."""
_WRITTEN = "# From here on written by `bakestone library update`.\n"
_HEADER = (
    "# Versions of {name} besides Bakestone's own, as `bakestone library update` found them.\n"
)


@dataclass(frozen=True)
class ComponentUpdate:
    """What became of a component: the versions that were `added`, those that got `further` files
    or other conditions, how many builds its projects have `listed`, how many of them are `held`,
    (project, version) -> why the library is without it, and the day on which its sources were
    `read`. `silent` is why others of them gave no answer.
    """

    component: str
    listed: int
    held: int
    added: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    left_out: Mapping[tuple[str, str], str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    read: str = ""
    silent: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class LibraryUpdate:
    """What became of several components, and why there is nothing of others: servers that gave no
    answer.
    """

    components: tuple[ComponentUpdate, ...]
    silent: tuple[Finding, ...] = ()

    @property
    def new(self) -> bool:
        """Whether there is something new."""
        return any(one.added or one.further for one in self.components)

    def check(self) -> None:
        """Raise `BakestoneError` when a source gives another file under a name that is pinned, and
        (exit 3) when one gave no answer.
        """
        findings = [f for one in self.components for f in one.findings if f.severity == "error"]
        if self.silent:
            raise BakestoneError([*findings, *self.silent], ENVIRONMENT)
        if findings:
            raise BakestoneError(findings)


def known(component: Component) -> IndexRules | None:
    """What a component's index.yaml says of projects; None when it names none.

    Raises `BakestoneError` when it is not as its schema says.
    """
    document = _document(component)
    return _rules(document) if document and "projects" in document.data else None


def finds(component: Component, method: str) -> bool:
    """Whether a version of a component can be looked for, to be installed by a method or, where
    that is empty, by any.
    """
    document = _document(component)
    if document is None:
        return False
    found = {METHOD} if "packages" in document.data else set()
    found |= {"wheel"} if "projects" in document.data else set()
    found |= {document.data["list"]["method"]} if "list" in document.data else set()
    return method in ("", *found)


def _document(component: Component) -> yamldoc.Document | None:
    path = component.folder / FILE
    if not path.is_file():
        return None
    text = read_text(path, "the component's index.yaml", limit=yamldoc.MAX_BYTES)
    document = yamldoc.parse(text, f"{component.origin}/{FILE}")
    schema.check(document, "index")
    return document


def _rules(document: yamldoc.Document) -> IndexRules:
    rules = IndexRules.of({"projects": [], **document.data})
    for index, entry in enumerate(rules.left_out):
        try:
            entry.covers("", Version("0"))
        except InvalidSpecifier as problem:
            where = document.position(("without", index, "versions"))
            hint = 'write them as PEP 440 does: "<1.14", "==0.0.0"'
            raise fail("these are no versions", hint, where=where) from problem
    return rules


def _listing(document: yamldoc.Document) -> ReleaseList:
    rules = ReleaseList.of(document.data["list"])
    try:
        groups = {"version", "machine", *re.compile(rules.version).groupindex}
    except re.error as problem:
        where = document.position(("list", "version"))
        raise fail(f"no regular expression: {problem}", where=where) from problem
    for key, text in rules.measure.items():
        if strange := set(re.findall(r"\{([a-z]+)\}", text)) - groups:
            where = document.position(("list", "measure", key))
            hint = f"known: {', '.join(sorted(groups))}"
            raise fail(f"`version` has no group {min(strange)}", hint, where=where)
    return rules


def _vendor_rules(document: yamldoc.Document, component: Component) -> VendorRules:
    rules = VendorRules.of(document.data["packages"])
    for index, place in enumerate(rules.places):
        for strange in set(place.repositories) - component.repositories.keys():
            where = document.position(("packages", "repositories", index, "from"))
            hint = f"known: {few(list(component.repositories))}"
            raise fail(f"there is no repository {strange}", hint, where=where)
    return rules


def counted(component: Component) -> ComponentUpdate | None:
    """What the last update found, without asking anybody; None for a component without index."""
    document = _document(component)
    if document is None or "projects" not in document.data:
        return None
    rules = _rules(document)
    mine = {rules.release} if rules.release else {project.name for project in rules.projects}
    left = {p: why for p, why in document.data.get("left_out", {}).items() if p in mine}
    left_out = {(p, v): why for p, versions in left.items() for v, why in versions.items()}
    here = pairs(rules, component)
    return ComponentUpdate(
        component.name,
        listed=len(here | left_out.keys()),
        held=len(here),
        left_out=left_out,
        read=document.data.get("read", ""),
    )


def pairs(rules: IndexRules, component: Component) -> set[tuple[str, str]]:
    """The builds (project, version) that the library has of a component's own projects, or its
    releases by the library's names.
    """
    if rules.release:
        return {(rules.release, name) for name in held(component)}
    projects = {project.name for project in rules.projects}
    return {
        (indexed.project_of(wheel), str(wheel["version"]))
        for wheels in held(component).values()
        for wheel in wheels
        if indexed.project_of(wheel) in projects
    }


def held(component: Component) -> dict[str, list[Json]]:
    """Version -> the wheels that the library has of it."""
    found = {name: v.methods.get("wheel", {}) for name, v in component.versions.items()}
    return {name: list(data["wheels"]) for name, data in found.items() if data}


@dataclass(frozen=True)
class Updater:
    """Reads the sources of a site, and writes to a folder of components; `day` is today. `say` is
    told one line for each component, as it begins.
    """

    library: Library
    site: Site
    folder: Path
    day: date
    say: Say

    @cached_property
    def pages(self) -> Pages:
        """What the indexes list; each page is asked for once."""
        return Pages(self.site, Asker(Session(self.site)))

    @cached_property
    def vendor(self) -> Vendor:
        """What vendors' repositories list; each list is asked for once."""
        return Vendor(self.pages.asker, self.day.isoformat())

    def update_all(self, components: Iterable[Component], *, write: bool) -> LibraryUpdate:
        """As `update`, of several: what one server does not answer the others do."""
        done: list[ComponentUpdate] = []
        silent: list[Finding] = []
        for one in components:
            try:
                done.append(self.update(one, write=write))
                silent += done[-1].silent
            except BakestoneError as problem:
                if problem.code != ENVIRONMENT:
                    raise
                silent += problem.findings
        return LibraryUpdate(tuple(done), tuple(dict.fromkeys(silent)))

    def update(self, component: Component, *, write: bool) -> ComponentUpdate:
        """Read what the sources have of a component, and `write` what is new.

        Raises `BakestoneError`, with nothing written for this component, when none of them can be
        asked or a file cannot be edited.
        """
        found, silent = self._read(component, write=write)
        if not self._own(component):  # a team's file adds versions, and changes none of Bakestone's
            found = replace(found, further={})
        if write:
            self._write(component, found.added, found.further)
            if self._own(component):
                self._record(component, found)
        here = [name for name, *_ in found.builds if write or name not in found.added]
        return ComponentUpdate(
            component.name,
            len(found.builds) + len(found.left_out),
            len(here),
            tuple(found.added),
            tuple(found.further),
            found.left_out,
            found.findings,
            self.day.isoformat(),
            tuple(silent),
        )

    def _own(self, component: Component) -> bool:
        """Whether the folder that is written has the component itself."""
        return (self.folder / component.name).resolve() == component.folder.resolve()

    def add(self, component: Component, version: str, method: str = "") -> Path:
        """Write one version that the library does not have, or not by this method; gives the file.

        Raises `BakestoneError`, with nothing written, when the index does not have it either.
        """
        additions.check_new(component, version, method)
        found, silent = self._read(component, version, write=True)
        further = found.further.get(version, {})
        if method in further:
            entry: Entry = {"methods": {method: further[method]}}
            return additions.write(self.folder, component, version, entry)
        if version not in found.added:
            if silent:
                raise BakestoneError(silent, ENVIRONMENT)
            left = {v: why for (_, v), why in found.left_out.items()}
            why = f"the index has no {component.name} {version}"
            if version in left:
                why = f"{component.name} {version} is left out: {left[version]}"
            names = dict.fromkeys(name for name, *_ in found.builds)
            known = [name for name in names if name not in component.versions]
            hint = f"it has {few(known)}" if known else "`bakestone versions` lists what is here"
            shown = [one.hint for one in found.findings if one.message.startswith(f"{version} is")]
            raise fail(why, shown[0] if shown else hint, name=f"{component.name}@{version}")
        self._write(component, {version: found.added[version]}, {})
        return self.folder / component.name / "versions.yaml"

    def _read(
        self, component: Component, only: str = "", *, write: bool
    ) -> tuple[SourceRead, list[Finding]]:
        """What the sources have, of all versions or of `only` one, and why some gave no answer.

        Raises `BakestoneError` when none did.
        """
        self.say(f"{component.name}: read")
        reads: list[SourceRead] = []
        silent: list[BakestoneError] = []
        for source in self._sources(component, only, write=write):
            try:
                reads.append(source())
            except BakestoneError as problem:
                if problem.code != ENVIRONMENT:
                    raise
                silent.append(problem)
        findings = [finding for problem in silent for finding in problem.findings]
        if not reads:
            raise BakestoneError(findings, ENVIRONMENT)
        read = reading.merged(reads)
        return read, [*findings, *read.silent]

    def _sources(
        self, component: Component, only: str, *, write: bool
    ) -> list[Callable[[], SourceRead]]:
        """What asks each source that index.yaml names."""
        document = _document(component)
        if document is None:
            why = f"{component.name} has no {FILE}"
            hint = f"write {component.name}/{FILE}: see docs/library.md"
            raise fail(why, hint, name=component.name)
        rules, data = _rules(document), document.data
        found: list[Callable[[], SourceRead]] = []
        if "projects" in data:
            reads = self._releases if rules.release else self._builds
            found.append(lambda: reads(component, rules, held(component), only))
        if "list" in data:
            listing = _listing(document)
            publisher = Publisher(self.pages.asker, self.day.isoformat())
            own = self._own(component)
            found.append(
                lambda: publisher.read(component, listing, rules, only, write=write, own=own)
            )
        if "packages" in data:
            vendor = _vendor_rules(document, component)
            found.append(lambda: self.vendor.read(component, vendor, rules, only))
        return found

    def _builds(
        self,
        component: Component,
        rules: IndexRules,
        there: Mapping[str, Sequence[Json]],
        only: str,
    ) -> SourceRead:
        """Of a component whose versions are those of its projects."""
        pages = {project.name: self.files(project.name) for project in rules.projects}
        mine = {
            version: {indexed.project_of(w): str(w["version"]) for w in wheels}
            for version, wheels in there.items()
        }
        found = indexed.indexed(rules, pages, mine)
        wanted = {v: p for v, p in found.versions.items() if only in ("", v)}
        new = self._differences(component, rules, Indexed(wanted, found.left_out), pages, there)
        return replace(new, builds=_builds_of(found), left_out=found.left_out)

    def _releases(
        self,
        component: Component,
        rules: IndexRules,
        there: Mapping[str, Sequence[Json]],
        only: str,
    ) -> SourceRead:
        """Of a component whose versions are releases that ask for the wheels of its projects."""
        project, alone_ = rules.release, indexed.release_rules(rules)
        pages = {project: self.files(project)}
        named = {rules.version(v): str(v) for v in sorted(indexed.wheels(pages[project]))}
        mine = {name: {project: named[name]} for name in there if name in named}
        found = indexed.indexed(alone_, pages, mine)
        added: dict[str, Entry] = {}
        further: dict[str, dict[str, Entry]] = {}
        findings: list[Finding] = []
        lacking = {
            name: parts[project]
            for name, parts in found.versions.items()
            if name not in there and only in ("", name)
        }
        if lacking or there:  # what is pinned is looked for as well
            pages |= {each.name: self.files(each.name) for each in rules.projects}
        for version, wheels in there.items():
            findings.extend(_lost(component, version, wheels, pages))
        left_out = dict(found.left_out)
        for name, release in lacking.items():
            parts = self._pinned(rules, release, pages)
            wheels = indexed.entries(rules, parts, pages, self._glibc(component))
            data: Entry = {"wheels": wheels, "source": self._source(parts), "confidence": "high"}
            if name in component.versions:  # by other methods: all else is known
                further[name] = {"wheel": data}
                continue
            entry: Entry = {"methods": {"wheel": data}}
            if not rules.needs:
                added[name] = entry
                continue
            left_out[project, str(release)] = f"the index does not say {rules.needs}"
            findings.append(reading.by_hand(component, name, entry, (rules.needs, "the index")))
        kept = {n: p for n, p in found.versions.items() if n in {*there, *further, *added}}
        builds = _builds_of(Indexed(kept, left_out))
        return SourceRead(frozenset({project}), builds, added, further, left_out, tuple(findings))

    def _pinned(
        self, rules: IndexRules, release: Version, pages: Mapping[str, Iterable[IndexFile]]
    ) -> dict[str, Version]:
        """The wheels that a release asks for, itself or, where it does not name them all, by what
        it asks for.
        """
        asked, known = self._asked(rules.release, release, pages), {rules.release}
        parts = indexed.pinned(rules, asked, pages)
        if all(project.name in parts for project in rules.projects if not project.when):
            return parts
        while further := {name: at for name, at in parts.items() if name not in known}:
            known |= further.keys()
            for name, version in further.items():
                asked += self._asked(name, version, pages)
            parts = indexed.pinned(rules, asked, pages)
        return parts

    def _asked(
        self, project: str, version: Version, pages: Mapping[str, Iterable[IndexFile]]
    ) -> list[Requirement]:
        """All that a release asks for, by any of its extras."""
        names = [f.filename for f, _ in indexed.wheels(pages[project])[version]]
        try:
            for page in self.pages.of(project):
                if names[0] in page:
                    proxies = self.pages.places().proxies or None
                    url = self.pages.with_login(page[names[0]].url)
                    return list(requirements(url, self.pages.asker, proxies).wanted)
        except (HttpError, ValueError) as problem:
            raise fail(str(problem), name=f"{project}=={version}", code=ENVIRONMENT) from problem
        return []

    def files(self, project: str) -> list[IndexFile]:
        """What the indexes list of a project. Raises `BakestoneError` (exit 3) without answer."""
        try:
            pages = self.pages.of(project)
        except (HttpError, ValueError) as problem:
            hint = problem.hint if isinstance(problem, HttpError) else ""
            where = problem.host if isinstance(problem, UnreachableError) else project
            raise fail(str(problem), hint, name=where, code=ENVIRONMENT) from problem
        if not pages:
            hint = "is its name right, and is it on the index that the site file names?"
            raise fail(f"the index has no project {project}", hint, name=project, code=ENVIRONMENT)
        files: dict[str, IndexFile] = {}
        for page in pages:
            for name, f in page.items():
                if f.sha256:  # what has no checksum on the index cannot be pinned by it
                    file = IndexFile(name, f.sha256, f.size, f.published, f.withdrawn)
                    files.setdefault(name, file)
        return list(files.values())

    def _differences(
        self,
        component: Component,
        rules: IndexRules,
        found: Indexed,
        pages: dict[str, list[IndexFile]],
        there: Mapping[str, Sequence[Json]],
    ) -> SourceRead:
        added: dict[str, Entry] = {}
        further: dict[str, dict[str, Entry]] = {}
        findings = [f for v, wheels in there.items() for f in _lost(component, v, wheels, pages)]
        floor = self._glibc(component)
        for version, parts in found.versions.items():
            before = there.get(version, [])
            sets = self._closures(rules, parts, pages, before) if rules.closure else None
            wheels = indexed.entries(rules, parts, pages, floor, sets)
            if _plain(wheels) == _plain(before) or not _files(before) <= _files(wheels):
                continue  # what is pinned is never given up for something else
            data: Entry = {"wheels": wheels, "source": self._source(parts), "confidence": "high"}
            if version in component.versions:
                further[version] = {"wheel": data}
            else:
                told = version.split(".")[: rules.measured or None]
                measure = {"measure": {"version": ".".join(told)}} if rules.measured else {}
                added[version] = {**measure, "methods": {"wheel": data}}
        projects = frozenset(project.name for project in rules.projects)
        return SourceRead(projects, (), added, further, {}, tuple(findings))

    def _source(self, parts: Mapping[str, Version]) -> str | list[str]:
        said = [f"PyPI: {name} {version}, read {self.day}" for name, version in parts.items()]
        return said[0] if len(said) == 1 else said

    def _glibc(self, component: Component) -> int:
        """The oldest glibc that an image of this component can have."""
        asked = indexed.least_glibc(component.methods["wheel"].require.get("distro.glibc", ()))
        distros = (c for c in self.library.components() if c.slot == "distro")
        known = [v.known("glibc") for distro in distros for v in distro.versions.values()]
        return max(asked, min((int(g.partition(".")[2]) for g in known if g), default=0))

    def _closures(
        self,
        rules: IndexRules,
        parts: Mapping[str, Version],
        pages: dict[str, list[IndexFile]],
        before: Sequence[Json],
    ) -> indexed.Closure:
        """What a version is installed with: as the library has it, else as uv resolves it now."""
        project, version = next(iter(parts.items()))
        pythons = indexed.pythons_of(rules, pages[project], version)
        sets = indexed.closure_of(rules, before, pythons)
        if not before or not all(sets.values()):
            glibc = indexed.newest_glibc(pages[project], version)
            wanted, limits = f"{project}=={version}", rules.constrained(version)
            found = {}
            for python in pythons:
                places = self.pages.places()
                found[python] = uv.closure(wanted, python, glibc, limits, places)
            sets = found
        for name in sorted({name for installed in sets.values() for name in installed}):
            if name not in pages:
                pages[name] = self.files(name)
        return sets

    def _write(
        self, component: Component, added: Mapping[str, Entry], further: additions.Methods
    ) -> None:
        if not added and not further:
            return
        path = self.folder / component.name / "versions.yaml"
        with alone(path.parent):
            real, text = path.resolve(), ""
            if real.is_file():
                text = read_text(real, "the component's versions.yaml", limit=yamldoc.MAX_BYTES)
            else:
                text = _HEADER.format(name=component.name)
                for version, data in sorted(added.items(), key=lambda item: item[0]):
                    text = additions.inserted(text, version, data, str(path))
                added = {}
            text = additions.updated(text, added, further, str(path))
            schema.check(yamldoc.parse(text, str(path)), "versions")
            write_text(real, text)

    def _record(self, component: Component, found: SourceRead) -> None:
        """Write down the day, and what was left out and why: below what people wrote. What a source
        said that gave no answer this time stays as it was.
        """
        path = component.folder / FILE
        with alone(path.parent):
            text = read_text(path, "the component's index.yaml", limit=yamldoc.MAX_BYTES)
            mine, data = text.partition(_WRITTEN)[0], yamldoc.parse(text, str(path)).data
            day, indexes = self.day.isoformat(), _index_projects(data)
            left_out: dict[str, dict[str, str]] = {}
            for (project, version), why in found.left_out.items():
                left_out.setdefault(project, {})[version] = why
            for project, versions in data.get("left_out", {}).items():
                if project not in found.projects:
                    left_out[project] = versions
            days = {p: d for p, d in data.get("days", {}).items() if p not in found.projects}
            days |= dict.fromkeys(sorted(found.projects - indexes), day)
            read = day if found.projects & indexes else data.get("read", "")
            new = {"read": read, "days": dict(sorted(days.items())), "left_out": left_out}
            kept = {key: value for key, value in new.items() if value}
            body = yaml.safe_dump(kept, sort_keys=False, width=10_000, allow_unicode=True)
            whole = f"{mine}{_WRITTEN}{body}"
            schema.check(yamldoc.parse(whole, str(path)), "index")
            write_text(path, whole)


def _index_projects(data: Json) -> set[str]:
    """The projects that index.yaml names of the package index."""
    named = {project["name"] for project in data.get("projects", [])}
    return {data["release"]} if "release" in data else named


def _builds_of(found: Indexed) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (name, project, str(version))
        for name, parts in found.versions.items()
        for project, version in parts.items()
    )


def _plain(wheels: Iterable[Json]) -> list[tuple[Any, ...]]:
    """What of wheels counts: sizes and days may be known later."""
    return [
        (
            indexed.project_of(w),
            str(w["version"]),
            w.get("when", {}),
            {p: (f["filename"], f["sha256"]) for p, f in w["files"].items()},
        )
        for w in wheels
    ]


def _files(wheels: Iterable[Json]) -> set[tuple[str, str]]:
    return {(f["filename"], f["sha256"]) for w in wheels for f in w["files"].values()}


def _lost(
    component: Component,
    version: str,
    wheels: Sequence[Json],
    pages: Mapping[str, Iterable[IndexFile]],
) -> list[Finding]:
    """What the library has and the index no longer gives: gone, taken back, another file."""
    name, found = f"{component.name}@{version}", []
    for wheel in wheels:
        project = indexed.project_of(wheel)
        if project not in pages:
            continue
        listed = {file.filename: file for file in pages[project]}
        for file in wheel["files"].values():
            filename, now = file["filename"], listed.get(file["filename"])
            if now is None:
                why, hint = f"{filename} is no longer on the index", "`bakestone archive` keeps it"
            elif now.sha256 != file["sha256"]:
                why = f"{filename} is another file now: {now.sha256}, not {file['sha256']}"
                hint = "an index never does that by itself: ask its publisher before you go on"
                found.append(Finding(why, hint=hint, name=name))
                continue
            elif now.withdrawn is not None:
                said = f": {now.withdrawn[:200]}" if now.withdrawn else ""
                why, hint = f"{filename} was withdrawn by its publisher{said}", "choose another"
            else:
                continue
            found.append(Finding(why, hint=hint, name=name, severity="warning"))
    return list(dict.fromkeys(found))


def components(library: Library, names: Sequence[str]) -> list[Component]:
    """Those that have an index.yaml, or the ones that are named.

    Raises `BakestoneError` for a name that the library does not have.
    """
    if not names:
        return [c for c in library.components() if (c.folder / FILE).is_file()]
    found = []
    for name in names:
        one = library.get(name)
        if one is None:
            raise fail(f"unknown component {name!r}", library.suggest(name), name="COMPONENT")
        found.append(one)
    return found
