"""The command `bakestone lock`: parse, call, print."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bakestone.cli.options import (
    complete_variants,
    examples,
    format_option,
    project_of,
    project_options,
    today,
)
from bakestone.errors import INPUT, USAGE, fail, render

if TYPE_CHECKING:
    from bakestone.project import Project


def _end_of_day(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> datetime.datetime | None:
    """The last second of a day (UTC), so that what is too old on that day is told."""
    if value is None:
        return None
    try:
        day = datetime.date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a day: write 2028-06-30") from None
    return datetime.datetime.combine(day, datetime.time(23, 59, 59), datetime.UTC)


def warn(project: Project) -> None:
    """Say on standard error what is past its `max-age`; it stops nobody."""
    findings = project.aged(datetime.datetime.now(datetime.UTC))
    if findings:
        click.echo(render(findings), err=True)


@click.command(
    short_help="Resolve every name to a digest, checksum or exact version.",
    epilog=examples(
        "bakestone lock                             resolve what is missing, keep the rest",
        "bakestone lock --update                    resolve everything again",
        "bakestone lock --update debian             only Debian's bases and packages",
        "bakestone lock --update family=gpu         only what these variants need",
        "bakestone lock --check --at 2027-01-31     is it whole, and fresh enough on that day?",
        "bakestone lock family=debian --lock build/demo/images.lock.yaml",
    ),
)
@click.argument(
    "words", nargs=-1, metavar="[SELECTOR|COMPONENT|BASE]...", shell_complete=complete_variants
)
@click.option(
    "--update",
    is_flag=True,
    help="Resolve again: everything, or only what the words name; all else stays byte for byte.",
)
@click.option(
    "--check",
    is_flag=True,
    help=(
        "Resolve and write nothing: fail when the lock is stale, not pinned, or older than max-age."
    ),
)
@click.option(
    "--at",
    callback=_end_of_day,
    metavar="DATE",
    help="With --check: judge its age as at the end of that day.  [default: now]",
)
@project_options
@format_option
def lock(
    words: tuple[str, ...],
    update: bool,
    check: bool,
    at: datetime.datetime | None,
    output_format: str,
    **paths: Any,
) -> None:
    """Resolve every name to a digest, a checksum or an exact version; write the lock.

    Without --update, only what is missing is resolved, and SELECTORS say which variants a new lock
    is made for; a lock remembers them. With --update, the words say what is resolved again:
    variants (by selector), a component such as openmpi or debian@12, or a base image such as
    docker.io/library/debian:12.

    Base images are asked of their registry (or its mirror); where none answers, the present entry
    stays, or the component library's digest is taken and the lock says so. What a failed or
    interrupted run has resolved is kept beside the lock, and the next run goes on from there; the
    lock is written when all is there.
    """
    if check and (update or words):
        raise fail(
            "--check looks at the whole lock and changes nothing",
            "leave out --update and the words",
            code=USAGE,
        )
    if at and not check:
        raise fail("--at is for --check", "add --check, or leave --at out", code=USAGE)
    project, as_json = project_of(**paths), output_format == "json"
    if check:
        _check(project, at or datetime.datetime.now(datetime.UTC), as_json)
        return
    from bakestone.jobs.lock import resolve

    project.ends(today())
    report = resolve.resolve(
        project, words, update=update, say=lambda text: click.echo(text, err=True)
    )
    click.echo(
        json.dumps(asdict(report) | {"lock": str(project.lock_path)}, indent=2)
        if as_json
        else f"{project.lock_path}: {report.text}"
    )


def _check(project: Project, at: datetime.datetime, as_json: bool) -> None:
    from bakestone.core.lock import budget

    found, findings = project.check_lock(at)
    ageing = budget.entries(found)
    if as_json:
        plain = {
            "lock": str(project.lock_path),
            "at": at.isoformat(timespec="seconds"),
            "entries": budget.plain(ageing, at),
        }
        click.echo(json.dumps(plain | {"findings": [f.as_dict() for f in findings]}, indent=2))
    elif findings:
        click.echo(render(findings), err=True)
        if len(findings) > 1:
            click.echo(f"{len(findings)} errors", err=True)
    else:
        count = (
            f"{len(found.bases)} base images, {len(found.artifacts)} files, {len(found.wheels)}"
            " wheels"
        )
        click.echo(
            f"{project.lock_path}: fits images.yaml, every base is pinned ({count});"
            f" {budget.summary(ageing, at)}"
        )
    if findings:
        raise click.exceptions.Exit(INPUT)
