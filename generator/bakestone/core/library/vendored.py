"""What a vendor's package repositories have of a component, and what of it becomes its method apt.

Pure: the repositories' lists are an argument. The rules stand under `packages` in the component's
index.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.version import InvalidVersion, Version

from bakestone.core.documents.patterns import version_key
from bakestone.core.documents.yaml import Json
from bakestone.core.library.indexed import LATER_PATCH, Omission

_VERSION = "(?P<version>[0-9]+(?:[.][0-9]+)+)"
_ONE = "[0-9]+-[0-9]+"
_MINOR = f"(?P<minor>{_ONE})"
_ANY = "[0-9A-Za-z.+~-]*"
_DEPENDS = re.compile(r"([a-z0-9][a-z0-9+.-]*)(?::[a-z]+)?\s*\(\s*(?:>=|=)\s*([0-9][^\s)]*)\s*\)")


@dataclass(frozen=True)
class VendorPackage:
    """A package of a list: its SHA-256, its size in bytes, and what it depends on (the field
    `Depends` of dpkg as it stands).
    """

    name: str
    version: str
    sha256: str
    size: int
    depends: str = ""


Shelf = Mapping[str, Mapping[str, VendorPackage]]
"""Name -> version -> package: what one repository has for one platform."""
Shelves = Mapping[tuple[str, str], Shelf]
"""(Repository, platform) -> what it has."""


@dataclass(frozen=True)
class VendorBuild:
    """Packages that are installed together, the first of which is one for each version.

    `version` is what theirs looks like (`{version}-1+cuda13.*`; `*` stands for anything), `when`
    the images that they are for; `optional` are taken where they are there. In names `{minor}` is
    the minor version with a dash. With a `release` that is the package whose versions are meant,
    and what it depends on says which versions the others have. `because` is why the library is
    without such builds.
    """

    install: tuple[str, ...]
    version: str
    when: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    release: str = ""
    because: str = ""

    @staticmethod
    def of(data: Json) -> VendorBuild:
        """From an entry of `builds`, which the schema has checked."""
        lists = {key: tuple(data.get(key, ())) for key in ("install", "optional")}
        return VendorBuild(**{**data, **lists})

    @property
    def main(self) -> str:
        """The package whose versions are meant."""
        return self.release or self.install[0]

    @property
    def project(self) -> str:
        """What index.yaml calls it, apart from projects of the package index."""
        return f"apt/{self.main.removesuffix('-{minor}')}"

    @property
    def named(self) -> re.Pattern[str]:
        """What that package is called."""
        return re.compile(re.escape(self.main).replace(r"\{minor\}", _MINOR))

    @property
    def form(self) -> re.Pattern[str]:
        """What its versions look like."""
        return re.compile(
            re.escape(self.version).replace(r"\{version\}", _VERSION).replace(r"\*", _ANY)
        )


@dataclass(frozen=True)
class VendorPlace:
    """Repositories that one image has together, and the distros that they are for."""

    distro: str | Sequence[str]
    repositories: tuple[str, ...]


@dataclass(frozen=True)
class VendorRules:
    """What index.yaml says of a vendor's packages."""

    builds: tuple[VendorBuild, ...]
    places: tuple[VendorPlace, ...]

    @staticmethod
    def of(data: Json) -> VendorRules:
        """From `packages` in index.yaml, which its schema has checked."""
        return VendorRules(
            tuple(map(VendorBuild.of, data["builds"])),
            tuple(VendorPlace(p["distro"], tuple(p["from"])) for p in data["repositories"]),
        )

    @property
    def repositories(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(name for place in self.places for name in place.repositories))

    @property
    def projects(self) -> frozenset[str]:
        """The packages whose versions are looked for."""
        return frozenset(build.project for build in self.builds)


@dataclass(frozen=True)
class Vendored:
    """Version of the library -> the further entries of its method apt, newest first; `builds` are
    (version, project, the vendor's version) that are in the library or become part of it; and
    (project, the vendor's version) -> why the library is without it.
    """

    versions: Mapping[str, Sequence[Json]]
    builds: Sequence[tuple[str, str, str]]
    left_out: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class _Candidate:
    """A set of packages, and where it is to be had whole."""

    version: str
    install: Mapping[str, str]
    where: tuple[tuple[str, str], ...]

    @property
    def rank(self) -> tuple[int, object]:
        """What is for more platforms is better, then what is newer."""
        return len({platform for _, platform in self.where}), version_key(self.version)


def vendored(
    rules: VendorRules,
    shelves: Shelves,
    held: Mapping[str, Sequence[Json]],
    without: Sequence[Omission] = (),
    *,
    last_patches: bool = False,
) -> Vendored:
    """Sort out what a vendor's repositories have; `held` are the entries that the library has of
    each version, which stay as they are and are not doubled. With `last_patches` versions that the
    library does not have are taken where they are the last of their minor version.
    """
    found: dict[str, list[Json]] = {}
    builds: dict[tuple[str, str, str], None] = {}
    left_out: dict[tuple[str, str], str] = {}
    for build in rules.builds:
        ordered: list[tuple[VendorPlace, dict[str, _Sorted]]] = []
        for place in rules.places:
            here = {key: shelf for key, shelf in shelves.items() if key[0] in place.repositories}
            ordered.append((place, _sorted(build, here)))
        known = {version for _, by_version in ordered for version in by_version}
        early = {v for v in known if _later(v, known)} - held.keys() if last_patches else set()
        for place, by_version in ordered:
            for version, there in by_version.items():
                mine = _covering(build, place, version, held.get(version, ()))
                best = max(there.whole, key=lambda one: one.rank, default=None)
                why = build.because or _without(build, version, without)
                why = why or (LATER_PATCH if version in early else "")
                if not mine and not why and best:
                    found.setdefault(version, []).append(_entry(build, place, best, shelves))
                taken = mine or ({best.version} if best and not why else set())
                for one in taken:
                    builds[version, build.project, one] = None
                stands = f"{max(taken, key=version_key)} stands for it" if taken else why
                for each in there.whole:
                    left_out.setdefault((build.project, each.version), stands)
                for one, lacking in there.lacking.items():
                    left_out.setdefault((build.project, one), why or lacking)
    for pair in _strange(rules, shelves):
        left_out.setdefault(pair, "it is no version of a form that the library has")
    for _, project, one in builds:
        left_out.pop((project, one), None)
    newest = sorted(found, key=version_key, reverse=True)
    return Vendored({version: found[version] for version in newest}, tuple(builds), left_out)


@dataclass(frozen=True)
class _Sorted:
    """What there is of a version: the sets that are whole, and the vendor's version of others ->
    what they lack.
    """

    whole: list[_Candidate] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)


def _sorted(build: VendorBuild, here: Shelves) -> dict[str, _Sorted]:
    """Version of the library -> what there is of it."""
    where: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[tuple[str, str]]] = {}
    found: dict[str, _Sorted] = {}
    for key, shelf in here.items():
        for name, versions in shelf.items():
            named = build.named.fullmatch(name)
            for version in versions if named else ():
                form = build.form.fullmatch(version)
                if not form:
                    continue
                groups = named.groupdict() if named else {}
                packages = _packages(build, shelf, groups, (name, version))
                gone = [package for package, there in packages.items() if not there]
                there = found.setdefault(form["version"], _Sorted())
                if gone:
                    there.lacking[version] = f"{gone[0]} has no such version"
                else:
                    together = tuple(packages.items())
                    where.setdefault((form["version"], version, together), []).append(key)
    for (library, version, together), keys in where.items():
        found[library].whole.append(_Candidate(version, dict(together), tuple(keys)))
    return found


def _packages(
    build: VendorBuild, shelf: Shelf, groups: Mapping[str, str], main: tuple[str, str]
) -> dict[str, str]:
    """Package -> version of a set, empty for one that is not there."""
    depends = _closure(shelf, *main) if build.release else {}
    found: dict[str, str] = {}
    for template in (*build.install, *build.optional):
        name = template.replace("{minor}", groups.get("minor", ""))
        version = depends.get(name, main[1])
        if version in shelf.get(name, {}):
            found[name] = version
        elif template in build.install:
            found[name] = ""
    return found


def _closure(shelf: Shelf, name: str, version: str) -> dict[str, str]:
    """What a package depends on, itself or by what it depends on: of a range the oldest, which is
    the release's own.
    """
    found: dict[str, str] = {}
    todo = [(name, version)]
    while todo:
        package = shelf[todo[-1][0]][todo[-1][1]]
        todo.pop()
        for other, bound in _DEPENDS.findall(package.depends):
            least = version_key(bound)
            fitting = [v for v in shelf.get(other, {}) if version_key(v) >= least]
            if other not in found and fitting:
                found[other] = min(fitting, key=version_key)
                todo.append((other, found[other]))
    return found


def _covering(
    build: VendorBuild, place: VendorPlace, version: str, entries: Iterable[Json]
) -> set[str]:
    """The vendor's versions in the entries that the library has of a version for a build from one
    of these places: several where each is for other minor versions of CUDA.
    """
    names = re.compile("|".join(re.escape(n).replace(r"\{minor\}", _ONE) for n in build.install))
    found: set[str] = set()
    for entry in entries:
        if not set(entry["repositories"]).isdisjoint(place.repositories):
            for name, theirs in entry["install"].items():
                form = build.form.fullmatch(theirs)
                if names.fullmatch(name) and form and form["version"] == version:
                    found.add(str(theirs))
    return found


def _without(build: VendorBuild, version: str, without: Sequence[Omission]) -> str:
    """Why the library is without a version; empty when nothing speaks against it."""
    for entry in without:
        try:
            if entry.covers(build.project, Version(version)):
                return entry.because
        except InvalidVersion:  # no version of Python's: nothing is said of it
            return ""
    return ""


def _later(version: str, known: Iterable[str]) -> bool:
    """Whether there is a later patch of a minor version."""
    minor = version.split(".")[:2]
    return any(
        other.split(".")[:2] == minor and version_key(other) > version_key(version)
        for other in known
    )


def _strange(rules: VendorRules, shelves: Shelves) -> Iterator[tuple[str, str]]:
    """The versions that no build is for."""
    for shelf in shelves.values():
        for name, versions in shelf.items():
            builds = [build for build in rules.builds if build.named.fullmatch(name)]
            for version in versions if builds else ():
                if not any(build.form.fullmatch(version) for build in builds):
                    yield builds[0].project, version


def _entry(build: VendorBuild, place: VendorPlace, best: _Candidate, shelves: Shelves) -> Json:
    """What versions.yaml says of a set; the caller adds where it comes from."""
    platforms = sorted({platform for _, platform in best.where})
    distro = place.distro if isinstance(place.distro, str) else list(place.distro)
    files: dict[str, Json] = {platform: {} for platform in platforms}
    for key in best.where:
        for name, version in best.install.items():
            package = shelves[key][name][version]
            files[key[1]][name] = {"sha256": package.sha256, "size": package.size}
    return {
        "when": {"distro": distro, **build.when},
        **({"platform": platforms[0]} if len(platforms) == 1 else {}),
        "repositories": list(dict.fromkeys(name for name, _ in best.where)),
        "install": dict(best.install),
        "files": files,
    }


@dataclass(frozen=True)
class LostPackage:
    """A package that the library has and a vendor no longer gives: `now` is the SHA-256 of what is
    there under its name and version instead, empty where there is nothing.
    """

    name: str
    version: str
    before: str = ""
    now: str = ""


def lost(entry: Json, shelves: Shelves) -> list[LostPackage]:
    """What of an entry its repositories no longer have, or have as another file; nothing of
    repositories that were not read.
    """
    read = {name for name, _ in shelves}
    if not read.issuperset(entry["repositories"]):
        return []
    here = {key: shelf for key, shelf in shelves.items() if key[0] in entry["repositories"]}
    found = [
        LostPackage(name, version)
        for name, version in entry["install"].items()
        if not any(version in shelf.get(name, {}) for shelf in here.values())
    ]
    for (_, platform), shelf in here.items():
        for name, file in entry.get("files", {}).get(platform, {}).items():
            now = shelf.get(name, {}).get(entry["install"][name])
            if now is not None and now.sha256 != file["sha256"]:
                found.append(LostPackage(name, now.version, file["sha256"], now.sha256))
    return list(dict.fromkeys(found))
