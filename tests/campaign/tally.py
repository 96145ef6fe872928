"""What became of the inputs of one reader."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Counts what became of the inputs of one reader."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, what: str) -> None:
        self.counts[what] += 1
