"""What the doctor finds: a row for each thing to act on, with the variants that it hits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from bakestone.errors import ENVIRONMENT, INPUT

BROKEN, ENVIRONMENTAL, UNCHECKED = "broken", "environment", "not checked"
"""A pin that does not hold; something on this machine or its accounts; what could not be asked from
here.
"""
LEFT_OVER = "left over"
"""What no build needs any more: told, but no reason to end with anything but 0."""
STATES = (BROKEN, ENVIRONMENTAL, UNCHECKED, LEFT_OVER)
PINS = (
    *("lock", "base", "file", "wheel", "environment", "framework", "package", "snapshot"),
    *("repository", "key", "engine"),
)
"""Of checks of what the lock says; an engine asks package managers inside the bases."""
KINDS = (
    *("lock", "dockerfile", "base", "file", "wheel", "environment", "framework", "package"),
    *("snapshot", "repository", "key", "engine", "registry", "release", "disk", "clock"),
)
"""Of checks, in the order of the report: pins first, then this machine and its accounts."""
NETWORK = "network"
"""The kind of rows that stand for a whole host; no check is of that kind."""
_LONGEST = 700
"""Characters of a text in a row."""


@dataclass(frozen=True)
class Trouble:
    """A row: why something is not well, and what to do.

    `kind`, `what` and `variants` are those of the check that found it, where it says no others.
    `items` are the single things, where there are several.
    """

    why: str
    hint: str
    state: str = BROKEN
    what: str = ""
    kind: str = ""
    variants: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The row for `--format json`."""
        names = ("state", "kind", "what", "why", "hint", "variants", "items")
        return {name: getattr(self, name) for name in names if name != "items" or self.items}


@dataclass(frozen=True)
class Check:
    """One question to the world; `run` gives what is wrong."""

    kind: str
    what: str
    variants: tuple[str, ...]
    run: Callable[[], Iterable[Trouble]]


@dataclass
class DoctorReport:
    """What a run found: `asked` and `good` count checks a kind, `variants` are those that were
    looked at.
    """

    variants: tuple[str, ...]
    asked: Counter[str] = field(default_factory=Counter)
    good: Counter[str] = field(default_factory=Counter)
    troubles: list[Trouble] = field(default_factory=list)

    def add(self, check: Check, found: Iterable[Trouble]) -> None:
        """Take what a check found."""
        rows = [_whole(row, check) for row in found]
        self.asked[check.kind] += 1
        self.good[check.kind] += not rows
        self.troubles += rows

    def rows(self) -> list[Trouble]:
        """The findings, broken pins first; what is about the same thing for the same reason is one
        row.
        """
        alike: dict[tuple[str, ...], list[Trouble]] = {}
        for row in self.troubles:
            key = (row.state, row.kind, row.what, row.why, row.hint)
            alike.setdefault(key, []).append(row)
        rows = []
        for same in alike.values():
            hit = {name for row in same for name in row.variants}
            variants = tuple(name for name in self.variants if name in hit)
            items = tuple(dict.fromkeys(item for row in same for item in row.items))
            rows.append(replace(same[0], variants=variants, items=items))
        return sorted(
            rows,
            key=lambda r: (STATES.index(r.state), (*KINDS, NETWORK).index(r.kind), r.what, r.why),
        )

    def hit(self) -> list[str]:
        """The variants that would not build today because of a pin, in the order of the matrix."""
        names = {name for row in self.troubles if row.state == BROKEN for name in row.variants}
        return [name for name in self.variants if name in names]

    def code(self, *, offline_ok: bool) -> int:
        """The exit status: 1 a pin is broken, 3 the environment is at fault or something could not
        be asked, else 0.

        With `offline_ok`, what could not be asked does not count.
        """
        states = {row.state for row in self.troubles}
        if BROKEN in states:
            return INPUT
        unasked = UNCHECKED in states and not offline_ok
        return ENVIRONMENT if ENVIRONMENTAL in states or unasked else 0


def _whole(row: Trouble, check: Check) -> Trouble:
    """The row with what it has from its check.

    What servers and programs wrote may hold anything: nothing of it steers a terminal or fills a
    page.
    """
    what, why, hint, *items = (
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_LONGEST])
        for text in (row.what or check.what, row.why, row.hint, *row.items)
    )
    kind, variants = row.kind or check.kind, row.variants or check.variants
    return Trouble(why, hint, row.state, what, kind, variants, tuple(items))
