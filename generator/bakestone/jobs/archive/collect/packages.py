"""Packages: the very files that apt or dnf fetches in the base image, indexes included, so that its
checks hold offline.

A build step on each base runs it with the sources that the Dockerfile uses (for dnf: rpms.py). What
it verified (signatures, checksums) comes out under the URLs outside, and is what it will ask for
again when the image is built.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.engine.questions import MAX_TEXT, BuildQuestion, put, unanswered
from bakestone.clients.site.site import Site
from bakestone.core.lock.lock import Lock
from bakestone.core.render.packages import apt, dnf
from bakestone.errors import ENVIRONMENT, fail
from bakestone.files import hash_of, open_regular, scratch
from bakestone.jobs.archive.catalog import INDEX, PACKAGE, ArchivedBlob, is_name
from bakestone.jobs.archive.collect import rpms
from bakestone.jobs.archive.collect.wanted import Packages, WantedParts
from bakestone.jobs.archive.layout import ArchiveLayout

_TRIES = 3
"""How often the lists are asked for when a mirror changed between two of the steps."""
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+%~-]{0,250}")
_SOURCES_CACHE = (
    "--mount=type=cache,id=bakestone-archive,target=/var/cache/apt/archives,sharing=locked"
)
"""apt keeps what it has downloaded there, and takes it again where its size is right: a run that
was interrupted goes on where it stopped.
"""
_OLD_HTTPS = ["apt-transport-https", "ca-certificates"]
_INDEXES = (Path(__file__).parent / "programs" / "indexes.sh").read_text("utf-8").splitlines()


@dataclass(frozen=True)
class PackageStep:
    """A build step: the packages of one base and platform.

    `text` is its Dockerfile, but for the moment that makes it new.
    """

    ref: str
    platform: str
    text: str
    sets: tuple[Packages, ...]


def steps(wanted: WantedParts, lock: Lock) -> list[PackageStep]:
    """The build steps that fetch the packages of a selection.

    Pure. Raises `BakestoneError` when the lock lacks a set.
    """
    grouped: dict[tuple[str, str], list[Packages]] = {}
    for packages in wanted.packages:
        grouped.setdefault((packages.wanted.base, packages.platform), []).append(packages)
    return [
        PackageStep(ref, platform, _dockerfile(sets, lock, wanted.keyrings), tuple(sets))
        for (ref, platform), sets in sorted(grouped.items())
    ]


def key(found: Iterable[PackageStep]) -> str:
    """What stands for how packages were asked for, and for whom: equal keys, equal packages."""
    parts = [f"{s.ref} {s.platform} {[p.variants for p in s.sets]} {s.text}" for s in found]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def fetch(
    steps: list[PackageStep], lock: Lock, site: Site, layout: ArchiveLayout
) -> list[ArchivedBlob]:
    """Run the steps and take in what they bring.

    Raises `BakestoneError` when apt, dnf or the engine fails.
    """
    for attempt in range(1, _TRIES + 1):
        with scratch("packages", layout.folder) as folder:
            results = _run(steps, Engine(site), folder)
            if attempt == _TRIES or _agree(results):  # else a mirror changed in between
                return taken(results, lock, site, layout)
    raise AssertionError


def taken(
    results: list[tuple[PackageStep, Path]], lock: Lock, site: Site, layout: ArchiveLayout
) -> list[ArchivedBlob]:
    """Move what the steps brought into the archive.

    Raises `BakestoneError` for sources that an archive cannot answer for.
    """
    found = []
    for step, came in results:
        entries = list(_entries(step, came, site, layout))
        if step.sets[0].manager == "apt":
            _check_sources(entries, step, lock)
        found += entries
    return found


def _dockerfile(sets: list[Packages], lock: Lock, builder: str) -> str:
    ref = sets[0].wanted.base
    if sets[0].manager == "dnf":
        return rpms.stage(lock.bases[ref].origin(ref), sets, lock.packages[ref])
    vendors = {r.name: r for packages in sets for r in packages.wanted.repositories}
    texts = apt.first_stages(lock.bases[builder].origin(builder) if vendors else "", vendors)
    origin, last = lock.bases[ref].origin(ref), "FROM scratch\n"
    for number, packages in enumerate(sets):
        texts.append(f"FROM {origin} AS set{number}\n{_script(number, packages, lock)}")
        last += f"COPY --from=set{number} /out/ /\n"
    return "\n".join([*texts, last])


def _script(number: int, packages: Packages, lock: Lock) -> str:
    begin = [
        *apt.BEGIN,
        f"mkdir -p /out/debs /out/{number}/lists /tmp/none/partial",
        f"touch /out/{number}/uris",
    ]

    def download(names: list[str]) -> list[str]:
        words = f"--no-install-recommends {' '.join(names)}"
        apart = "-o Dir::Cache::Archives=/tmp/none"
        return [
            "apt update",
            f"apt {apart} install --print-uris -qq {words} >> /out/{number}/uris",
            f"apt install --download-only --yes {words}",
        ]

    def act(names: list[str]) -> list[str]:
        targets = "apt indextargets --format '$(FILENAME)|$(URI)|$(METAKEY)'"
        after = [f"{targets} > /out/{number}/targets", f"out=/out/{number}"]
        return [*download(names), *after, *_INDEXES]

    if any("https://" in r.line for r in packages.wanted.repositories):
        # the Dockerfile installs this first where apt cannot speak https by itself
        early = [f"  {line}" for line in download(_OLD_HTTPS)]
        begin += ["if [ ! -e /usr/lib/apt/methods/https ]; then", *early, "fi"]
    locked = lock.packages[packages.wanted.base]
    steps = apt.Steps(begin, act, [])
    text = apt.script(packages.wanted, locked, (packages.platform,), steps)
    return text.replace("RUN ", f"RUN {_SOURCES_CACHE} ", 1)


def _run(steps: list[PackageStep], engine: Engine, folder: Path) -> list[tuple[PackageStep, Path]]:
    """Run the steps in one build; gives each with the folder of what it brought."""
    named = {f"packages{number}": step for number, step in enumerate(steps)}
    # asked anew each time, never answered from the cache: the lists are of one moment
    moment = f"# {datetime.now(UTC).isoformat()}\nmkdir -p /out/debs"
    builds = {
        name: BuildQuestion(step.text.replace("mkdir -p /out/debs", moment), step.platform)
        for name, step in named.items()
    }
    state = put(engine, builds, folder)
    if state is None:
        return [(step, folder / name) for name, step in named.items()]
    why = unanswered(state)
    if gone := sorted({*apt.unknown(why.log), *dnf.unknown(why.log)}):
        names = f"{', '.join(gone[:5])}{' and others' if len(gone) > 5 else ''}"
        hint = "`bakestone lock --update` takes what it has now; or name a mirror that keeps old"
        hint += " versions"
        raise fail(f"the package archive no longer has {names}", hint, name="packages")
    reason = why.reason(lambda log: apt.reasons(log) or dnf.reasons(log))
    hint = "can the base image and its package archive be reached from a build?"
    raise fail(f"the packages cannot be fetched: {reason}", hint, name="packages", code=ENVIRONMENT)


def _agree(results: list[tuple[PackageStep, Path]]) -> bool:
    """Whether one URL of an index gave the same bytes to all steps."""
    known: dict[str, str] = {}
    lists = ((url, path) for step, came in results for url, path, _ in _lists(step, came))
    digests = ((url, hash_of(path)[0]) for url, path in lists)
    return all(known.setdefault(url, digest) == digest for url, digest in digests)


def _lists(step: PackageStep, came: Path) -> Iterator[tuple[str, Path, Packages]]:
    for number, packages in enumerate(step.sets):
        folder = came / str(number)
        for name, url in _named(folder / "index", name=0, url=1):
            yield url, folder / "lists" / name, packages


def _entries(
    step: PackageStep, came: Path, site: Site, layout: ArchiveLayout
) -> Iterator[ArchivedBlob]:
    for url, path, packages in _lists(step, came):
        digest, size = layout.adopt(path)
        yield ArchivedBlob(INDEX, canonical(url, site), digest, size, variants=packages.variants)
    known: dict[str, tuple[str, int]] = {}
    for number, packages in enumerate(step.sets):
        for name, url in _named(came / str(number) / "uris", name=1, url=0):
            if name not in known:
                known[name] = layout.adopt(came / "debs" / name)
            address = canonical(url, site)
            yield ArchivedBlob(PACKAGE, address, *known[name], variants=packages.variants)


def _named(path: Path, *, name: int, url: int) -> Iterator[tuple[str, str]]:
    """The file name and the URL, which are these words, of each line of a list that was written
    inside a base image, by whatever is there.

    Raises `BakestoneError` when it is no such list.
    """
    try:
        with open_regular(path) as stream:
            lines = stream.read(MAX_TEXT).decode().splitlines()
    except (OSError, ValueError) as problem:
        raise _strange(f"its list {path.name} cannot be read") from problem
    for words in (line.split(" ") for line in lines):
        if len(words) < 2:
            raise _strange(f"its list {path.name} has a line of one word")
        filename, address = words[name], words[url].strip("'")
        if not _FILENAME.fullmatch(filename):
            raise _strange(f"it names the file {filename[:80]!r}")
        if not is_name(PACKAGE, address):
            raise _strange(f"it names the address {address[:80]!r}")
        yield filename, address


def _strange(reason: str) -> Exception:
    why = f"what came out of the base image cannot be used: {reason}"
    hint = "is it the image that the distro publishes?"
    return fail(why, hint, name="packages", code=ENVIRONMENT)


def canonical(url: str, site: Site) -> str:
    """The URL outside of what apt fetched from one of the site's mirrors."""
    mirrors = sorted(site.urls.items(), key=lambda pair: -len(pair[1]))
    return next((here + url[len(there) :] for here, there in mirrors if url.startswith(there)), url)


def _check_sources(entries: list[ArchivedBlob], step: PackageStep, lock: Lock) -> None:
    """Refuse a base whose own sources are https: its apt would speak TLS through the archive's
    proxy, with nobody at the other end.
    """
    vendors = {r for packages in step.sets for r in packages.wanted.repositories}
    listed = [r.line.split()[0].rstrip("/") + "/" for r in vendors]
    if lock.packages[step.ref].pins == "snapshot":
        listed.append("https://snapshot.")
    https = (e.name for e in entries if e.kind == INDEX and e.name.startswith("https://"))
    alien = sorted(name for name in https if not name.startswith(tuple(listed)))
    if alien:
        raise fail(
            "the base image's own package source is https, which an archive cannot answer for:"
            f" {alien[0]}",
            "use a base whose sources are http (apt checks signatures all the same), or pin its"
            " packages by `snapshot`",
            name="packages",
        )
