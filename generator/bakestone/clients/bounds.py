"""Memory and time that what others wrote may take, counted by the system."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType

from bakestone.core.documents.template import TemplateBoundError

MEMORY = 768 * 2**20
"""Bytes that a template may take beside what the process had when it filled the first one: the
matrix of 10,000 variants takes a sixth of it.
"""
SECONDS = 5.0
"""Seconds of the processor that a template may take; pauses of the machine do not count."""


@contextmanager
def bounded() -> Iterator[None]:
    """`MemoryError` and `TemplateBoundError` end what takes more.

    A template can build what it likes from nothing ("a" * 10 ** 10, a name that is doubled in a
    loop). Only Linux counts memory like this; signals are the main thread's, which is the one that
    renders.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    ceilings = [n for n in (_first() + MEMORY, soft, hard) if n != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(ceilings), hard))
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@cache
def _first() -> int:
    """Listen from now on to the signal that ends a template, which nobody else uses; gives the
    bytes that the process has. Once: both are slow, and there are thousands of templates.
    """
    import resource

    signal.signal(signal.SIGVTALRM, _too_long)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TemplateBoundError(f"it takes more than {SECONDS:g} seconds")
