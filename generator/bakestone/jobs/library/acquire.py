"""Files that a team brings in: fetched, hashed, looked into, and made a component or a version."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bakestone.clients.http import download
from bakestone.clients.http.download import Limits, Tick
from bakestone.clients.http.session import Session
from bakestone.clients.site.site import Site
from bakestone.core.documents import schema
from bakestone.core.library.component import Component
from bakestone.errors import USAGE, fail
from bakestone.files import scratch
from bakestone.jobs.library import additions, overlaps, scaffold
from bakestone.jobs.library.additions import FetchedFile, filename_of
from bakestone.jobs.library.contents import Contents, checksums, contents
from bakestone.jobs.library.scaffold import About, Texts
from bakestone.jobs.library.unpacking import FileLayout

Tell = Callable[[str], Tick | None]
"""Told the name of each file as its download begins; gives what is told of its progress."""


@dataclass(frozen=True)
class Downloads:
    """Which files to fetch, and how; `sums` and `platforms` are as long as `urls`, or empty."""

    urls: tuple[str, ...]
    sums: tuple[str, ...]
    platforms: tuple[str, ...]
    limits: Limits
    site: Site
    tell: Tell

    def __post_init__(self) -> None:
        if not self.urls:
            raise fail("there is no --url", "say where the file is", code=USAGE)
        for option, given in (("--sha256", self.sums), ("--platform", self.platforms)):
            if given and len(given) != len(self.urls):
                why = f"{option} is there {len(given)} times, --url {len(self.urls)} times"
                raise fail(why, "give it once for each --url", code=USAGE)
        if len(set(self.urls)) != len(self.urls):
            raise fail("one URL is there twice", "give each file once", code=USAGE)
        for url in self.urls:
            additions.check_url(url)
        for text in self.sums:
            if not re.fullmatch("[0-9a-f]{64}", text):
                raise fail(f"--sha256 cannot be {text[:80]!r}", "64 hex digits", code=USAGE)

    def fetch(self, index: int, platform: str, keep: Path | None = None) -> FetchedFile:
        """One of the files, hashed; its bytes go to `keep`, or nowhere."""
        url, given = self.urls[index], self.sums[index] if self.sums else ""
        session, tick = Session(self.site), self.tell(filename_of(url))
        with keep.open("wb") if keep else nullcontext() as sink:
            found = download.fetch(url, session, self.limits, checksum=given, keep=sink, tick=tick)
        source, confidence = f"computed {datetime.now(UTC):%Y-%m-%d} from {url}", "low"
        if given:
            source, confidence = f"{source}, equal to the checksum that was given", "medium"
        return FetchedFile(url, found.sha256, found.size, platform, source, confidence)


@dataclass(frozen=True)
class AddedVersion:
    """A version that was written to `path`, and the files that it is made of."""

    path: Path
    component: str
    version: str
    method: str
    files: tuple[FetchedFile, ...]


@dataclass(frozen=True)
class NewComponent:
    """A component's folder, not written yet; what it was made from, and the program in that."""

    texts: Texts
    files: tuple[FetchedFile, ...]
    program: str


def add(
    component: Component,
    version: str,
    method: str,
    measures: Sequence[str],
    source: Downloads,
    folder: Path,
) -> AddedVersion:
    """Write a version that the library does not have to `folder`/NAME/versions.yaml.

    Raises `BakestoneError`; nothing is written then.
    """
    method = additions.method_for(component, method, source.urls)
    additions.check_new(component, version, method)
    measure = additions.measure(measures, version)
    platforms = additions.platforms_for(component, method, source.urls, source.platforms)
    named = [FetchedFile(u, "", 0, p, "", "") for u, p in zip(source.urls, platforms, strict=True)]
    additions.entry(component, method, named, measure)  # what is wrong is told at once
    files: list[FetchedFile] = []
    brought: dict[str, dict[str, int]] = {}
    with scratch("file") as temporary:
        for index, platform in enumerate(platforms):
            keep = temporary / "file" if method == "wheel" else None
            file = source.fetch(index, platform, keep)
            files.append(file)
            if keep:
                brought[file.filename] = checksums(keep, file.filename)
    entry = additions.entry(component, method, files, measure)
    overlaps.refuse(entry["methods"][method].get("wheels", []), brought)
    path = additions.write(folder, component, version, entry)
    return AddedVersion(path, component.name, version, method, tuple(files))


def component(about: About, version: str, program: str, source: Downloads) -> NewComponent:
    """A new component that is an archive or a program behind each URL, one a platform.

    `program` is its path below the prefix; when empty it is the file that has the component's name.
    """
    schema.check_value(version, "versions", "version", "--version")
    names = map(filename_of, source.urls)
    platforms = source.platforms or tuple(map(additions.platform_of, names))
    if len(set(platforms)) < len(platforms):
        hint = "give --url once for each platform, and --platform with each"
        raise fail("two files are for one platform", hint, code=USAGE)
    files, layouts = [], []
    with scratch("file") as temporary:
        place = temporary / "file"
        for index, platform in enumerate(platforms):
            file = source.fetch(index, platform, place)
            files.append(file)
            held = contents(place, file.filename)
            layouts.append(_layout(held, about.name, program, file.filename))
    if any(layout != layouts[0] for layout in layouts):
        each = " and ".join(f"{layout.kind} with {layout.program}" for layout in layouts)
        hint = "make the component from one of them, then write the other by hand"
        raise fail(f"the files do not lie alike: {each}", hint)
    texts = scaffold.from_files(about, version, files, layouts[0])
    return NewComponent(texts, tuple(files), layouts[0].program)


def _layout(found: Contents, name: str, program: str, filename: str) -> FileLayout:
    """Where the program is; a file that is a program by itself is put below `bin`."""
    if found.kind == "program":
        return FileLayout("program", False, program or f"bin/{name}")
    candidates = [path for path in found.programs(name) if scaffold.is_path(path)]
    if not program and not candidates:
        hint = f"say with --bin which it is; {_listed(found)}"
        raise fail(f"{filename} has no program named {name}", hint, name=filename)
    if program and program not in found.files:
        near = found.programs(program.rpartition("/")[2])
        hint = f"it has {', '.join(near[:5])}" if near else _listed(found)
        raise fail(f"{filename} has no file {program}", hint, name=filename)
    return FileLayout(found.kind, found.folder, program or candidates[0])


def _listed(found: Contents) -> str:
    executable = (path for path, may_run in found.files.items() if may_run)
    programs = sorted(filter(scaffold.is_path, executable), key=lambda p: (p.count("/"), p))
    if not programs:
        return "no file in it may be executed"
    return f"its programs: {', '.join(programs[:8])}{', ...' if len(programs) > 8 else ''}"
