"""What somebody who looks on is told while variants are built and published."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import Protocol

from bakestone.clients.engine.events import State
from bakestone.core.render.plan import PlannedVariant
from bakestone.errors import Finding

SOON = 5
"""Seconds that nobody minds to wait without a word."""


@contextmanager
def patient(say: Callable[[str], None], text: str) -> Iterator[None]:
    """Have it said what is waited for, when the block is not over soon."""
    timer = threading.Timer(SOON, say, [text])
    timer.daemon = True  # an end that does not come through here waits for nothing
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Status(StrEnum):
    """How far a variant is."""

    WAITING = "waiting"
    BUILDING = "building"
    PUBLISHING = "publishing"
    DONE = "done"
    FAILED = "failed"
    PRESENT = "in the registry"


class Board(Protocol):
    """Where the state of each variant is shown; called by several threads."""

    def set(self, name: str, status: Status, detail: str = "") -> None:
        """Note the state of a variant."""

    def again(self, names: Sequence[str], status: Status, why: str) -> None:
        """Note that variants are tried again, and why, in one line: it is said in any case."""

    def watch(self, state: State) -> None:
        """Take what BuildKit said."""


class Watcher(Protocol):
    """Who looks on."""

    def warn(self, finding: Finding) -> None:
        """Take a warning, as soon as it is known."""

    def say(self, text: str) -> None:
        """Take a line about what is waited for; called by several threads."""

    def building(self, variants: Sequence[PlannedVariant]) -> AbstractContextManager[Board]:
        """A board for variants, for as long as it is open."""
