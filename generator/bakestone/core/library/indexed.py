"""What a package index has of a component, and what of it becomes versions of the library.

Pure: the files that the index lists are an argument. The rules stand in the component's index.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from bakestone.core.documents.patterns import matches
from bakestone.core.documents.yaml import Json

PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
"""Machine in a wheel's tags -> platform."""
LEGACY = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
"""Minor version of glibc 2 of the tags from before PEP 600."""
PRE_RELEASE = "a pre-release"
WITHDRAWN = "withdrawn by its publisher"
NO_LINUX = "it has no wheel for Linux on amd64 or arm64"
NO_PYTHON = "it has no wheel for a Python that images have"
LATER_PATCH = "the library has a later patch of that minor version"
_ANY = "any"
_MAX_NAME = 255
"""Bytes of a file's name; a longer one could stand for millions of tags."""

Closure = Mapping[str, Mapping[str, str]]
"""Python -> project -> version: all that is installed with a wheel for that Python."""


@dataclass(frozen=True)
class IndexFile:
    """A file that an index lists.

    `size` in bytes, None where the index does not say; `published` a day (ISO 8601) or empty;
    `withdrawn` why its publisher took it back, None for a file that counts (PEP 592).
    """

    filename: str
    sha256: str
    size: int | None = None
    published: str = ""
    withdrawn: str | None = None


@dataclass(frozen=True)
class IndexProject:
    """A project whose wheels make up a component; `when` says in which images."""

    name: str
    when: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Omission:
    """Versions (PEP 440, such as `<1.14`) that the library is without, of all projects or one."""

    versions: str
    because: str
    project: str = ""

    def covers(self, project: str, version: Version) -> bool:
        """Whether it is about a version of a project."""
        specifiers = SpecifierSet(self.versions, prereleases=True)
        return self.project in ("", project) and specifiers.contains(version)


@dataclass(frozen=True)
class IndexRules:
    """A component's index.yaml: which projects it is made of, and what is left out, and why.

    `pythons` are those that wheels are taken for, of a component of Python packages; `closure` says
    that what its wheels ask for is installed as well, by the `constraints` that hold for a version.
    `numbers` is how many numbers of the index's version are the library's; 0 takes all. With
    `last_patches` only the last patch of each minor version is taken. `measured` is how many
    numbers of a version can be measured in an image; 0 stands for all. `release` is a project whose
    versions are the releases, each of which asks for the wheels that make it up, of a range for the
    oldest or the `newest`; `needs` is what a version needs besides and no index says, so that a
    person writes it.
    """

    projects: tuple[IndexProject, ...]
    left_out: tuple[Omission, ...] = ()
    pythons: tuple[str, ...] = ()
    closure: bool = False
    constraints: Mapping[str, Sequence[str]] = field(default_factory=dict)
    numbers: int = 0
    last_patches: bool = False
    measured: int = 0
    release: str = ""
    needs: str = ""
    newest: bool = False

    @staticmethod
    def of(data: Json) -> IndexRules:
        """From index.yaml, which its schema has checked."""
        return IndexRules(
            tuple(IndexProject(p["name"], p.get("when", {})) for p in data["projects"]),
            tuple(Omission(**entry) for entry in data.get("without", [])),
            tuple(data.get("pythons", ())),
            bool(data.get("closure")),
            data.get("constraints", {}),
            data.get("numbers", 0),
            bool(data.get("last_patches")),
            data.get("measured", 0),
            data.get("release", ""),
            data.get("needs", ""),
            bool(data.get("newest")),
        )

    def version(self, found: Version) -> str:
        """What the library calls a version of the index: without the number of its rebuild."""
        numbers = found.release[: self.numbers or None]
        return ".".join(map(str, numbers))

    def constrained(self, version: Version) -> list[str]:
        """What holds for the closure of a version besides what its wheels ask for."""
        return [
            text
            for versions, texts in self.constraints.items()
            if SpecifierSet(versions).contains(version)
            for text in texts
        ]


@dataclass(frozen=True)
class Indexed:
    """What the index has: the library's version -> (project -> the index's version), newest first;
    and (project, version) -> why the library is without it.
    """

    versions: Mapping[str, Mapping[str, Version]]
    left_out: Mapping[tuple[str, str], str]


def release_rules(rules: IndexRules) -> IndexRules:
    """The rules for the releases alone of a component that has some."""
    return replace(rules, projects=(IndexProject(rules.release),))


def pinned(
    rules: IndexRules, asked: Iterable[Requirement], pages: Mapping[str, Iterable[IndexFile]]
) -> dict[str, Version]:
    """Project -> version of the wheels that a release asks for (`nvidia-cublas==13.1.0.3.*`); of a
    range the oldest, which is the release's own, unless the rules say the newest, as pip takes it;
    and of its builds the newest. It fits all who ask for it; pre-releases do not count.
    """
    limits: dict[str, list[SpecifierSet]] = {}
    for requirement in asked:
        limits.setdefault(canonicalize_name(requirement.name), []).append(requirement.specifier)
    found: dict[str, Version] = {}
    for project in rules.projects:
        known, wanted = list(wheels(pages[project.name])), limits.get(project.name, [])
        fitting = [v for v in known if wanted and all(limit.contains(v) for limit in wanted)]
        if fitting:
            numbers = [version.release for version in fitting]
            best = max(numbers) if rules.newest else min(numbers)
            found[project.name] = max(v for v in fitting if v.release == best)
    return found


Held = Mapping[str, Mapping[str, str]]
"""What the library has: its version -> project -> the index's version."""


def indexed(rules: IndexRules, pages: Mapping[str, Iterable[IndexFile]], held: Held) -> Indexed:
    """Sort out what an index lists of the projects of a component.

    Of several builds of a version the one that the library holds stays, else the newest of those
    that are for most platforms; of a component of last patches, so do the patches that are held.
    """
    left_out: dict[tuple[str, str], str] = {}
    found: dict[str, dict[str, Version]] = {}
    for project in rules.projects:
        listed = wheels(pages[project.name])
        builds: dict[str, list[Version]] = {}
        for version, files in sorted(listed.items(), reverse=True):
            known = held.get(rules.version(version), {}).get(project.name) == str(version)
            if why := _without(rules, project.name, version, files, known=known):
                left_out[project.name, str(version)] = why
            else:
                builds.setdefault(rules.version(version), []).append(version)
        last: set[tuple[int, ...]] = set()
        for name, versions in builds.items():
            mine = held.get(name, {}).get(project.name)
            best = max(versions, key=lambda v: (str(v) == mine, len(_all_places(listed[v])), v))
            others = {v: f"{best} stands for it" for v in versions if v != best}
            minor = best.release[:2]
            if rules.last_patches and minor in last and not mine:
                others[best] = LATER_PATCH
            else:
                found.setdefault(name, {})[project.name] = best
            last.add(minor)
            left_out |= {(project.name, str(v)): why for v, why in others.items()}
    needed = {project.name for project in rules.projects if not project.when}
    for name, parts in list(found.items()):
        if lacking := sorted(needed - parts.keys()):
            why = f"{lacking[0]} has no such version"
            left_out |= {(project, str(version)): why for project, version in parts.items()}
            del found[name]
    ordered = sorted(found, key=lambda name: max(found[name].values()), reverse=True)
    return Indexed({name: found[name] for name in ordered}, left_out)


_Build = tuple[tuple[()] | tuple[int, str], str]
"""What later builds of a file are sorted by: the build tag (PEP 427), then the name."""


def wheels(files: Iterable[IndexFile]) -> dict[Version, list[tuple[IndexFile, frozenset[Tag]]]]:
    """The wheels among some files, by version, later builds (PEP 427) after earlier ones; what is
    no wheel at all is left aside.
    """
    found: dict[Version, list[tuple[_Build, IndexFile, frozenset[Tag]]]] = {}
    for file in files:
        if len(file.filename) > _MAX_NAME:
            continue
        try:
            _, version, build, tags = parse_wheel_filename(file.filename)
        except InvalidWheelFilename:
            continue
        found.setdefault(version, []).append(((build, file.filename), file, tags))
    return {
        version: [(file, tags) for _, file, tags in sorted(listed, key=itemgetter(0))]
        for version, listed in found.items()
    }


def _without(
    rules: IndexRules,
    project: str,
    version: Version,
    files: Sequence[tuple[IndexFile, frozenset[Tag]]],
    *,
    known: bool,
) -> str:
    """Why the library is without a version; empty when nothing speaks against it, or when it is
    `known` all the same.
    """
    if known:
        return ""
    for entry in rules.left_out:
        if entry.covers(project, version):
            return entry.because
    if version.is_prerelease:
        return PRE_RELEASE
    if all(file.withdrawn is not None for file, _ in files):
        return WITHDRAWN
    linux = [tags for file, tags in files if file.withdrawn is None and _places(tags)]
    if not linux:
        return NO_LINUX
    if rules.pythons and not any(_fits(tags, python) for tags in linux for python in rules.pythons):
        return NO_PYTHON
    return ""


def _places(tags: Iterable[Tag]) -> dict[str, int]:
    """Platform -> the oldest minor version of glibc 2 that a wheel is for."""
    found: dict[str, int] = {}
    for tag in tags:
        kind, _, machine = tag.platform.partition("_")
        named = re.fullmatch(r"manylinux_2_(\d{1,3})_(.+)", tag.platform)
        glibc = int(named[1]) if named else LEGACY.get(kind, 0 if kind == "linux" else -1)
        machines = [named[2] if named else machine]
        if tag.platform == _ANY:
            glibc, machines = 0, list(PLATFORMS)
        for platform in (PLATFORMS[m] for m in machines if m in PLATFORMS):
            if glibc >= 0:
                found[platform] = min(glibc, found.get(platform, glibc))
    return found


def _all_places(files: Iterable[tuple[IndexFile, frozenset[Tag]]]) -> set[str]:
    return {p for file, tags in files if file.withdrawn is None for p in _places(tags)}


def _fits(tags: Iterable[Tag], python: str) -> int:
    """How well a wheel fits a Python: 0 not at all, more for what was made for it alone."""
    minor = _minor(python)
    best = 0
    for tag in tags:
        named = re.fullmatch(r"cp3(\d+)", tag.interpreter)
        if named and tag.abi == "abi3" and int(named[1]) <= minor:
            best = max(best, 2)
        elif named and int(named[1]) == minor and tag.abi in (f"cp3{minor}", "none"):
            best = max(best, 3)
        elif tag.interpreter == "py3" and tag.abi == "none":
            best = max(best, 1)
    return best


@dataclass(frozen=True)
class _Wanted:
    """One wheel: where it comes from, and in which images it counts."""

    project: str
    version: Version
    when: Mapping[str, str]
    pythons: tuple[str, ...] = ()


def entries(
    rules: IndexRules,
    parts: Mapping[str, Version],
    pages: Mapping[str, Iterable[IndexFile]],
    least: int,
    closure: Closure | None = None,
) -> list[Json]:
    """The wheels of a version as they stand in versions.yaml.

    `least` is the minor version of glibc 2 that every image of the component has: a wheel that asks
    for a newer one gets it as its condition. `closure` is for a component that has one.
    """
    listed = {name: wheels(files) for name, files in pages.items()}
    wanted: list[_Wanted] = []
    for project in rules.projects:
        if project.name in parts:
            at = parts[project.name]
            pythons = _pythons(rules, listed[project.name][at])
            wanted.append(_Wanted(project.name, at, project.when, pythons))
    mains = {one.project for one in wanted}
    also: dict[tuple[str, Version], list[str]] = {}
    for python, installed in (closure or {}).items():
        for name, text in installed.items():
            if name not in mains:
                also.setdefault((name, Version(text)), []).append(python)
    wanted += [_Wanted(name, at, {}, tuple(also[name, at])) for name, at in sorted(also)]
    found: list[Json] = []
    platforms: set[str] = set()
    floor = least
    for one in wanted:
        main = one.project in mains
        for made_for, files in _by_python(listed[one.project][one.version], one.pythons):
            for step in _by_glibc(files, least if main else floor):
                kept = {p: f for p, f in step.files.items() if main or p in platforms}
                # what comes along counts where the wheel that asks for it does
                bounds = step.bounds(least)
                if main:
                    platforms |= kept.keys()
                if kept:
                    glibc = {"distro.glibc": bounds} if bounds else {}
                    found.append(_entry(one, {**one.when, **made_for, **glibc}, kept))
        if main and closure is not None:
            floor = max(least, min(_floors(listed[one.project][one.version])))
    return found


def closure_of(rules: IndexRules, wheels_: Iterable[Json], pythons: Iterable[str]) -> Closure:
    """What the wheels of a version in versions.yaml are installed with, for each Python."""
    others = [w for w in wheels_ if project_of(w) not in {p.name for p in rules.projects}]
    return {
        python: {
            project_of(w): str(w["version"])
            for w in others
            if matches(str(w.get("when", {}).get("python", "*")), "python", python)
        }
        for python in pythons
    }


def _pythons(
    rules: IndexRules, files: Iterable[tuple[IndexFile, frozenset[Tag]]]
) -> tuple[str, ...]:
    made = [tags for file, tags in files if file.withdrawn is None and _places(tags)]
    return tuple(p for p in rules.pythons if any(_fits(tags, p) for tags in made))


_Files = list[tuple[IndexFile, dict[str, int]]]


def _by_python(
    files: Sequence[tuple[IndexFile, frozenset[Tag]]], pythons: Sequence[str]
) -> Iterator[tuple[dict[str, str], _Files]]:
    """The condition on Python and the files, for each of some Pythons; those with the same files
    together.
    """
    counted = [(file, tags) for file, tags in files if file.withdrawn is None]
    if not pythons:
        yield {}, [(file, _places(tags)) for file, tags in counted]
        return
    groups: list[tuple[list[str], _Files]] = []
    for python in pythons:
        best: dict[str, int] = {}
        for _, tags in counted:
            for platform in _places(tags):
                best[platform] = max(best.get(platform, 0), _fits(tags, python))
        chosen = []
        for file, tags in counted:
            fit = _fits(tags, python)
            places = {p: g for p, g in _places(tags).items() if fit and fit == best[p]}
            if places:
                chosen.append((file, places))
        follows = groups and _minor(python) == _minor(groups[-1][0][-1]) + 1
        if follows and groups[-1][1] == chosen:
            groups[-1][0].append(python)
        else:
            groups.append(([python], chosen))
    for names, chosen in groups:
        after = f"3.{_minor(names[-1]) + 1}"
        alone = len(names) == 1
        yield {"python": names[0] if alone else f">={names[0]},<{after}"}, chosen


@dataclass(frozen=True)
class _Step:
    """The files from a minor version of glibc 2 on, and the one from which others count."""

    floor: int
    end: int
    files: Mapping[str, IndexFile]

    def bounds(self, least: int) -> str:
        """The pattern for it, empty where every image fits."""
        return ",".join(
            [f">=2.{self.floor}"] * (self.floor > least) + [f"<2.{self.end}"] * (self.end > 0)
        )


def _by_glibc(files: _Files, least: int) -> list[_Step]:
    """The file for each platform by the glibc of an image, for the newest first."""
    floors = sorted({max(glibc, least) for _, places in files for glibc in places.values()})
    steps: list[_Step] = []
    for floor in floors:
        chosen: dict[str, tuple[int, IndexFile]] = {}
        for file, places in files:
            for platform, glibc in places.items():
                if glibc <= floor and glibc >= chosen.get(platform, (-1,))[0]:
                    chosen[platform] = (glibc, file)
        kept = {platform: chosen[platform][1] for platform in sorted(chosen)}
        if steps and steps[-1].files == kept:
            continue
        if steps:
            steps[-1] = replace(steps[-1], end=floor)
        steps.append(_Step(floor, 0, kept))
    return steps[::-1]


def _floors(files: Iterable[tuple[IndexFile, frozenset[Tag]]]) -> list[int]:
    return [g for file, tags in files if file.withdrawn is None for g in _places(tags).values()]


def _entry(one: _Wanted, when: Mapping[str, str], files: Mapping[str, IndexFile]) -> Json:
    days = [file.published for file in files.values() if file.published]
    return {
        "name": one.project,
        "version": str(one.version),
        **({"when": dict(when)} if when else {}),
        **({"published": max(days)} if days else {}),
        "files": {
            platform: {"filename": file.filename, "sha256": file.sha256}
            | ({"size": file.size} if file.size else {})
            for platform, file in files.items()
        },
    }


def pythons_of(rules: IndexRules, files: Iterable[IndexFile], version: Version) -> tuple[str, ...]:
    """The Pythons that a version of a project has wheels for."""
    return _pythons(rules, wheels(files)[version])


def newest_glibc(files: Iterable[IndexFile], version: Version) -> int:
    """The newest minor version of glibc 2 that a wheel of a version asks for on amd64."""
    amd64 = (_places(tags).get("linux/amd64", 0) for _, tags in wheels(files)[version])
    return max(amd64, default=0)


def project_of(wheel: Json) -> str:
    """The project of a wheel in versions.yaml, as the index spells it."""
    return canonicalize_name(str(wheel["name"]))


def least_glibc(pattern: Iterable[str]) -> int:
    """The minor version of glibc 2 that patterns such as `>=2.28` ask for; 0 for none."""
    found = [re.match(r">=2\.(\d+)", text) for text in pattern]
    return max((int(one[1]) for one in found if one), default=0)


def _minor(python: str) -> int:
    return int(python.partition(".")[2])
