"""One question for each of many things, several at a time, in a bounded time."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from bakestone.errors import BakestoneError

PARALLEL = 8
"""Questions at a time: registries limit clients by rate, and 8 is what containerd and docker use at
most.
"""
_Thing = TypeVar("_Thing")
_Found = TypeVar("_Found")


def in_parallel(
    action: Callable[[_Thing], _Found],
    things: Iterable[_Thing],
    workers: int = PARALLEL,
    until: float = math.inf,
) -> Iterator[tuple[_Thing, _Found | BakestoneError]]:
    """What the action gives, or the `BakestoneError` that it raises, for each thing, as it comes.

    It ends at the time `until` (`time.monotonic`), whatever is left. Its threads are daemons: an
    interrupted command ends at once, where a pool of `concurrent.futures` would hold the process
    until a server that hangs is given up.
    """
    todo: queue.SimpleQueue[_Thing] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[_Thing, _Found | BaseException]] = queue.SimpleQueue()
    over = threading.Event()
    count = 0
    for thing in things:
        todo.put(thing)
        count += 1

    def work() -> None:
        while not over.is_set() and time.monotonic() < until:
            try:
                thing = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((thing, action(thing)))
            except BaseException as problem:  # raised again where the answers are read
                done.put((thing, problem))

    for _ in range(min(workers, count)):
        threading.Thread(target=work, daemon=True).start()
    try:
        for _ in range(count):
            left = until - time.monotonic()
            try:
                thing, found = done.get(timeout=min(max(0.0, left), threading.TIMEOUT_MAX))
            except queue.Empty:
                return
            if isinstance(found, BaseException) and not isinstance(found, BakestoneError):
                raise found
            yield thing, found
    finally:
        over.set()
