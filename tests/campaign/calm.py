"""What holds of every reader, whatever it is given: it answers with findings or with a value, soon,
and says nothing that steers a terminal or shows a secret.
"""

from __future__ import annotations

import resource
import signal
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from bakestone.errors import BakestoneError
from tests.campaign.hostile import SECRET

Value = TypeVar("Value")
LONGEST = 5
"""Seconds of the processor for one input: what else the machine does, does not count."""
SILENT = 60
"""Seconds for one input that does nothing, such as one that waits for a file."""
MOST = 2**30
"""Bytes of memory of the whole process."""


class TooLongError(Exception):
    """A reader was at work longer than `LONGEST`."""


@contextmanager
def in_time() -> Iterator[None]:
    """Ends what takes longer than `LONGEST`."""

    def ended(_signal: int, _frame: FrameType | None) -> None:
        raise TooLongError

    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, LONGEST),
        signal.SIGALRM: (signal.ITIMER_REAL, SILENT),
    }
    before = {number: signal.signal(number, ended) for number in timers}
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def answer(read: Callable[[], Value], *, secret: bool = False) -> Value | BakestoneError:
    """What a reader gives, or the error with its findings; anything else it raises is a fault.

    With `secret` no message may show the secret of the input.
    """
    with in_time():
        try:
            return read()
        except BakestoneError as problem:
            check_said(str(problem), secret=secret)
            for finding in problem.findings:
                assert finding.message
                assert not secret or SECRET not in str(finding.as_dict())
            return problem
        finally:
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            assert used < MOST, f"{used} bytes of memory"


def check_said(text: str, *, secret: bool) -> None:
    """Nothing of it steers a terminal, or shows the secret."""
    odd = {c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c not in "\n\t"}
    assert not odd, f"{odd!r} in {text!r}"
    assert not secret or SECRET not in text
