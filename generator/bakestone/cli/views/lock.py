"""What `lock` prints: what was resolved, or what `--check` found."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bakestone.cli.terminal import paragraph, put_json, put_line
from bakestone.cli.views import problems
from bakestone.core.lock import budget
from bakestone.core.lock.differences import LockDifference
from bakestone.core.lock.lock import Lock
from bakestone.errors import Finding
from bakestone.jobs.lock.resolve import LockReport


def resolved(report: LockReport, path: Path, *, as_json: bool) -> None:
    """What a run did with the lock."""
    if as_json:
        put_json(asdict(report) | {"lock": str(path)})
    else:
        put_line(f"{path}: {report.text}")


def differences(found: Sequence[LockDifference], path: Path, commit: str, *, as_json: bool) -> None:
    """What changed in the lock since a commit: a line each."""
    if as_json:
        rows = [difference.as_dict() for difference in found]
        put_json({"lock": str(path), "since": commit, "differences": rows})
    elif not found:
        put_line(f"{path}: the pins are those of {commit}")
    for difference in () if as_json else found:
        put_line(difference.text)


def checked(
    lock: Lock, findings: Sequence[Finding], path: Path, at: datetime.datetime, *, as_json: bool
) -> None:
    """What is in the lock, how old it is at a time, and what is wrong with it."""
    ageing = budget.entries(lock)
    if as_json:
        entries = budget.plain(ageing, at)
        plain = {"lock": str(path), "at": at.isoformat(timespec="seconds"), "entries": entries}
        put_json(plain | {"findings": [finding.as_dict() for finding in findings]})
    elif findings:
        problems.findings(findings, as_json=False)
    else:
        bases, files, wheels = len(lock.bases), len(lock.artifacts), len(lock.wheels)
        counted = f"{bases} base images, {files} files, {wheels} wheels"
        age = budget.summary(ageing, at)
        said = f"{path}: fits images.yaml, every base is pinned ({counted}); {age}"
        put_line(paragraph(said, further="    "))
