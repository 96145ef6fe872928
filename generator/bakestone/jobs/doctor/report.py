"""What the doctor finds: one row a thing that a person can act on, with the variants that it hits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bakestone.errors import ENVIRONMENT, INPUT

BROKEN, ENVIRONMENTAL, UNCHECKED = "broken", "environment", "not checked"
"""A pin that does not hold; something on this machine or its accounts; what could not be asked from
here.
"""
STATES = (BROKEN, ENVIRONMENTAL, UNCHECKED)
PINS = ("lock", "dockerfile", "base", "file", "wheel", "package", "snapshot", "repository", "key")
MACHINE = ("engine", "registry", "disk", "clock")
KINDS = (*PINS, *MACHINE)
NETWORK = "network"
"""The kind of rows that stand for a whole host; no check is of that kind."""
_LONGEST = 700
"""Characters of a text in a row."""


@dataclass(frozen=True)
class Trouble:
    """A row: what it is about, why it is not well, what to do.

    `items` are the single things, where there are several.
    """

    kind: str
    what: str
    why: str
    hint: str
    state: str = BROKEN
    variants: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The row for `--format json`."""
        plain: dict[str, Any] = {
            "state": self.state,
            "kind": self.kind,
            "what": self.what,
            "why": self.why,
            "hint": self.hint,
        }
        plain["variants"] = list(self.variants)
        return plain | ({"items": list(self.items)} if self.items else {})


@dataclass(frozen=True)
class Check:
    """One question to the world.

    `run` gives what is wrong; rows without variants get the check's own.
    """

    kind: str
    what: str
    variants: tuple[str, ...]
    run: Callable[[], Sequence[Trouble]]


@dataclass
class Report:
    """What a run found: `asked` and `good` count checks a kind, `variants` are those that were
    looked at.
    """

    variants: tuple[str, ...]
    asked: Counter[str] = field(default_factory=Counter)
    good: Counter[str] = field(default_factory=Counter)
    troubles: list[Trouble] = field(default_factory=list)

    def add(self, check: Check, found: Iterable[Trouble]) -> None:
        """Take what a check found."""
        rows = [
            _clean(row if row.variants else replace(row, variants=check.variants)) for row in found
        ]
        self.asked[check.kind] += 1
        self.good[check.kind] += not rows
        self.troubles += rows

    def rows(self) -> list[Trouble]:
        """The findings, broken pins first; what is about the same thing for the same reason is one
        row.
        """
        joined: dict[tuple[str, ...], Trouble] = {}
        for row in self.troubles:
            key = (row.state, row.kind, row.what, row.why, row.hint)
            known = joined.get(key)
            joined[key] = _join(known, row) if known else row
        order = {name: rank for rank, name in enumerate(self.variants)}
        rows = [
            replace(r, variants=tuple(sorted(r.variants, key=lambda v: (order.get(v, 0), v))))
            for r in joined.values()
        ]
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
        return (
            ENVIRONMENT
            if ENVIRONMENTAL in states or (UNCHECKED in states and not offline_ok)
            else 0
        )


def _clean(row: Trouble) -> Trouble:
    """What servers and programs wrote may hold anything: nothing of it steers a terminal or fills a
    page.
    """
    what, why, hint, *items = map(_printable, (row.what, row.why, row.hint, *row.items))
    return replace(row, what=what, why=why, hint=hint, items=tuple(items))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_LONGEST])


def _join(one: Trouble, other: Trouble) -> Trouble:
    return replace(
        one,
        variants=tuple(dict.fromkeys((*one.variants, *other.variants))),
        items=tuple(dict.fromkeys((*one.items, *other.items))),
    )
