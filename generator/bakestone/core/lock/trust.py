"""What a lock says that cannot be so, by what the library knows and by the clock.

A lock is text in a pull request: each value passed its pattern, which says nothing of whether it is
true. `staleness` compares what was asked for; this, what was answered. What only the world outside
knows (a registry's digest of a tag) `bakestone lock --verify` asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bakestone.core.library.version import Base
from bakestone.core.lock.environments import SDIST, choose, project_and_version, requirement_name
from bakestone.core.lock.lock import (
    LIBRARY,
    REGISTRY,
    Lock,
    LockedBase,
    LockedEnvironment,
    LockedPackages,
    LockedWheel,
)
from bakestone.core.lock.needs import Distro, Environment, Needs, Wheel

AHEAD = timedelta(days=1)
"""How far a clock may be behind that of the machine that wrote a lock."""
SOON = timedelta(hours=6)
"""The same for an archive's time, which is a midnight that is past."""
OLDER = timedelta(days=4)
"""How much older than its base an archive may be: `bakestone lock` takes one of the last three
midnights, and a base may be of today.
"""
_HINT = "was it edited by hand? Take the entry out, then run `bakestone lock`"


@dataclass(frozen=True)
class Doubt:
    """What cannot be so; `entry` is the section and name of its entry."""

    entry: tuple[str, str]
    text: str
    hint: str = _HINT


def doubts(lock: Lock, needs: Needs, now: datetime, site: Callable[[Distro], str]) -> list[Doubt]:
    """Every entry that is not what the library or the clock allows, in the order of the file.

    `site` says how the site file wants the packages of a distro pinned (`frozen`), or nothing.
    """
    found = list(_times(lock, now))
    for ref, base in needs.bases.items():
        if ref in lock.bases:
            found += (Doubt(("bases", ref), text) for text in _base(lock.bases[ref], base, now))
    for ref, sets in needs.packages.items():
        if ref in lock.packages and ref in lock.bases:
            distro = next(iter(sets.values())).distro
            names = {name for one in sets for name in one}
            texts = _packages(lock.packages[ref], lock.bases[ref], distro, names, site, now)
            found += (Doubt(("packages", ref), text) for text in texts)
            found += (
                Doubt(("packages", ref), text) for text in _closures(lock.packages[ref], distro)
            )
    for url, artifact in needs.artifacts.items():
        locked = lock.artifacts.get(url)
        if locked and locked.sha256 == artifact.sha256 and locked.component != artifact.component:
            text = f"the file is {artifact.component}'s, and it says {locked.component}"
            found.append(Doubt(("artifacts", url), text))
        elif locked and artifact.size and locked.size != artifact.size:
            text = f"the library's size is {artifact.size} bytes, and it says {locked.size}"
            found.append(Doubt(("artifacts", url), text))
    for key, wheel in needs.wheels.items():
        if key in lock.wheels:
            found += (Doubt(("wheels", key), text) for text in _wheel(lock.wheels[key], wheel))
    for name, (environment, _) in needs.environments.items():
        if name in lock.environments:
            texts = _environment(lock.environments[name], environment)
            found += (Doubt(("environments", name), text) for text in texts)
    return found


def _times(lock: Lock, now: datetime) -> Iterator[Doubt]:
    sections: Mapping[str, Mapping[str, object]] = {
        "bases": lock.bases,
        "packages": lock.packages,
        "artifacts": lock.artifacts,
        "wheels": lock.wheels,
        "keyrings": lock.keyrings,
        "frameworks": lock.frameworks,
        "environments": lock.environments,
    }
    for section, entries in sections.items():
        for name, entry in entries.items():
            said = getattr(entry, "resolved", "")
            if said and datetime.fromisoformat(said) > now + AHEAD:
                text = f"it says that it was resolved {said}, which is yet to come"
                hint = "is this machine's clock right? Else take the entry out and lock again"
                yield Doubt((section, name), text, hint)


def _base(locked: LockedBase, base: Base, now: datetime) -> Iterator[str]:
    pinned = base.ref.partition("@")[2]
    if pinned and locked.digest and locked.digest != pinned:
        yield f"images.yaml names {pinned}, and it says {locked.digest}"
    elif locked.resolved_from == LIBRARY and base.digest and locked.digest != base.digest:
        yield f"the library's digest is {base.digest}, and it says {locked.digest or 'none'}"
    elif locked.resolved_from == LIBRARY and locked.digest and not base.digest:
        yield "it says that its digest is the library's, which knows none"
    elif locked.resolved_from == LIBRARY and locked.digest:
        for platform, digest in locked.platforms.items():
            known = base.platforms.get(platform)
            if known and known != digest:
                yield f"the library's digest for {platform} is {known}, and it says {digest}"
    if not locked.digest and locked.resolved_from == REGISTRY:
        yield "it says that a registry answered, and has no digest"
    if locked.resolved_from == LIBRARY and locked.epoch != base.epoch:
        yield f"the library's `epoch` is {base.epoch}, and it says {locked.epoch}"
    elif locked.epoch > (now + AHEAD).timestamp():
        yield f"its image would be made {datetime.fromtimestamp(locked.epoch, UTC):%Y-%m-%d}"


def _packages(
    locked: LockedPackages,
    base: LockedBase,
    distro: Distro,
    names: set[str],
    site: Callable[[Distro], str],
    now: datetime,
) -> Iterator[str]:
    if locked.distro != distro.text:
        yield f"the image is {distro.text}, and it says {locked.distro}"
        return
    frozen, wish = distro.version.data.get("pins") == "frozen", site(distro)
    if locked.pins == "frozen" and not frozen and wish != "frozen":
        yield (
            f"it says that the archive of {distro.text} no longer changes, and it does; no site"
            " file (--site) says otherwise"
        )
    if locked.pins != "frozen" and frozen and not wish:
        yield f"the archive of {distro.text} no longer changes, and it says {locked.pins}"
    if locked.pins == "frozen":
        said = {n: str(v) for n, v in distro.version.data.get("apt", {}).items() if n in names}
        for name in sorted({*said, *locked.known}):
            version, known = locked.known.get(name, "none"), said.get(name, "unknown")
            if version != known:
                yield f"the library's version of {name} is {known}, and it says {version}"
    if locked.pins == "snapshot":
        if not distro.snapshot_sources(locked.snapshot):
            yield f"{distro.text} has no snapshot service"
        time = datetime.fromisoformat(locked.snapshot).timestamp()
        resolved = datetime.fromisoformat(locked.resolved).timestamp()
        if time > min(resolved, now.timestamp()) + SOON.total_seconds():
            yield f"the archive as of {locked.snapshot} was not there when it was resolved"
        elif base.epoch and time < base.epoch - OLDER.total_seconds():
            yield (
                f"the archive as of {locked.snapshot} is older than the base image, which was made"
                f" {datetime.fromtimestamp(base.epoch, UTC):%Y-%m-%d}: no version in it fits"
            )


def _wheel(locked: LockedWheel, wheel: Wheel) -> Iterator[str]:
    """Another size of a file whose checksum is the library's, once for all its platforms."""
    found = {
        f"the library's size of {filename} is {size} bytes, and it says {said}": None
        for platform, (filename, sha256, size) in wheel.files
        for name, checksum, said in [locked.files.get(platform, ("", "", size))]
        if (name, checksum) == (filename, sha256) and said != size
    }
    yield from found


def _environment(locked: LockedEnvironment, wanted: Environment) -> Iterator[str]:
    """Wheels that cannot be there: for another Python or platform, two of one project, and none of
    a project that is asked for.
    """
    if locked.python != wanted.python:
        yield f"the image's Python is {wanted.python}, and it says {locked.python}"
    for platform, files in locked.files.items():
        seen: dict[str, str] = {}
        for filename, _, _ in files:
            name, _ = project_and_version(filename)
            if name in seen:
                yield f"for {platform} there are two wheels of {name}"
            seen[name] = filename
            if filename.endswith(SDIST):
                if "==".join(project_and_version(filename)) not in wanted.sources:
                    yield f"{filename} is a source distribution that `from_source` does not name"
            elif not choose([filename], wanted.python, wanted.glibc, platform):
                yield f"{filename} does not fit Python {wanted.python} on {platform}"
        for text in wanted.requirements:
            name = requirement_name(text)
            if " ; " not in text and name not in seen:
                yield f"{name} is asked for, and there is no wheel of it for {platform}"


def _closures(locked: LockedPackages, distro: Distro) -> Iterator[str]:
    """Versions that the names of their own installation (`name=version`) contradict."""
    for sets in locked.versions.values():
        for names, closure in sets.items():
            for name, _, version in (one.partition("=") for one in names if "=" in one):
                there = [v for key, v in closure.items() if _is_of(key, name, distro)]
                if there and not any(_is_version(version, one, distro) for one in there):
                    yield f"{name}={version} is asked for, and it says {there[0]}"


def _is_of(key: str, name: str, distro: Distro) -> bool:
    """Whether an entry is of a package: with dnf it is called `name.machine`."""
    return name == (key.rpartition(".")[0] if distro.package_manager == "dnf" else key)


def _is_version(wanted: str, locked: str, distro: Distro) -> bool:
    """Whether a version is the wanted one, which with dnf may be without its epoch."""
    bare = locked.partition(":")[2] if distro.package_manager == "dnf" else locked
    return wanted in (locked, bare)
