"""What went wrong in a build, in a person's words: whose fault, expected and measured, what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bakestone.clients.engine import policy
from bakestone.clients.engine.events import Failure, State
from bakestone.core.matrix.variant import Variant
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, fail
from bakestone.jobs.publish.order import hit_by
from bakestone.project import Project

LOG_TAIL = 15
"""Lines of a failed step's log that are shown."""

_COMMAND = re.compile(r'process ".*" did not complete successfully: exit code: (\d+)', re.DOTALL)
_INVENTORY = "bakestone: inventory: "
_REGISTRY = (
    "failed to push",
    "unauthorized",
    "authorization failed",
    "no basic auth",
    "Cannot connect",
)
_NETWORK = (
    "connection refused",
    "no such host",
    "i/o timeout",
    "network is unreachable",
    "TLS handshake timeout",
    "unexpected EOF",
)
_ALTERED = ("digest mismatch", "unexpected commit digest")
"""What BuildKit says of a file, and of a blob of a base image, that is not what was asked for."""
_ALTERED_LOG = ("DO NOT MATCH THE HASHES", "Hash Sum mismatch", "but checksum doesn't match")
"""What pip, apt and dnf write then."""
_OURS = (
    "did not complete successfully: exit code",
    *_ALTERED,
    "invalid response status",
    "failed to resolve source metadata",
)
"""Errors that another try would not change.

Others are the engine's own: measured, two merges at once that take each
other's snapshot ("failed to commit ...: snapshot ... does not exist"), and "no such job"
(buildx#3810)."""
_NETWORK_LOG = (
    "Read timed out",
    "Connection reset by peer",
    "Connection timed out",
    "Temporary failure",
    "IncompleteRead",
    "Connection refused",
)
"""What apt and pip write in a step's log when the network fails them."""
_REFUSED = re.compile(
    r"invalid response status 40[13]\b|40[13] Error|\b40[13] +(?:Unauthorized|Forbidden)"
)
"""What BuildKit, pip and apt say of a server that does not let them in."""
_UNTRUSTED = (
    "certificate signed by unknown authority",
    "CERTIFICATE_VERIFY_FAILED",
    "certificate is NOT trusted",
    "certificate verify failed",
)
_DENIED = re.compile(
    r'(?:target (?P<target>\S+): )?failed to solve: .*?source "(?P<source>[^"]+)" denied by policy'
)


@dataclass(frozen=True)
class FailedVariant:
    """A variant that could not be built.

    `environment` tells that engine or network are to blame: another try may go well.
    """

    finding: Finding
    environment: bool


def explain(
    project: Project, state: State, remaining: Sequence[Variant]
) -> dict[str, FailedVariant]:
    """Variant name -> what happened, for those that failed and those that would fail in the same
    stage.

    Empty when no variant's step is to blame. Raises `BakestoneError` (exit 3)
    when a registry refuses a push or cannot be reached.
    """
    by_target = {v.target: v for v in remaining}
    failed = _denied(project, state, remaining)
    for failure in state.failures():
        if not failure.stage and _has(failure.error, _REGISTRY):
            continue  # a push, or the registry of a base image
        first = by_target.get(failure.target)
        hit = hit_by(failure.stage, first.name, remaining, project.dockerfiles) if first else []
        for variant in hit:
            failed.setdefault(variant.name, _failed(variant, failure, project))
    reason = _reason(state)
    if not failed and _has(reason, _REGISTRY + _NETWORK):
        raise fail(
            f"the build stopped: {reason}",
            "is the registry up, and are you logged in to it?",
            code=ENVIRONMENT,
        )
    return failed


def _denied(
    project: Project, state: State, remaining: Sequence[Variant]
) -> dict[str, FailedVariant]:
    """The variant whose Dockerfile wants a source that the lock does not hold. buildx names the
    target, if it has several.
    """
    failed = {}
    for found in filter(None, map(_DENIED.search, state.output)):
        names = policy.names(project.site, found["source"])
        for variant in remaining:
            if found["target"] == variant.target or (
                found["target"] is None and len(remaining) == 1
            ):
                source = next(
                    (name for name in names if name in project.dockerfiles[variant.name]), names[0]
                )
                hint = (
                    "only locked sources are allowed here (`only_locked`): take it out of the"
                    " template, or add it to the component's data and lock"
                )
                name = f"{variant.name} ({project.path_of(variant)})"
                failed[variant.name] = FailedVariant(
                    Finding(f"the source {source} is not in the lock", hint, name=name), False
                )
    return failed


def stopped(state: State) -> BakestoneError:
    """The error of a build that ended without any variant's step to blame."""
    return fail(
        f"the build stopped: {_reason(state)}",
        "see the engine's log; run it again to go on where it stopped",
        code=ENVIRONMENT,
    )


def _reason(state: State) -> str:
    known = [f.error for f in state.failures()]
    return (
        known
        or [line for line in state.output if "ERROR" in line]
        or state.output
        or ["buildx gave no reason"]
    )[-1][:600]


def _failed(variant: Variant, failure: Failure, project: Project) -> FailedVariant:
    name = f"{variant.name} ({project.path_of(variant)})"
    wrong = [line.partition(_INVENTORY)[2] for line in failure.log if line.startswith(_INVENTORY)]
    if wrong:
        message = "the image is not what its name says:\n" + "\n".join(
            f"    {line}" for line in wrong
        )
        hint = "nothing was pushed; correct the version in images.yaml or the component's data"
        return FailedVariant(Finding(message, hint, name=name), False)
    tail = "\n".join(f"    | {line}" for line in failure.log[-LOG_TAIL:])
    reason = _COMMAND.sub(r"exit code \1", failure.error).strip()[:600]
    message = f"the stage {failure.stage or 'sources'} failed: {reason}" + (
        f"\n{tail}" if tail else ""
    )
    environment = _is_network(failure) or not _has(failure.error, _OURS)
    hint = _hint(failure)
    if _is_altered(failure) and failure.instruction.startswith("ADD ") and project.site.credentials:
        hint += (
            "; or the server refused the login, whose answer BuildKit takes for the file:"
            " `credentials` in the site file"
        )
    return FailedVariant(Finding(message, hint, name=name), environment)


def _is_altered(failure: Failure) -> bool:
    return _has(failure.error, _ALTERED) or any(_has(line, _ALTERED_LOG) for line in failure.log)


def _is_network(failure: Failure) -> bool:
    if _is_altered(failure):
        return False
    return _has(failure.error, _NETWORK) or any(_has(line, _NETWORK_LOG) for line in failure.log)


def _hint(failure: Failure) -> str:
    text = failure.error + "\n".join(failure.log)
    if _is_altered(failure):
        return (
            "what was fetched does not have the checksum in the lock: the file or its mirror was"
            " altered, or an error page came in its place"
        )
    if "Unable to locate package" in text or re.search(
        r"Version '.*' for '.*' was not found", text
    ):
        return (
            "an exact version has left the archive: `bakestone lock --update`, then `bakestone"
            " generate`"
        )
    if _REFUSED.search(text):
        return (
            "the server does not let us in: `credentials` in the site file, and what the account"
            " may read"
        )
    if _has(text, _UNTRUSTED):
        return (
            "a certificate is not trusted: `ca` in the site file for build steps; for ADD and FROM"
            " the engine's own settings (docs/site.md)"
        )
    if _is_network(failure):
        return (
            "its server cannot be reached from the engine, or broke off; a mirror can be set under"
            " `mirrors` in the site file"
        )
    if "failed to resolve source metadata" in text or "not found" in failure.error:
        return (
            "the base image or file is not where the lock says; a mirror can be set under `mirrors`"
            " in the site file"
        )
    return ""


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)
