"""What went wrong in a build, in a person's words: whose fault, what was expected, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bakestone.clients.engine import policy
from bakestone.clients.engine.events import Failure, State, lost_client
from bakestone.clients.site.site import Site
from bakestone.core.render.plan import PlannedVariant
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding
from bakestone.jobs.publish.order import hit_by

LOG_TAIL = 15
"""Lines of a failed step's log that are shown."""
WHY = 200
"""Characters of a reason that has to do with one line."""

_COMMAND = re.compile(r'process ".*" did not complete successfully: exit code: (\d+)', re.DOTALL)
_INVENTORY = "bakestone: inventory: "
_CONTRACT = "bakestone: contract: "
"""How the gate's scripts begin what they find."""
_METADATA = "load metadata for "
"""How BuildKit names the step that asks a registry for a base image."""
_REGISTRY = re.compile(
    r"failed to push|unauthorized|authorization failed|no basic auth|Cannot connect"
)
_NETWORK = re.compile(
    r"connection refused|no such host|i/o timeout|network is unreachable|TLS handshake timeout"
    r"|unexpected EOF|connection reset by peer|broken pipe"
)
_NETWORK_LOG = re.compile(
    r"Read timed out|Connection (?:reset by peer|timed out|refused)|Temporary failure"
    r"|IncompleteRead"
)
"""What apt and pip write in a step's log when the network fails them."""
_NETWORK_WORD = re.compile(f"{_NETWORK.pattern}|{_NETWORK_LOG.pattern}")
_ALTERED = re.compile(r"digest mismatch|unexpected commit digest")
"""What BuildKit says of a file, and of a blob of a base image, that is not what was asked for."""
_ALTERED_LOG = re.compile(r"DO NOT MATCH THE HASHES|Hash Sum mismatch|but checksum doesn't match")
"""What pip, apt and dnf write then."""
_OURS = re.compile(
    rf"did not complete successfully: exit code|{_ALTERED.pattern}|invalid response status"
    r"|failed to resolve source metadata"
)
"""Errors that another try would not change.

Others are the engine's own: measured, two merges at once that take each
other's snapshot ("failed to commit ...: snapshot ... does not exist"), and "no such job"
(buildx#3810)."""
_LOST = re.compile(r"failed to (?:commit|stat|prepare) .*snapshot .*not (?:exist|found)", re.DOTALL)
"""BuildKit's words for a snapshot that it removed while a record still named it: measured when a
cache was cleared right after a build that failed.
"""
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_BUSY = re.compile(r"\b429\b|toomanyrequests|too many requests", re.IGNORECASE)
_LOCKED = re.compile(
    r"pull access denied|insufficient_scope|may require authorization|failed to authorize"
    r"|authorization failed|unauthorized|no basic auth|\b40[13] (?:Unauthorized|Forbidden)",
    re.IGNORECASE,
)
"""What registries and BuildKit say of an image behind a login."""
_ABSENT = re.compile(r"@sha256:[0-9a-f]{64}: not found|manifest[ _]unknown", re.IGNORECASE)
_REFUSED = re.compile(
    r"invalid response status 40[13]\b|40[13] Error|\b40[13] +(?:Unauthorized|Forbidden)"
)
"""What BuildKit, pip and apt say of a server that does not let them in."""
_NO_INDEX = re.compile(
    r"failed to push.*(?:\b40[056]\b|\b415\b|\b422\b|manifest[ _]invalid|unsupported)", re.DOTALL
)
"""What BuildKit says of a registry that takes no index of images."""
_PASSING = re.compile(r"\b50[0234] [A-Z]")
"""A server's answers that may be others the next time."""
_LEFT = re.compile(r"Unable to locate package|Version '.*' for '.*' was not found")
_UNTRUSTED = re.compile(
    r"certificate (?:signed by unknown authority|is NOT trusted|verify failed)"
    r"|CERTIFICATE_VERIFY_FAILED"
)
_DENIED = re.compile(
    r'(?:target (?P<target>\S+): )?failed to solve: .*?source "(?P<source>[^"]+)" denied by policy'
)


@dataclass(frozen=True)
class FailedVariant:
    """A variant that could not be built.

    `environment` tells that engine or network are to blame; `heals` that another try may go well.
    `line` is the line of a log that says why, when there is one.
    """

    finding: Finding
    environment: bool
    heals: bool = False
    line: str = ""

    @property
    def why(self) -> str:
        """The stage and the reason in one line."""
        said = one_line(self.finding)
        return f"{said}: {self.line}"[:WHY] if self.line else said


class VariantError(Exception):
    """What is the matter with one variant alone: the others go on."""

    def __init__(self, failed: FailedVariant) -> None:
        super().__init__(failed.finding.message)
        self.failed = failed


class StoppedError(BakestoneError):
    """A call of the builder that ended, with no variant to blame; `heals` as in `FailedVariant`."""

    def __init__(self, message: str, hint: str, *, heals: bool) -> None:
        super().__init__([Finding(message, hint)], ENVIRONMENT)
        self.heals = heals


def one_line(finding: Finding) -> str:
    """What a finding says, for a place that has one line."""
    return finding.message.partition("\n")[0][:WHY]


_LASTS, _HEALS, _IS_OURS = (True, False), (True, True), (False, False)
"""`environment` and `heals` of a `FailedVariant`."""


@dataclass(frozen=True)
class _Cause:
    """A cause: whether it is that, what to do, whose fault (None: as BuildKit's words say)."""

    applies: Callable[[Failure], object]
    hint: str
    fault: tuple[bool, bool] | None = None


def explain(
    state: State, remaining: Sequence[PlannedVariant], site: Site
) -> dict[str, FailedVariant]:
    """Variant name -> what happened, for those that failed and those that would fail in the same
    stage.

    Empty when no variant's step is to blame. Raises `StoppedError` when a registry refuses a push
    or cannot be reached, or when a disk is full.
    """
    _raise_when_full(state)
    failed = _denied(state, remaining, site)
    for failure in state.failures():
        if not failure.stage and not _is_base(failure) and _REGISTRY.search(failure.error):
            continue  # a push
        for variant in _hit(failure, remaining):
            failed.setdefault(variant.name, _failed(variant, failure, site))
    reason = _reason(state)
    network = bool(_NETWORK.search(reason))
    if not failed and (network or _REGISTRY.search(reason)):
        heals = network or bool(_PASSING.search(reason))
        hint = "is the registry up, and are you logged in to it?"
        if _BUSY.search(reason):
            hint = "the registry limits its clients: wait, or log in with `docker login`"
        elif _NO_INDEX.search(reason):
            hint = "a registry that takes no index of images takes those of `--no-attest`"
        raise StoppedError(f"the build stopped: {reason}", hint, heals=heals)
    return failed


def stopped(state: State) -> StoppedError:
    """The error of a build that ended without any variant's step to blame."""
    hint = "see the engine's log; run it again to go on where it stopped"
    return StoppedError(f"the build stopped: {_reason(state)}", hint, heals=True)


def _raise_when_full(state: State) -> None:
    """Another try would not help, and other variants would fail as well."""
    said = [text for f in state.failures() for text in (f.error, *f.log[-LOG_TAIL:])]
    full = next(filter(_FULL.search, (*said, *state.output)), None)
    if full is not None:
        hint = (
            "make room for the engine, and below TMPDIR where images are exported (one at a"
            " time); run it again to go on"
        )
        raise StoppedError(f"the disk is full: {full[-300:].strip()}", hint, heals=False)


def _hit(failure: Failure, remaining: Sequence[PlannedVariant]) -> list[PlannedVariant]:
    """Whom a failure stops: those that have the stage, or the base image."""
    ref = failure.instruction.partition(_METADATA)[2].strip()
    if hit := [v for v in remaining if ref and f"FROM {ref}" in v.dockerfile]:
        return hit
    first = next((v for v in remaining if v.target == failure.target), None)
    return hit_by(failure.stage, first, remaining) if first else []


def _is_base(failure: Failure) -> bool:
    return _METADATA in failure.instruction


def _denied(
    state: State, remaining: Sequence[PlannedVariant], site: Site
) -> dict[str, FailedVariant]:
    """The variant whose Dockerfile wants a source that the lock does not hold. buildx names the
    target, if it has several.
    """
    failed = {}
    for found in filter(None, map(_DENIED.search, state.output)):
        names = policy.names(site, found["source"])
        for variant in remaining:
            alone = found["target"] is None and len(remaining) == 1
            if alone or found["target"] == variant.target:
                source = next((name for name in names if name in variant.dockerfile), names[0])
                hint = (
                    "only locked sources are allowed here (`only_locked`): take it out of the"
                    " template, or add it to the component's data and lock"
                )
                said = f"the source {source} is not in the lock"
                failed[variant.name] = FailedVariant(Finding(said, hint, name=variant.title), False)
    return failed


def _reason(state: State) -> str:
    errors = [f.error for f in state.failures()]
    known = [error for error in errors if not lost_client(error)]
    lines = [line for line in state.output if "ERROR" in line]
    said = known or lines or [*errors, *state.output[-1:]] or ["buildx gave no reason"]
    return said[-1][:600]


def _failed(variant: PlannedVariant, failure: Failure, site: Site) -> FailedVariant:
    tail = "".join(f"\n    | {line}" for line in failure.log[-LOG_TAIL:])
    if wrong := _told(_INVENTORY, failure):
        hint = "nothing was pushed; correct the version in images.yaml or the component's data"
        said = f"the image is not what its name says:{wrong}"
        return FailedVariant(Finding(said, hint, name=variant.title), False)
    if wrong := _told(_CONTRACT, failure):
        hint = (
            "nothing was pushed; docs/consumers.md has what every image keeps to, and"
            " programs/contract.sh of a component what is asked of it"
        )
        said = f"the image does not work for every user:{wrong}{tail}"
        return FailedVariant(Finding(said, hint, name=variant.title), False)
    reason = _COMMAND.sub(r"exit code \1", failure.error).strip()[:600]
    message = f"the stage {failure.stage or 'sources'} failed: {reason}{tail}"
    cause = next(cause for cause in _CAUSES if cause.applies(failure))
    theirs = _is_network(failure) or not _OURS.search(failure.error)
    environment, heals = cause.fault or (theirs, theirs)
    hint = cause.hint
    if _is_altered(failure) and failure.instruction.startswith("ADD ") and site.credentials:
        hint += (
            "; or the server refused the login, whose answer BuildKit takes for the file:"
            " `credentials` in the site file"
        )
    line = next(filter(_NETWORK_WORD.search, reversed(failure.log)), "").strip()
    return FailedVariant(Finding(message, hint, name=variant.title), environment, heals, line)


def _told(begin: str, failure: Failure) -> str:
    """The lines of a step's log that begin so, without that, each below the other."""
    found = (line.removeprefix(begin) for line in failure.log if line.startswith(begin))
    return "".join(f"\n    {line}" for line in found)


def _is_altered(failure: Failure) -> bool:
    return _either(failure, _ALTERED, _ALTERED_LOG)


def _is_network(failure: Failure) -> bool:
    return not _is_altered(failure) and _either(failure, _NETWORK, _NETWORK_LOG)


def _either(failure: Failure, error: re.Pattern[str], log: re.Pattern[str]) -> bool:
    return bool(error.search(failure.error)) or any(map(log.search, failure.log))


def _text(failure: Failure) -> str:
    return "\n".join((failure.error, *failure.log))


_CAUSES = (
    _Cause(
        _is_altered,
        "what was fetched does not have the checksum in the lock: the file or its mirror was"
        " altered, or an error page came in its place",
    ),
    _Cause(
        lambda f: _LEFT.search(_text(f)),
        "an exact version has left the archive: `bakestone lock --update`, then `bakestone"
        " generate`",
    ),
    _Cause(
        lambda f: "exec format error" in _text(f),
        "the engine cannot run programs of that platform: `scripts/engine emulate`, or a builder"
        " that has a node of it (`builder` in the site file)",
        _LASTS,
    ),
    _Cause(
        lambda f: "did not complete successfully: exit code: 137" in f.error,
        "the step was killed, as the system does when memory runs out: give the engine more, or"
        " build fewer variants in one call (`--jobs 1`)",
        _LASTS,
    ),
    _Cause(
        lambda f: _LOST.search(f.error),
        "the builder lost a part of its own cache: restart it, or clear what it keeps with `docker"
        " builder prune --all`",
        _HEALS,
    ),
    _Cause(
        lambda f: _BUSY.search(_text(f)),
        "its server limits its clients: wait, log in to it (`docker login` for a base image), or"
        " name a mirror under `mirrors` in the site file",
        _HEALS,
    ),
    _Cause(
        lambda f: _is_base(f) and _LOCKED.search(f.error),
        "the base image is behind a login: `docker login` to its registry, or a mirror of it under"
        " `mirrors.registries` in the site file",
        _LASTS,
    ),
    _Cause(
        lambda f: _REFUSED.search(_text(f)),
        "the server does not let us in: `credentials` in the site file, and what the account"
        " may read",
    ),
    _Cause(
        lambda f: _UNTRUSTED.search(_text(f)),
        "a certificate is not trusted: `ca` in the site file for build steps; for ADD and FROM"
        " the engine's own settings (docs/site.md)",
    ),
    _Cause(
        _is_network,
        "its server cannot be reached from the engine, or broke off; a mirror can be set under"
        " `mirrors` in the site file",
    ),
    _Cause(
        lambda f: _ABSENT.search(f.error) or (_is_base(f) and "not found" in f.error),
        "the base image is not where the lock says: it was removed, or its mirror does not have it;"
        " a mirror can be set under `mirrors` in the site file",
        _IS_OURS,
    ),
    _Cause(
        lambda f: "failed to resolve source metadata" in _text(f) or "not found" in f.error,
        "the base image or file is not where the lock says; a mirror can be set under `mirrors`"
        " in the site file",
    ),
    _Cause(lambda _: True, ""),
)
"""The known causes, of which the first that applies is named; the last one is any other."""
