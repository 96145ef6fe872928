"""How a sentence says a number or a list, and whom sentences are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Say = Callable[[str], None]
"""Told each line of how far a job is, for whoever waits for it."""


def count(number: int, what: str) -> str:
    """`1 wheel`, `2 wheels`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def few(names: Sequence[str], shown: int = 4) -> str:
    """The first of several names, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
