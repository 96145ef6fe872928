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


def run(
    checks: Sequence[Check], report: DoctorReport, *, until: float, tick: Callable[[Check], None]
) -> None:
    """Run all checks and add what they find to the report; `tick` is told each that has ended.

    `until` is a time of the monotonic clock.
    """
    left = dict.fromkeys(checks)
    for check, found in in_parallel(answer, checks, until=until):
        if isinstance(found, BakestoneError):
            raise found
        del left[check]
        report.add(check, found)
        tick(check)
    for check in left:
        why = "the time for all checks ran out before these ended"
        hint = "give it more with --max-time, or select fewer variants"
        report.add(check, [Trouble(why, hint, UNCHECKED, "checks", items=(check.what,))])


def answer(check: Check) -> list[Trouble]:
    """What a check found; a world that does not answer, or answers nonsense, is a finding too."""
    hint = "look at what the server sends; is it the right one?"
    try:
        return list(check.run())
    except (BakestoneError, HttpError) as problem:
        silent = problem if isinstance(problem, HttpError) else problem.__cause__
        if isinstance(silent, UnreachableError):  # one row for all that was to be asked of a host
            why, hint, items = silent.reason, silent.hint, (f"{check.kind}: {check.what}",)
            return [Trouble(why, hint, UNCHECKED, silent.host, NETWORK, items=items)]
        if isinstance(problem, BakestoneError):
            state = ENVIRONMENTAL if problem.code == ENVIRONMENT else BROKEN
            found, items = problem.findings, (check.what,)
            return [Trouble(f.message, f.hint, state, f.name, items=items) for f in found]
        why, hint = f"the answer is of no use: {problem}", problem.hint or hint
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        why = f"the answer is not understood: {str(problem)[:160] or type(problem).__name__}"
    return [Trouble(why, hint, UNCHECKED)]
