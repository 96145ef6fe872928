"""Pins, held and fresh: `lock`, `outdated`, `bump`, `doctor`. Parse, call, print."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakestone.cli import options, terminal
from bakestone.cli.options import command, flag, option, several
from bakestone.errors import ENVIRONMENT, INPUT, USAGE, fail
from bakestone.jobs.doctor.report import KINDS as CHECKS

if TYPE_CHECKING:
    from bakestone.project import Project

KINDS = ("base", "version", "package", "security", "snapshot")
"""What `outdated` tells of."""


def warn(project: Project) -> None:
    """Say on standard error what is past its `max-age`; it stops nobody."""
    terminal.warn(project.aged(datetime.datetime.now(datetime.UTC)))


def _end_of_day(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> datetime.datetime | None:
    """The last second of a day (UTC), so that what is too old on that day is told."""
    if value is None:
        return None
    return datetime.datetime.combine(options.day(value), datetime.time(23, 59, 59), datetime.UTC)


@command(
    "Resolve every name to a digest, checksum or exact version.",
    "bakestone lock                             resolve what is missing, keep the rest",
    "bakestone lock --update                    resolve everything again",
    "bakestone lock --update debian             only Debian's bases and packages",
    "bakestone lock --update family=gpu         only what these variants need",
    "bakestone lock --check --at 2027-01-31     is it whole, and fresh enough on that day?",
    "bakestone lock --verify                    is each entry what the world says?",
    "bakestone lock --diff origin/main          what a pull request changes in it",
    "bakestone lock family=debian --lock build/demo/images.lock.yaml",
)
@click.argument(
    "words",
    nargs=-1,
    metavar="[SELECTOR|COMPONENT|BASE]...",
    shell_complete=options.complete_variants,
)
@flag(
    "--update",
    "Resolve again: everything, or only what the words name; all else stays byte for byte.",
)
@flag(
    "--check",
    "Resolve and write nothing: fail when the lock is stale, not pinned, or older than max-age.",
)
@flag(
    "--verify",
    "Resolve and write nothing: ask registries, indexes and archives whether each entry is so.",
)
@option(
    "--diff",
    "Resolve and write nothing: what changed since the lock at a commit, in words.",
    metavar="COMMIT",
    default=None,
)
@option(
    "--at",
    "With --check: judge its age as at the end of that day.  [default: now]",
    callback=_end_of_day,
    metavar="DATE",
)
@options.project
@options.as_json
def lock(
    words: tuple[str, ...],
    update: bool,
    check: bool,
    verify: bool,
    diff: str | None,
    at: datetime.datetime | None,
    as_json: bool,
    project: Project,
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
    from bakestone.cli.views import lock as lock_view
    from bakestone.jobs.lock import compare, resolve

    looks = {"--check": check, "--verify": verify, "--diff": diff is not None}
    named = [name for name, given in looks.items() if given]
    if len(named) > 1:
        raise fail(f"{' and '.join(named)} are two questions", "ask one at a time", code=USAGE)
    if named and (update or words):
        hint = "leave out --update and the words"
        raise fail(f"{named[0]} looks at the whole lock and changes nothing", hint, code=USAGE)
    if at and not check:
        raise fail("--at is for --check", "add --check, or leave --at out", code=USAGE)
    if verify:
        _verify(project, as_json=as_json)
        return
    if diff is not None:
        found = compare.since(project, diff)
        lock_view.differences(found, project.lock_path, diff, as_json=as_json)
        return
    if not check:
        project.ends(options.today())
        report = resolve.resolve(project, words, update=update, say=terminal.say)
        lock_view.resolved(report, project.lock_path, as_json=as_json)
        return
    at = at or datetime.datetime.now(datetime.UTC)
    present, findings = project.check_lock(at)
    lock_view.checked(present, findings, project.lock_path, at, as_json=as_json)
    if findings:
        raise click.exceptions.Exit(INPUT)


def _verify(project: Project, *, as_json: bool) -> None:
    """Ask the world what the lock says of it: what `doctor` asks of pins, and of all of them."""
    from bakestone.cli.views.bars import checks
    from bakestone.cli.views.doctor import report as show
    from bakestone.clients.engine.buildx import Engine
    from bakestone.jobs.doctor import examine
    from bakestone.jobs.doctor.report import PINS

    skip = frozenset(CHECKS) - frozenset(PINS)
    world = examine.World(Engine(project.site))
    with checks() as watch:
        found = examine.examine(project, (), examine.DoctorOptions(skip=skip), world, watch)
    code = found.code(offline_ok=False)
    show(found, as_json=as_json, code=code)
    if code:
        raise click.exceptions.Exit(code)


@command(
    "Show what is newer than the pins.",
    "bakestone outdated",
    "bakestone outdated family=debian --no-packages",
    "bakestone outdated --only security --exit-code     fail where a security update waits",
)
@options.selectors
@several(
    "--only kinds",
    "KIND",
    f"Only this kind, several times: {', '.join(KINDS)}.",
    type=click.Choice(KINDS),
)
@flag(
    "--all everything",
    "Also packages without a security update, and families that ignore end of life.",
)
@option(
    "--packages/--no-packages",
    "Ask the package managers inside the bases, through the engine.",
    default=True,
)
@flag(
    "--exit-code", "End with 1 when something is newer, with 3 when something could not be asked."
)
@options.at
@options.project
@options.as_json
def outdated(
    selectors: tuple[str, ...],
    kinds: tuple[str, ...],
    everything: bool,
    packages: bool,
    exit_code: bool,
    at: datetime.date,
    as_json: bool,
    project: Project,
) -> None:
    """Show what is newer than the pins of the variants that SELECTORS name, and the command that
    moves each.

    Base images are asked of their registry (or its mirror), versions of the component library, and
    packages of apt or dnf inside the locked bases. What cannot be asked is told, and hides nothing
    else.
    """
    from bakestone.cli.views import freshness
    from bakestone.jobs.freshness.outdated import OutdatedOptions, ask

    wanted = frozenset(kinds or KINDS) - (frozenset() if packages else {"package", "security"})
    if not wanted:
        hint = "leave out one of the two"
        raise fail("--no-packages leaves nothing of --only", hint, name="--only", code=USAGE)
    asked = OutdatedOptions(wanted, at, everything)
    say = (lambda _text: None) if as_json else terminal.say
    report = ask(project, selectors, asked, say)
    shown = everything or "package" in kinds
    freshness.report(report, at, everything=shown, as_json=as_json)
    if exit_code and (report.rows or report.unasked):
        raise click.exceptions.Exit(INPUT if report.rows else ENVIRONMENT)


def _beside(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """COMPONENT@VERSION taken apart."""
    parts = []
    for value in values:
        name, _, version = value.partition("@")
        if not name or not version:
            raise click.BadParameter(f"{value!r} is not COMPONENT@VERSION, such as cudnn@9.8.0.87")
        parts.append((name, version))
    return tuple(parts)


@command(
    "Change the version of a component in images.yaml.",
    "bakestone bump cuda 12.8.1 --from 12.4.1",
    "bakestone bump cuda 13.0.0 --together                 cuDNN and NCCL along with it",
    "bakestone bump cuda 13.0.2 --with cudnn@9.14.0.64     these ones",
    "bakestone bump openmpi --family debian --dry-run      the newest that passes",
)
@click.argument("component", shell_complete=options.complete_components)
@click.argument("version", default="")
@option("--from old", "The version to replace, where images.yaml has several.", metavar="VERSION")
@several("--family families", "NAME", "Only in this family; several times for several.")
@flag(
    "--together",
    "Where the rules ask for it, also change what stands beside it, to the nearest that passes.",
)
@several(
    "--with beside",
    "COMPONENT@VERSION",
    "Change this along with it, where it stands beside it.",
    callback=_beside,
)
@flag("--dry-run", "Show the difference, write nothing.")
@options.at
@options.matrix
@options.as_json
def bump(
    component: str,
    version: str,
    old: str,
    families: tuple[str, ...],
    together: bool,
    beside: tuple[tuple[str, str], ...],
    dry_run: bool,
    at: datetime.date,
    matrix_path: Path,
    as_json: bool,
) -> None:
    """Write VERSION of COMPONENT into images.yaml, wherever the old one stands; without VERSION,
    the newest that passes.

    Comments, layout, quotes and line ends stay. Axes and includes are changed, and excludes that
    name the old version itself. Nothing is written unless the new file passes the schema and every
    rule.
    """
    from bakestone.cli.views import freshness
    from bakestone.core.documents import edits
    from bakestone.jobs.freshness.bump import BumpWish, plan

    if beside and not version:
        hint = "bakestone bump cuda 13.0.2 --with cudnn@9.14.0.64"
        raise fail("--with needs the VERSION that it goes with", hint, name="VERSION", code=USAGE)
    hint = "give the file with -f FILE, or run bakestone where images.yaml is"
    source = edits.read(matrix_path, "the matrix", hint=hint)
    wish = BumpWish(component, version, old, families, together, beside)
    made = plan(source.text, matrix_path, options.library_beside(matrix_path), wish, at)
    written = made.text != source.text and not dry_run
    if written:
        edits.replace(source, made.text)
    freshness.bumped(made, source.text, matrix_path, written=written, as_json=as_json)


@command(
    "Is everything that is pinned still there, and can this machine build?",
    "bakestone doctor",
    "bakestone doctor family=debian --format json",
    "bakestone doctor --skip registry --skip engine       the pins only, from a machine that does"
    " not build",
    "bakestone doctor --deep                              download and hash every file",
)
@options.selectors
@flag("--deep", "Download every file and wheel and compare its checksum.")
@flag("--offline-ok", "What cannot be asked from here does not count for the exit code.")
@several("--skip", "KIND", f"Do not look at these: {', '.join(CHECKS)}.", type=click.Choice(CHECKS))
@option(
    "--max-time", "Seconds for all checks together.", type=click.FloatRange(1, 86400), default=900
)
@options.project
@options.as_json
def doctor(
    selectors: tuple[str, ...],
    deep: bool,
    offline_ok: bool,
    skip: tuple[str, ...],
    max_time: float,
    as_json: bool,
    project: Project,
) -> None:
    """Look at everything that the lock names, for the variants that SELECTORS name, and at this
    machine.

    Tells which variants would not build today, why, and what to do. Exit 0: all is well; 1:
    something that is pinned is broken; 3: the environment is at fault, or something could not be
    asked from here.
    """
    from bakestone.cli.views.bars import checks
    from bakestone.cli.views.doctor import report as show
    from bakestone.clients.engine.buildx import Engine
    from bakestone.jobs.doctor import examine

    asked = examine.DoctorOptions(deep=deep, skip=frozenset(skip), max_time=max_time)
    world = examine.World(Engine(project.site))
    with checks() as watch:
        found = examine.examine(project, selectors, asked, world, watch)
    code = found.code(offline_ok=offline_ok)
    show(found, as_json=as_json, code=code)
    if code:
        raise click.exceptions.Exit(code)


COMMANDS = (bump, doctor, lock, outdated)
