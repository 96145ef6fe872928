"""Files that a team brings in: fetched, hashed, looked into, and written down as a new component or
a new version.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bakestone.clients.http import download
from bakestone.clients.http.download import Limits, Tick
from bakestone.clients.http.session import Session, readable
from bakestone.clients.site.site import Site
from bakestone.core.documents import schema
from bakestone.core.library.component import Component
from bakestone.errors import USAGE, fail
from bakestone.jobs.library import additions, scaffold
from bakestone.jobs.library.additions import File
from bakestone.jobs.library.contents import Contents, contents
from bakestone.jobs.library.scaffold import About, Texts
from bakestone.jobs.library.unpacking import Layout

Tell = Callable[[str], Tick | None]
"""Told the name of each file as its download begins; gives what is told of its progress."""


@dataclass(frozen=True)
class Source:
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
                raise fail(
                    f"{option} is there {len(given)} times, --url {len(self.urls)} times",
                    "give it once for each --url",
                    code=USAGE,
                )
        if len(set(self.urls)) != len(self.urls):
            raise fail("one URL is there twice", "give each file once", code=USAGE)
        for url in self.urls:
            additions.check_url(url)
        for text in self.sums:
            if not re.fullmatch("[0-9a-f]{64}", text):
                raise fail(f"--sha256 cannot be {text[:80]!r}", "64 hex digits", code=USAGE)

    def fetch(self, index: int, platform: str, keep: Path | None = None) -> File:
        """One of the files, hashed; its bytes go to `keep`, or nowhere."""
        url, given = self.urls[index], self.sums[index] if self.sums else ""
        session, tick = Session(self.site), self.tell(_name(url))
        if keep is None:
            found = download.fetch(url, session, self.limits, checksum=given, tick=tick)
        else:
            with keep.open("wb") as stream:
                found = download.fetch(
                    url, session, self.limits, checksum=given, keep=stream, tick=tick
                )
        source, confidence = additions.source(
            url, datetime.now(UTC).strftime("%Y-%m-%d"), given=bool(given)
        )
        return File(url, found.sha256, found.size, platform, source, confidence)


def add(
    component: Component,
    version: str,
    method: str,
    measures: Sequence[str],
    source: Source,
    folder: Path,
) -> list[str]:
    """Write a version that the library does not have to `folder`/NAME/versions.yaml.

    Gives what to tell.

    Raises `BakestoneError`; nothing is written then.
    """
    additions.check_new(component, version)
    method = additions.method_for(component, method)
    measure = additions.measure(measures)
    platforms = additions.platforms_for(component, method, source.urls, source.platforms)
    additions.entry(
        component,
        version,
        method,
        [File(u, "", 0, p, "", "") for u, p in zip(source.urls, platforms, strict=True)],
        measure,
    )
    files = [source.fetch(index, platform) for index, platform in enumerate(platforms)]
    path = additions.write(
        folder, component, version, additions.entry(component, version, method, files, measure)
    )
    return [
        *map(_told, files),
        (
            f"{path}: {component.name} {version} added, method {method}, confidence"
            f" {files[0].confidence}"
        ),
    ]


def component(about: About, version: str, program: str, source: Source) -> tuple[Texts, list[str]]:
    """The folder of a new component that is an archive or a program behind each URL, one a
    platform, and what to tell.

    `program` is its path below the prefix; when empty it is the file that has the component's name.
    """
    schema.check_value(version, "versions", "version", "--version")
    platforms = source.platforms or tuple(additions.platform_of(_name(url)) for url in source.urls)
    if len(set(platforms)) < len(platforms):
        raise fail(
            "two files are for one platform",
            "give --url once for each platform, and --platform with each",
            code=USAGE,
        )
    files, layouts = [], []
    with tempfile.TemporaryDirectory(prefix="bakestone-") as temporary:
        for index, platform in enumerate(platforms):
            place = Path(temporary) / "file"
            files.append(source.fetch(index, platform, place))
            layouts.append(
                _layout(
                    contents(place, files[-1].filename), about.name, program, files[-1].filename
                )
            )
    if any(layout != layouts[0] for layout in layouts):
        raise fail(
            "the files do not lie alike:"
            f" {' and '.join(f'{x.kind} with {x.program}' for x in layouts)}",
            "make the component from one of them, then write the other by hand",
        )
    return scaffold.from_files(about, version, files, layouts[0]), [
        *map(_told, files),
        f"program: {layouts[0].program}",
    ]


def _layout(found: Contents, name: str, program: str, filename: str) -> Layout:
    """Where the program is; a file that is a program by itself is put below `bin`."""
    if found.kind == "program":
        return Layout("program", False, program or f"bin/{name}")
    if program:
        if program not in found.files:
            near = found.programs(program.rpartition("/")[2])
            raise fail(
                f"{filename} has no file {program}",
                f"it has {', '.join(near[:5])}" if near else _listed(found),
                name=filename,
            )
        return Layout(found.kind, found.folder, program)
    candidates = [path for path in found.programs(name) if scaffold.is_path(path)]
    if not candidates:
        raise fail(
            f"{filename} has no program named {name}",
            f"say with --bin which it is; {_listed(found)}",
            name=filename,
        )
    return Layout(found.kind, found.folder, candidates[0])


def _listed(found: Contents) -> str:
    programs = sorted(
        (p for p, executable in found.files.items() if executable and scaffold.is_path(p)),
        key=lambda p: (p.count("/"), p),
    )
    return (
        f"its programs: {', '.join(programs[:8])}{', ...' if len(programs) > 8 else ''}"
        if programs
        else "no file in it may be executed"
    )


def _told(file: File) -> str:
    platform = f", {file.platform}" if file.platform else ""
    return f"{file.filename}: {readable(file.size)}{platform}, sha256 {file.sha256}"


def _name(url: str) -> str:
    return url.rpartition("/")[2]
