"""Processes that are told to end, and have something to remove first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | int | None
"""What is done at a signal, as `signal.signal` gives it back."""


@contextmanager
def told_to_end(leave: Callable[[int, Handler], None]) -> Iterator[None]:
    """Call `leave` when SIGTERM or SIGHUP comes inside the block, with its number and with what was
    done at it before. Only the main thread has signals: in others nothing is done.
    """
    before: dict[int, Handler] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            before[number] = signal.signal(number, lambda got, _: leave(got, before[got]))
    try:
        yield
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)
