"""`did you mean X?`: the nearest known word, for hints."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(word: str, choices: Iterable[object], otherwise: str = "", *, cutoff: float = 0.5) -> str:
    """`did you mean X?` with the nearest of `choices`, or `otherwise` when none is near.

    `cutoff` is difflib's: 0 takes anything, 1 only the word itself.
    """
    found = difflib.get_close_matches(word, [str(c) for c in choices], n=1, cutoff=cutoff)
    return f"did you mean {found[0]}?" if found else otherwise
