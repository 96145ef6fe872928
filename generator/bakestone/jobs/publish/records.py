"""release.json on the disk: one writer at a time, and what others wrote is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bakestone.core.render import release
from bakestone.core.render.plan import BuildPlan
from bakestone.core.render.release import ReleasedImage, ReleaseRecord, RetiredTag
from bakestone.errors import ENVIRONMENT, fail
from bakestone.files import refused, write_text

PATIENCE = 120
"""Seconds that another run gets to write the file; it takes a fraction of one."""


@dataclass(frozen=True)
class RecordChange:
    """What became of the file; `retired` are tags that images.yaml has no more."""

    wrote: bool
    retired: tuple[RetiredTag, ...]


def read(path: Path, registry: str) -> ReleaseRecord | None:
    """The record of what is published to a registry; None when there is no file.

    Raises `BakestoneError` for a record of another registry, which would be lost.
    """
    record = release.read(path)
    if record and record.images and record.registry != registry:
        hint = "--release FILE names another file for this registry, and both are kept"
        said = f"the release is of {record.registry}, not of {registry}"
        raise fail(said, hint, name=str(path))
    return record


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other runs on this machine away from a record, for as long as it takes.

    Raises `BakestoneError` (exit 3) when another one does not let go of it.
    """
    from filelock import FileLock, Timeout

    mark = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(mark, timeout=PATIENCE):
            try:
                yield
            finally:
                mark.unlink(missing_ok=True)  # whoever waits for it takes a new one
    except Timeout as problem:
        hint = "wait until the other run has ended, then run this again"
        raise fail(f"another run holds {path}", hint, name=str(path), code=ENVIRONMENT) from problem
    except OSError as problem:
        raise refused(f"cannot write {path}", str(path), problem) from problem


def write(path: Path, plan: BuildPlan, images: Sequence[ReleasedImage]) -> RecordChange:
    """Bring published images into the record; what it has of other variants stays."""
    with alone(path):
        merged = release.merged(read(path, plan.registry), plan.registry, images, plan.known)
        retired = tuple(release.retired(merged, plan.known))
        wrote = not path.is_file() or path.read_text("utf-8") != merged.text
        if wrote:
            write_text(path, merged.text)
        return RecordChange(wrote, retired)
