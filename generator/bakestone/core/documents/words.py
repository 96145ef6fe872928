"""How a sentence says a number, and whom sentences are told."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
"""Told each line of how far a job is, for whoever waits for it."""


def count(number: int, what: str) -> str:
    """`1 wheel`, `2 wheels`."""
    return f"{number} {what}{'' if number == 1 else 's'}"
