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
    Report,
    Trouble,
)

Tick = Callable[[Check], None]
"""Told each check that has come to an end."""


def run(checks: Sequence[Check], report: Report, *, until: float, tick: Tick) -> None:
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
        row = Trouble(
            check.kind,
            "checks",
            why,
            "give it more with --max-time, or select fewer variants",
            UNCHECKED,
            items=(check.what,),
        )
        report.add(check, [row])


def answer(check: Check) -> list[Trouble]:
    """What a check found; a world that does not answer, or answers nonsense, is a finding too."""
    try:
        return list(check.run())
    except UnreachableError as problem:
        return [
            Trouble(
                NETWORK,
                problem.host,
                problem.reason,
                problem.hint,
                UNCHECKED,
                items=(f"{check.kind}: {check.what}",),
            )
        ]
    except BakestoneError as problem:
        state = ENVIRONMENTAL if problem.code == ENVIRONMENT else BROKEN
        return [
            Trouble(check.kind, f.name or check.what, f.message, f.hint, state, items=(check.what,))
            for f in problem.findings
        ]
    except HttpError as problem:
        why = f"the answer is of no use: {problem}"
        return [
            Trouble(
                check.kind,
                check.what,
                why,
                problem.hint or "look at what the server sends; is it the right one?",
                UNCHECKED,
            )
        ]
    except (ValueError, KeyError, TypeError, AttributeError, LookupError) as problem:
        why = f"the answer is not understood: {str(problem)[:160] or type(problem).__name__}"
        return [
            Trouble(
                check.kind,
                check.what,
                why,
                "look at what the server sends; is it the right one?",
                UNCHECKED,
            )
        ]
