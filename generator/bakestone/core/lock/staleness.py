"""Whether a lock still fits the matrix and the library, and what changed when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bakestone.core.documents.words import count
from bakestone.core.lock import trust
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import Distro, Needs
from bakestone.core.matrix.variant import Chosen
from bakestone.errors import BakestoneError, Finding

SiteSays = Callable[[Distro], str]
"""How a site file wants the packages of a distro pinned; empty when it does not say."""


@dataclass(frozen=True)
class _Change:
    """Something that the lock lacks, has too much (`gone`) or has otherwise.

    `entry` is where it stands in the lock: section and name. `about` is what a component's entries
    have in common: its name, or that of a wheel, or a base image.
    """

    entry: tuple[str, str]
    text: str
    about: str = ""
    cause: Chosen | None = None
    gone: bool = False
    count: str = ""


def check_fresh(lock: Lock, needs: Needs, path: Path, now: datetime, site: SiteSays) -> None:
    """Raise `BakestoneError` when the lock was not made for these needs, or says what cannot be so;
    says what changed.
    """
    findings = stale(lock, needs, path, now, site)
    if findings:
        raise BakestoneError(findings)


def stale(lock: Lock, needs: Needs, path: Path, now: datetime, site: SiteSays) -> list[Finding]:
    """A finding for each cause of what the lock lacks, has too much, or has otherwise than wanted,
    and for each entry that is not what the library or the clock allows.

    The entries are looked at even when the input hash fits: one that was taken out or altered by
    hand is told too.
    """
    sections = (_bases, _packages, _artifacts, _wheels, _keyrings, _frameworks, _environments)
    changes = [change for section in sections for change in section(lock, needs)]
    doubts = trust.doubts(lock, needs, now, site)
    texts = list(_told(changes, lock))
    if not texts and not doubts and lock.inputs != needs.fingerprint():
        texts = [
            (
                "images.yaml or the component library asks for something else than it was made for",
                None,
            )
        ]
    hint = "run `bakestone lock`, then `bakestone generate`"
    name = str(path)
    found = [
        Finding(f"the lock is stale: {text}", hint, entry and lock.places.get(entry), name)
        for text, entry in texts
    ]
    found += [
        Finding(doubt.text, doubt.hint, lock.places.get(doubt.entry), name) for doubt in doubts
    ]
    return found


def _told(changes: Iterable[_Change], lock: Lock) -> Iterator[tuple[str, tuple[str, str] | None]]:
    """What to say of changes, each cause once, with the entry that it stands at.

    What is gone belongs to the component that took its place: it has the same name, or asks for
    another version of the wheel, or for other packages on the same base.
    """
    changes = list(changes)
    owner = {c.about: c.cause.component.name for c in changes if c.cause and not c.gone}
    groups: dict[object, list[_Change]] = {}
    for number, change in enumerate(changes):
        name = change.cause.component.name if change.cause else owner.get(change.about)
        groups.setdefault(name or number, []).append(change)
    for group in groups.values():
        if len(group) == 1:
            (change,) = group
            yield f"{_where(change.cause)}{change.text}", change.entry
            continue
        causes = {c.cause.pin: c.cause for c in group if c.cause}
        name = next(iter(causes.values())).component.name
        versions = " and ".join(cause.version.version for cause in causes.values())
        places = ", ".join(dict.fromkeys(str(cause.where) for cause in causes.values()))
        wanted = f"{name} {_before(name, group, lock)}{versions} ({places})"
        yield f"{wanted} is not locked: {_counted(group)}", None


def _where(cause: Chosen | None) -> str:
    return f"{cause.pin} ({cause.where}): " if cause else ""


def _before(component: str, group: Iterable[_Change], lock: Lock) -> str:
    """`2.47.3 -> ` where what goes is of one version."""
    old = set()
    for section, name in (change.entry for change in group if change.gone):
        if section == "artifacts":
            old.add(lock.artifacts[name].component.removeprefix(f"{component}@"))
        elif section == "wheels":
            old.add(name.partition("==")[2].partition(" ")[0])
    return f"{old.pop()} -> " if len(old) == 1 else ""


def _counted(group: Iterable[_Change]) -> str:
    """`1 file, 2 package sets to resolve and 1 file to leave out`."""
    come: dict[str, int] = {}
    go: dict[str, int] = {}
    for change in group:
        kinds = go if change.gone else come
        kinds[change.count] = kinds.get(change.count, 0) + 1

    def listed(kinds: dict[str, int]) -> str:
        return ", ".join(count(number, kind) for kind, number in kinds.items())

    parts = [f"{listed(come)} to resolve"] if come else []
    return " and ".join([*parts, *([f"{listed(go)} to leave out"] if go else [])])


def _bases(lock: Lock, needs: Needs) -> Iterator[_Change]:
    for ref, base in needs.bases.items():
        entry = ("bases", ref)
        locked = lock.bases.get(ref)
        if locked is None:
            yield _Change(entry, f"{ref} is not in it")
            continue
        missing = sorted(needs.platforms[ref] - set(locked.platforms)) if locked.platforms else []
        if missing:
            there = ", ".join(sorted(locked.platforms))
            yield _Change(entry, f"{ref} is in it for {there}, and not for {', '.join(missing)}")
        if locked.provides != base.provides:
            has, wanted = _contents(locked.provides), _contents(base.provides)
            yield _Change(entry, f"{ref} is in it with {has}, and is wanted with {wanted}")
    for ref in lock.bases:
        if ref not in needs.bases:
            yield _Change(("bases", ref), f"{ref} is no longer used", gone=True)


def _contents(provides: dict[str, str]) -> str:
    parts = (f"{slot} {version}" for slot, version in sorted(provides.items()))
    return " + ".join(parts) or "nothing but its distro"


def _packages(lock: Lock, needs: Needs) -> Iterator[_Change]:
    for ref, sets in needs.packages.items():
        locked = lock.packages.get(ref)
        if locked is None:
            if ref in lock.bases:
                yield _Change(("packages", ref), f"the packages on {ref} are not in it")
        elif locked.pins == "versions":
            for platform in sorted(needs.platforms[ref]):
                wanted = [one.names for one in needs.sets_on(ref, platform)]
                have = locked.versions.get(platform, {})
                yield from _sets(wanted, have, ref, f"{ref} for {platform}", needs)
        elif locked.install:
            yield from _sets(sets, locked.install, ref, ref, needs)
    for ref in lock.packages:
        if ref not in needs.packages and ref not in lock.bases:
            yield _Change(("packages", ref), f"the packages on {ref} are no longer used", gone=True)


def _sets(
    wanted: Iterable[tuple[str, ...]],
    have: Iterable[tuple[str, ...]],
    ref: str,
    where: str,
    needs: Needs,
) -> Iterator[_Change]:
    """What is otherwise in the sets of packages that are installed in one place: of a set of which
    some came or went, those.
    """
    entry, kind = ("packages", ref), "package set"
    gone = [names for names in have if names not in wanted]
    for names in wanted:
        if names in have:
            continue
        cause = needs.asked_by.get((*entry, *names))
        before = max(gone, key=lambda old: len({*old} & {*names}), default=())
        if cause is None and len({*before} & {*names}) * 2 > len(names):
            gone.remove(before)
            came, went = sorted({*names} - {*before}), sorted({*before} - {*names})
            others = [
                f"{text} {'is' if len(there) == 1 else 'are'} {what}"
                for there, what in ((came, "not in it"), (went, "no longer used"))
                if (text := _names(there))
            ]
            text = f"of the packages on {where} {' and '.join(others)}"
            yield _Change(entry, text, ref, count=kind)
        else:
            text = f"the packages {_names(names)} on {where} are not in it"
            yield _Change(entry, text, ref, cause, count=kind)
    for names in gone:
        text = f"the packages {_names(names)} on {where} are no longer used"
        yield _Change(entry, text, ref, gone=True, count=kind)


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + ("..." if len(names) > 4 else "")


def _artifacts(lock: Lock, needs: Needs) -> Iterator[_Change]:
    for url, artifact in needs.artifacts.items():
        entry, about = ("artifacts", url), artifact.component.partition("@")[0]
        cause = needs.asked_by.get(entry)
        wanted, file = f"{artifact.component}: ", artifact.filename
        if url not in lock.artifacts:
            yield _Change(entry, f"{file} is not in it", about, cause, count="file")
        elif lock.artifacts[url].sha256 != artifact.sha256:
            yield _Change(entry, f"{wanted}{file} has another checksum in the library")
    for url, locked in lock.artifacts.items():
        if url not in needs.artifacts:
            about = locked.component.partition("@")[0]
            text = f"{locked.component}: {url.rsplit('/', 1)[-1]} is no longer used"
            yield _Change(("artifacts", url), text, about, gone=True, count="file")


def _wheels(lock: Lock, needs: Needs) -> Iterator[_Change]:
    for text, wheel in needs.wheels.items():
        entry, about = ("wheels", text), f"wheel {wheel.name}"
        cause = needs.asked_by.get(entry)
        if text not in lock.wheels:
            yield _Change(entry, f"the wheel {text} is not in it", about, cause, count="wheel")
        elif _checksums(lock.wheels[text].files) != _checksums(dict(wheel.files)):
            yield _Change(entry, f"the wheel {text} has other files in the library")
    for text in lock.wheels:
        if text not in needs.wheels:
            about = f"wheel {text.partition('==')[0]}"
            said = f"the wheel {text} is no longer used"
            yield _Change(("wheels", text), said, about, gone=True, count="wheel")


def _checksums(files: dict[str, tuple[str, str, int]]) -> dict[str, tuple[str, str]]:
    return {platform: (name, checksum) for platform, (name, checksum, _) in files.items()}


def _keyrings(lock: Lock, needs: Needs) -> Iterator[_Change]:
    for name, wanted in needs.repositories.items():
        entry = ("keyrings", name)
        locked = lock.keyrings.get(name)
        if locked is None:
            yield _Change(entry, f"the keyring {name} is not in it")
        elif locked.fingerprint != wanted.fingerprint:
            keys = f"{wanted.fingerprint} in the library, and {locked.fingerprint} in it"
            yield _Change(entry, f"the keyring {name} has the key {keys}")
        elif locked.url != wanted.key:
            urls = f"{wanted.key} in the library, and at {locked.url} in it"
            yield _Change(entry, f"the keyring {name} is at {urls}")
    for name in lock.keyrings:
        if name not in needs.repositories:
            yield _Change(("keyrings", name), f"the keyring {name} is no longer used", gone=True)


def _environments(lock: Lock, needs: Needs) -> Iterator[_Change]:
    for name, (wanted, platforms) in needs.environments.items():
        entry = ("environments", name)
        locked = lock.environments.get(name)
        if locked is None:
            yield _Change(entry, f"the environment {name} is not in it")
            continue
        asked = {*wanted.requirements, *(f"{text} from source" for text in wanted.sources)}
        had = {*locked.requirements, *(f"{text} from source" for text in locked.sources)}
        come, gone = sorted(asked - had), sorted(had - asked)
        for texts, what in ((come, "not in it"), (gone, "no longer asked for")):
            if texts:
                verb = "is" if len(texts) == 1 else "are"
                text = f"of the environment {name} {_names(texts)} {verb} {what}"
                yield _Change(entry, text)
        missing = sorted(platforms - locked.files.keys())
        if missing:
            there = ", ".join(sorted(locked.files))
            text = f"the environment {name} is in it for {there}, and not for {', '.join(missing)}"
            yield _Change(entry, text)
    for name in lock.environments:
        if name not in needs.environments:
            text = f"the environment {name} is no longer used"
            yield _Change(("environments", name), text, gone=True)


def _frameworks(lock: Lock, needs: Needs) -> Iterator[_Change]:
    for name in needs.frameworks:
        if name not in lock.frameworks:
            yield _Change(("frameworks", name), f"what {name} asks for is not in it")
    for name in lock.frameworks:
        if name not in needs.frameworks:
            text = f"the framework {name} is no longer used"
            yield _Change(("frameworks", name), text, gone=True)
