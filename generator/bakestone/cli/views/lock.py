"""What `lock` prints: what was resolved, or what `--check` found."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from bakestone.cli.terminal import paragraph, put_json
from bakestone.cli.views import problems
from bakestone.core.lock import budget
from bakestone.core.lock.lock import Lock
from bakestone.errors import Finding
from bakestone.jobs.lock.resolve import LockReport


def resolved(report: LockReport, path: Path, *, as_json: bool) -> None:
    """What a run did with the lock."""
    if as_json:
        put_json(asdict(report) | {"lock": str(path)})
    else:
        click.echo(f"{path}: {report.text}")


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
        click.echo(paragraph(said, further="    "))
