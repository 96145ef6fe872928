"""A project as it was at a commit: the matrix, what it reads, and the lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bakestone.clients import git
from bakestone.core.documents import yaml as yamldoc
from bakestone.errors import BakestoneError, Finding, fail
from bakestone.files import scratch
from bakestone.project import Project

_COMPONENTS = "components"
_PATH = re.compile(r"[A-Za-z0-9_@%+~.-]+(/[A-Za-z0-9_@%+~.-]+)*")
"""A text that may name a file beside images.yaml, as schemas/images.schema.json has it."""


@contextmanager
def project(now: Project, commit: str) -> Iterator[Project]:
    """The project at a commit, in a folder of its own that is gone afterwards: images.yaml, the
    files that it names, the components beside it, and the lock, if there was one.

    The site file and Bakestone's own library are those of today. Raises `BakestoneError` when git
    does not know the commit, there was no such matrix, and, as long as the folder is there, for
    what is wrong in it: places are told as COMMIT:FILE.
    """
    matrix, lock = now.matrix_path, now.lock_path
    text = git.before(matrix, commit, "COMMIT")
    if not text:
        hint = "is it the right commit, and the right file (-f FILE)?"
        raise fail(f"there was no {matrix.name} at {commit}", hint, name=f"{commit}:{matrix.name}")
    with scratch("earlier") as place:
        folder = place.resolve()
        try:
            (folder / matrix.name).write_bytes(text)
            if locked := git.before(lock, commit, "COMMIT"):
                (folder / lock.name).write_bytes(locked)
            _fetch(matrix.parent, commit, folder, matrix.name)
            yield Project(
                folder / matrix.name,
                folder / lock.name,
                folder / now.output.name,
                now.site_path,
                now.registry_override,
            )
        except BakestoneError as problem:
            told = [as_of(finding, commit, folder) for finding in problem.findings]
            raise BakestoneError(told, problem.code) from problem


def as_of(finding: Finding, commit: str, folder: Path) -> Finding:
    """A finding about the folder of an earlier project, as one about its commit."""

    def said(text: str) -> str:
        return text.replace(f"{folder}/", f"{commit}:").replace(str(folder), commit)

    where = finding.where and replace(finding.where, file=said(finding.where.file))
    return replace(
        finding,
        message=said(finding.message),
        hint=said(finding.hint),
        name=said(finding.name),
        where=where,
    )


def _fetch(origin: Path, commit: str, folder: Path, matrix: str) -> None:
    """Write what a matrix reads beside itself: links last, so that no file goes through one."""
    document = yamldoc.load(folder / matrix, "the matrix")
    names = {text for text in _texts(document.data) if _PATH.fullmatch(text)}
    names -= {".", "..", matrix}
    files = list(git.committed(origin, commit, names, [_COMPONENTS]))
    for one in sorted(files, key=lambda file: file.is_link):
        path = folder / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if one.is_link:
            path.symlink_to(one.content.decode("utf-8", "surrogateescape"))
        else:
            path.write_bytes(one.content)


def _texts(value: object) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
