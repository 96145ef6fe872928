"""`bakestone archive create`: bring all that a selection needs into one layout.

What is there and right is not fetched again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bakestone.clients.http import download
from bakestone.clients.http.download import MAX_SIZE, Limits
from bakestone.clients.http.session import Session
from bakestone.clients.registry.client import Registry
from bakestone.errors import BakestoneError, read_text
from bakestone.jobs.archive.catalog import FILE, INDEX, KEY, PACKAGE, Catalog, Entry, merged
from bakestone.jobs.archive.collect import images, packages, wheels
from bakestone.jobs.archive.collect import wanted as wants
from bakestone.jobs.archive.collect.wanted import File, Wanted
from bakestone.jobs.archive.layout import Layout
from bakestone.project import Project

Say = Callable[[str], None]
PARALLEL = 4
"""Downloads at a time."""
_MATRIX = 2**22


@dataclass(frozen=True)
class Made:
    """What became of it: the manifest's digest, and what is in the archive."""

    digest: str
    catalog: Catalog


def create(project: Project, selectors: Sequence[str], folder: Path, say: Say) -> Made:
    """Make or complete the archive of the selected variants in `folder`.

    Nothing but blobs is written before all are there, so an archive that is used meanwhile stays as
    it was. Raises `BakestoneError` with a finding for everything that could not be fetched.
    """
    variants = project.chosen(selectors)
    wanted = wants.of(variants, project.matrix.library, project.lock)
    layout = Layout(folder)
    layout.prepare()
    before = _before(layout)
    entries = _downloads(project, wanted, layout, say)
    steps = packages.steps(wanted, project.lock)
    key = packages.key(steps)
    kept = _kept(before, key, layout)
    if kept is None and steps:
        say(
            f"packages: {len(wanted.packages)} sets are fetched inside"
            f" {len({s.ref for s in steps})} base images"
        )
        kept = packages.fetch(
            steps, wanted, project.lock, project.site, layout, datetime.now(UTC).isoformat()
        )
    entries += kept or []
    catalog = Catalog(
        tuple(selectors),
        read_text(project.matrix_path, "the matrix", limit=_MATRIX),
        read_text(project.lock_path, "the lock", limit=2**26),
        key,
        merged(entries),
    )
    return Made(layout.seal(catalog), catalog)


def _downloads(project: Project, wanted: Wanted, layout: Layout, say: Say) -> list[Entry]:
    """Images, files and wheels, several at a time; all failures are reported together."""
    registry = Registry(project.site)
    entries: list[Entry] = []
    jobs: list[images.Job] = []
    for ref, users in wanted.images.items():
        say(
            f"{ref}: {project.lock.bases[ref].digest[:19]} for {', '.join(sorted(users.platforms))}"
        )
        there, more = images.copy(ref, project.lock.bases[ref], users, registry, layout)
        entries += there
        jobs += more
    session = Session(project.site)
    jobs += [_file_job(file, session, layout, say) for file in wanted.files]
    jobs += [_wheel_job(wheel, project, layout, say) for wheel in wanted.wheels]
    problems: list[BakestoneError] = []

    def run(job: images.Job) -> Entry | None:
        try:
            return job()
        except BakestoneError as problem:
            problems.append(problem)
            return None

    with ThreadPoolExecutor(PARALLEL) as pool:
        entries += [entry for entry in pool.map(run, jobs) if entry]
    if problems:
        raise BakestoneError(
            [f for problem in problems for f in problem.findings], max(p.code for p in problems)
        )
    return entries


def _file_job(file: File, session: Session, layout: Layout, say: Say) -> images.Job:
    def run() -> Entry:
        if file.sha256 and layout.right(f"sha256:{file.sha256}"):
            digest = f"sha256:{file.sha256}"
            return Entry(
                FILE, file.url, digest, layout.path(digest).stat().st_size, variants=file.variants
            )
        say(file.url)
        with layout.writing(f"sha256:{file.sha256}" if file.sha256 else "") as sink:
            limits = Limits(size=max(MAX_SIZE, file.size))
            download.fetch(file.url, session, limits, checksum=file.sha256, keep=sink)
        return Entry(
            FILE if file.sha256 else KEY, file.url, sink.digest, sink.size, variants=file.variants
        )

    return run


def _wheel_job(wheel: wants.WheelFile, project: Project, layout: Layout, say: Say) -> images.Job:
    def run() -> Entry:
        if not layout.right(f"sha256:{wheel.sha256}"):
            say(wheel.filename)
        return wheels.fetch(wheel, project.site, layout)

    return run


def _before(layout: Layout) -> Catalog | None:
    """The archive as it was, when there is a whole one."""
    if not (layout.folder / "index.json").is_file():
        return None
    try:
        return layout.catalog()
    except BakestoneError:
        return None  # it is made anew, and replaced


def _kept(before: Catalog | None, key: str, layout: Layout) -> list[Entry] | None:
    """The packages of an earlier run, when they were asked for in the same way and are all there."""
    if before is None or before.packages != key:
        return None
    found = [entry for entry in before.entries if entry.kind in (PACKAGE, INDEX)]
    if not all(layout.right(digest) for digest in {entry.digest for entry in found}):
        return None
    return found
