"""How a sentence says a number."""

from __future__ import annotations


def count(number: int, what: str) -> str:
    """`1 wheel`, `2 wheels`."""
    return f"{number} {what}{'' if number == 1 else 's'}"
