"""Many questions at a time, in a bounded time: what takes too long is told as not checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bakestone.clients.http.session import HttpError, UnreachableError
from bakestone.clients.parallel import in_parallel
from bakestone.errors import ENVIRONMENT, BakestoneError
from bakestone.jobs.doctor.report import (
    BROKEN,
    ENVIRONMENTAL,
    NETWORK,
    UNCHECKED,
    Check,
    DoctorReport,
    Trouble,
)

Tick = Callable[[Check], None]
"""Told each check that has come to an end."""


def run(checks: Sequence[Check], report: DoctorReport, *, until: float, tick: Tick) -> None:
    """Run all checks and add what they find to the report;

    `until` is a time of the monotonic clock.
    """
    left = {id(check): check for check in checks}
    for check, found in in_parallel(answer, checks, until=until):
        if isinstance(found, BakestoneError):
            raise found
        del left[id(check)]
        report.add(check, found)
        tick(check)
    for check in left.values():
        why = "the time for all checks ran out before these ended"
        hint = "give it more with --max-time, or select fewer variants"
        row = Trouble(check.kind, "checks", why, hint, UNCHECKED, items=(check.what,))
        report.add(check, [row])


def answer(check: Check) -> list[Trouble]:
    """What a check found; a world that does not answer, or answers nonsense, is a finding too."""
    odd = "look at what the server sends; is it the right one?"
    try:
        return list(check.run())
    except UnreachableError as problem:
        return [_silent(check, problem)]
    except BakestoneError as problem:
        if isinstance(problem.__cause__, UnreachableError):
            return [_silent(check, problem.__cause__)]
        state = ENVIRONMENTAL if problem.code == ENVIRONMENT else BROKEN
        return [
            Trouble(check.kind, f.name or check.what, f.message, f.hint, state, items=(check.what,))
            for f in problem.findings
        ]
    except HttpError as problem:
        why = f"the answer is of no use: {problem}"
        return [Trouble(check.kind, check.what, why, problem.hint or odd, UNCHECKED)]
    except (ValueError, KeyError, TypeError, AttributeError, LookupError) as problem:
        why = f"the answer is not understood: {str(problem)[:160] or type(problem).__name__}"
        return [Trouble(check.kind, check.what, why, odd, UNCHECKED)]


def _silent(check: Check, problem: UnreachableError) -> Trouble:
    """One row for all that was to be asked of a host."""
    items = (f"{check.kind}: {check.what}",)
    return Trouble(NETWORK, problem.host, problem.reason, problem.hint, UNCHECKED, items=items)
