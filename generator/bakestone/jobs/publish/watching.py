"""What somebody who looks on is told while variants are built and published."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from bakestone.clients.engine.events import State
from bakestone.core.render.plan import PlannedVariant
from bakestone.errors import Finding


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
        """Take a warning, before what it warns of is done."""

    def say(self, text: str) -> None:
        """Take a line about what is waited for."""

    def building(self, variants: Sequence[PlannedVariant]) -> AbstractContextManager[Board]:
        """A board for variants, for as long as it is open."""
