"""One question for each of many names, several at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from bakestone.errors import BakestoneError

_T = TypeVar("_T")


def in_parallel(
    action: Callable[[str], _T], names: Iterable[str], workers: int
) -> Iterator[tuple[str, _T | BakestoneError]]:
    """What the action gives, or the `BakestoneError` that it raises, for each name, as it comes.

    An interruption waits for nobody: a pool of `concurrent.futures` would hold the process until a
    server that hangs is given up.
    """
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, _T | BaseException]] = queue.SimpleQueue()
    over = threading.Event()
    count = 0
    for name in names:
        todo.put(name)
        count += 1

    def work() -> None:
        while not over.is_set():
            try:
                name = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((name, action(name)))
            except BaseException as problem:  # raised again where the answers are read
                done.put((name, problem))

    for _ in range(min(workers, count)):
        threading.Thread(target=work, daemon=True).start()
    try:
        for _ in range(count):
            name, answer = done.get()
            if isinstance(answer, BaseException) and not isinstance(answer, BakestoneError):
                raise answer
            yield name, answer
    finally:
        over.set()
