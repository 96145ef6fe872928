"""`bakestone archive create`: bring all that a selection needs into one layout.

What is there and right is not fetched again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bakestone.clients.http import download
from bakestone.clients.http.download import MAX_SIZE, Limits
from bakestone.clients.http.session import Session
from bakestone.clients.parallel import in_parallel
from bakestone.clients.registry.client import Registry
from bakestone.core.documents.words import Say
from bakestone.errors import BakestoneError, read_text
from bakestone.jobs.archive.catalog import INDEX, PACKAGE, WHEEL, ArchivedBlob, Catalog, merged
from bakestone.jobs.archive.collect import images, packages, wanted, wheels
from bakestone.jobs.archive.collect.wanted import WantedParts
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.project import Project

PARALLEL = 4
"""Downloads at a time."""
_MATRIX, _LOCK = 2**22, 2**26
"""Bytes of the texts that an archive was made for."""


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
    parts = wanted.of(variants, project.matrix.library, project.lock)
    layout = ArchiveLayout(folder)
    layout.prepare()
    entries = _downloads(project, parts, layout, say)
    steps = packages.steps(parts, project.lock)
    key = packages.key(steps)
    kept = _kept(layout, key)
    if kept is None and steps:
        bases = {step.ref for step in steps}
        say(f"packages: {len(parts.packages)} sets are fetched inside {len(bases)} base images")
        kept = packages.fetch(steps, project.lock, project.site, layout)
    entries += kept or []
    matrix = read_text(project.matrix_path, "the matrix", limit=_MATRIX)
    lock = read_text(project.lock_path, "the lock", limit=_LOCK)
    catalog = Catalog(tuple(selectors), matrix, lock, key, merged(entries))
    return Made(layout.seal(catalog), catalog)


def _downloads(
    project: Project, parts: WantedParts, layout: ArchiveLayout, say: Say
) -> list[ArchivedBlob]:
    """Images, files and wheels, several at a time; all failures are reported together."""
    registry = Registry(project.site)
    entries: list[ArchivedBlob] = []
    jobs: list[images.Job] = []
    for ref, users in parts.images.items():
        locked = project.lock.bases[ref]
        say(f"{ref}: {locked.digest[:19]} for {', '.join(sorted(users.platforms))}")
        there, more = images.copy(ref, locked, users, registry, layout)
        entries += there
        jobs += more
    session = Session(project.site)
    for blob in parts.blobs:
        if blob.kind == WHEEL:
            jobs.append(partial(wheels.fetch, blob, project.site, layout, say))
        else:
            jobs.append(partial(_file, blob, session, layout, say))
    problems: list[BakestoneError] = []
    for _, found in in_parallel(lambda job: job(), jobs, PARALLEL):
        if isinstance(found, BakestoneError):
            problems.append(found)
        else:
            entries.append(found)
    if problems:
        findings = [finding for problem in problems for finding in problem.findings]
        raise BakestoneError(findings, max(problem.code for problem in problems))
    return entries


def _file(wanted: ArchivedBlob, session: Session, layout: ArchiveLayout, say: Say) -> ArchivedBlob:
    url, digest = wanted.name, wanted.digest
    if digest and layout.right(digest):
        return replace(wanted, size=layout.path(digest).stat().st_size)
    say(url)
    limits, checksum = Limits(size=max(MAX_SIZE, wanted.size)), digest.removeprefix("sha256:")
    with layout.writing(digest) as stream:
        came = download.fetch(url, session, limits, checksum=checksum, keep=stream)
    return replace(wanted, digest=f"sha256:{came.sha256}", size=came.size)


def _kept(layout: ArchiveLayout, key: str) -> list[ArchivedBlob] | None:
    """The packages of an earlier run, when they were asked for alike and are all there."""
    with contextlib.suppress(BakestoneError):  # what cannot be read is made anew, and replaced
        before = layout.catalog()
        found = [entry for entry in before.entries if entry.kind in (PACKAGE, INDEX)]
        if before.packages == key and all(map(layout.right, {entry.digest for entry in found})):
            return found
    return None
