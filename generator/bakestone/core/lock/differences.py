"""The difference between two locks in words: each change once, with the images that it reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from bakestone.core.documents.words import count
from bakestone.core.lock.demand import Demand, Users
from bakestone.core.lock.environments import project_and_version
from bakestone.core.lock.lock import Lock, LockedEnvironment, LockedPackages


@dataclass(frozen=True)
class LockDifference:
    """`what` was `old` and is `new`; either is empty for what came or went.

    `kind` is a section of the lock in the singular. `bases` are the base images on which packages
    changed, `variants` those that use any of it, in the order of the matrix.
    """

    kind: str
    what: str
    old: str
    new: str
    bases: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """`libc6 2.36-9+deb12u10 -> 2.36-9+deb12u11 in 3 bases, 14 variants`."""
        on = f" in {count(len(self.bases), 'base')}" if self.bases else ""
        return f"{self.change}{on}, {count(len(self.variants), 'variant')}"

    @property
    def change(self) -> str:
        """The same without whom it reaches."""
        if self.old and self.new:
            return f"{self.what} {self.old} -> {self.new}"
        return f"{self.what} {self.new or self.old} {'is new' if self.new else 'is gone'}"

    def as_dict(self) -> dict[str, object]:
        """For `--format json`."""
        return asdict(self)


def differences(old: Lock, new: Lock, demand: Demand) -> list[LockDifference]:
    """What is otherwise in `new`, kind by kind; `demand` says which variants use what of it.

    What nothing uses any more has no variants.
    """
    return [
        *_bases(old, new, demand),
        *_packages(old, new, demand),
        *_files(old, new, demand),
        *_wheels(old, new, demand),
        *_keyrings(old, new, demand),
        *_frameworks(old, new, demand),
        *_environments(old, new, demand),
    ]


def _names(users: Mapping[str, Users], ref: str) -> tuple[str, ...]:
    return users[ref].names if ref in users else ()


def _bases(old: Lock, new: Lock, demand: Demand) -> Iterator[LockDifference]:
    for ref in sorted({*old.bases, *new.bases}):
        one, other = old.bases.get(ref), new.bases.get(ref)
        users = _names(demand.bases, ref)
        before, after = ((b.digest or "without a digest") if b else "" for b in (one, other))
        if before != after:
            yield LockDifference("base", ref, *_short(before, after), variants=users)
        if one and other and one.epoch != other.epoch:
            times = (str(b.epoch) for b in (one, other))
            what = f"SOURCE_DATE_EPOCH of {ref}"
            yield LockDifference("base", what, next(times), next(times), variants=users)
        if one and other and one.digest == other.digest and one.platforms != other.platforms:
            for platform in sorted({*one.platforms, *other.platforms}):
                was, now = (b.platforms.get(platform, "") for b in (one, other))
                if was != now:
                    what = f"{ref} for {platform}"
                    yield LockDifference("base", what, *_short(was, now), variants=users)


def _short(old: str, new: str) -> tuple[str, str]:
    """Digests as people read them: the first 12 digits, or all where those are the same."""
    short = tuple(text[:19] if text.startswith("sha256:") else text for text in (old, new))
    return (old, new) if short[0] == short[1] else (short[0], short[1])


def _packages(old: Lock, new: Lock, demand: Demand) -> Iterator[LockDifference]:
    changed: dict[tuple[str, str, str], dict[str, None]] = {}
    for ref in sorted({*old.packages, *new.packages}):
        one, other = old.packages.get(ref), new.packages.get(ref)
        if one and other and _pinned(one) != _pinned(other):
            key = (f"packages of {other.distro}", _pinned(one), _pinned(other))
            changed.setdefault(key, {})[ref] = None
        elif one and other:
            if one.distro != other.distro:
                key = (f"distro of the packages on {ref}", one.distro, other.distro)
                changed.setdefault(key, {})[ref] = None
            for name, versions in _versions(one, other):
                changed.setdefault((name, *versions), {})[ref] = None
        elif other or one:
            said = (
                f"packages on {ref}",
                _pinned(one) if one else "",
                _pinned(other) if other else "",
            )
            changed.setdefault(said, {})[ref] = None
    for (name, was, now), refs in changed.items():
        users = demand.base_users(ref for ref in refs if ref in demand.bases)
        yield LockDifference("package", name, was, now, tuple(refs), users)


def _pinned(packages: LockedPackages) -> str:
    """How they are pinned: `as of 20261122T000000Z`, `by versions`, `frozen`."""
    if packages.pins == "snapshot":
        return f"as of {packages.snapshot}"
    return "by versions" if packages.pins == "versions" else packages.pins


def _versions(one: LockedPackages, other: LockedPackages) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name of a package -> its versions before and now, where they differ; several are listed."""
    old, new = _of(one), _of(other)
    for name in sorted({*old, *new}):
        before, after = old.get(name, {}), new.get(name, {})
        if before == after:
            continue
        was, now = (", ".join(sorted({*found.values()})) for found in (before, after))
        if was != now:
            yield name, (was, now)
            continue
        # the same versions in other places: each is told by its own
        for place in sorted({*before, *after}):
            was, now = before.get(place, ""), after.get(place, "")
            if was != now:
                yield f"{name} {place}".rstrip(), (was, now)


def _of(packages: LockedPackages) -> dict[str, dict[str, str]]:
    """Name of a package -> where it is pinned (for a platform, with the names that are installed)
    -> its version.
    """
    found: dict[str, dict[str, str]] = {}
    for name, version in packages.known.items():
        found.setdefault(name, {})[""] = version
    for platform, sets in packages.versions.items():
        for names, closure in sets.items():
            for name, version in closure.items():
                found.setdefault(name, {})[f"for {platform} ({' '.join(names)})"] = version
    return found


def _files(old: Lock, new: Lock, demand: Demand) -> Iterator[LockDifference]:
    for url in sorted({*old.artifacts, *new.artifacts}):
        one, other = old.artifacts.get(url), new.artifacts.get(url)
        was, now = (f"sha256:{a.sha256}" if a else "" for a in (one, other))
        if was != now:
            owner = other or one
            was, now = _short(was, now)
            users = demand.artifacts[url][1].names if url in demand.artifacts else ()
            what = f"{owner.component if owner else ''}: {url.rsplit('/', 1)[-1]}"
            yield LockDifference("file", what, was, now, variants=users)


def _wheels(old: Lock, new: Lock, demand: Demand) -> Iterator[LockDifference]:
    gone = {key for key in old.wheels if key not in new.wheels}
    come = [key for key in new.wheels if key not in old.wheels]

    def users(key: str) -> tuple[str, ...]:
        return demand.wheels[key][1].names if key in demand.wheels else ()

    for key in sorted(come):
        name, version = _wheel(key)
        before = sorted(k for k in gone if _wheel(k)[0] == name)
        gone -= set(before[:1])
        was = _wheel(before[0])[1] if before else ""
        yield LockDifference("wheel", name, was, version, variants=users(key))
    for key in sorted(gone):
        yield LockDifference("wheel", _wheel(key)[0], _wheel(key)[1], "", variants=users(key))
    for key in sorted(old.wheels.keys() & new.wheels.keys()):
        one, other = old.wheels[key].files, new.wheels[key].files
        for platform in sorted({*one, *other}):
            files = [w.get(platform, ("", "", 0)) for w in (one, other)]
            for what, number in (("", 1), ("file name of ", 0)):
                was, now = (
                    f"sha256:{file[1]}" if number and file[1] else str(file[number])
                    for file in files
                )
                if was != now:
                    shown = f"{what}{key} for {platform}"
                    yield LockDifference("file", shown, *_short(was, now), variants=users(key))


def _wheel(key: str) -> tuple[str, str]:
    """Name with its Python, and version: `numpy==2.4.6 cp313`."""
    name, _, rest = key.partition("==")
    version, _, tag = rest.partition(" ")
    return f"{name} {tag}".rstrip(), version


def _keyrings(old: Lock, new: Lock, demand: Demand) -> Iterator[LockDifference]:
    for name in sorted({*old.keyrings, *new.keyrings}):
        one, other = old.keyrings.get(name), new.keyrings.get(name)
        users = demand.repositories[name][1].names if name in demand.repositories else ()
        was, now = (k.fingerprint if k else "" for k in (one, other))
        if was != now:
            yield LockDifference("key", f"key of {name}", was, now, variants=users)
            continue
        if one and other and one.url != other.url:
            what = f"place of the key of {name}"
            yield LockDifference("key", what, one.url, other.url, variants=users)
        if one and other and one.sha256 != other.sha256:
            was, now = (f"sha256:{k.sha256}" if k.sha256 else "" for k in (one, other))
            what = f"file of the key of {name}"
            yield LockDifference("key", what, *_short(was, now), variants=users)


def _environments(old: Lock, new: Lock, demand: Demand) -> Iterator[LockDifference]:
    """Projects and their versions; where these are the same, the files."""
    for key in sorted({*old.environments, *new.environments}):
        users = demand.environments[key][1].names if key in demand.environments else ()
        one, other = (lock.environments.get(key) for lock in (old, new))
        asked = (_asked(e) if e else "" for e in (one, other))
        was, now = asked
        if was != now:
            yield LockDifference("requirements", key, was, now, variants=users)
        places = sorted({*(one.files if one else ()), *(other.files if other else ())})
        told: set[tuple[str, str, str]] = set()
        for platform in places:
            before, after = (
                {project_and_version(file[0])[0]: file for file in e.files.get(platform, ())}
                if e
                else {}
                for e in (one, other)
            )
            for name in sorted({*before, *after}):
                files = [found.get(name, ("", "", 0)) for found in (before, after)]
                was, now = (project_and_version(f[0])[1] if f[0] else "" for f in files)
                if was != now:
                    if (name, was, now) not in told:
                        yield LockDifference("wheel", f"{name} in {key}", was, now, variants=users)
                    told.add((name, was, now))
                elif files[0] != files[1]:
                    was, now = (f"{f[0]} sha256:{f[1]} {f[2]} bytes" for f in files)
                    what = f"{name} for {platform} in {key}"
                    yield LockDifference("file", what, was, now, variants=users)


def _asked(environment: LockedEnvironment) -> str:
    sources = (f"{text} from source" for text in environment.sources)
    return "; ".join((*environment.requirements, *sources))


def _frameworks(old: Lock, new: Lock, demand: Demand) -> Iterator[LockDifference]:
    for name in sorted({*old.frameworks, *new.frameworks}):
        one, other = old.frameworks.get(name), new.frameworks.get(name)
        users = tuple(v.name for v in demand.variants if name in v.family.frameworks)
        was, now = (
            ", ".join((f.wheel, f.sha256[:12], f.python, *f.pythons, *f.requires)) if f else ""
            for f in (one, other)
        )
        if was != now:
            yield LockDifference("framework", name, was, now, variants=users)
