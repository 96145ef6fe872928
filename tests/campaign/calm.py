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
"""Seconds for one input."""
MOST = 2**30
"""Bytes of memory of the whole process."""


class TooLongError(Exception):
    """A reader was at work longer than `LONGEST`."""


@contextmanager
def in_time() -> Iterator[None]:
    """Ends what takes longer than `LONGEST`."""

    def ended(_signal: int, _frame: FrameType | None) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, ended)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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
