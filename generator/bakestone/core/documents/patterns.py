"""Patterns over versions, the one little language of rules, excludes and selectors; what a tag is.

`none` an empty slot; `*` a filled one; `openmpi` a component; `openmpi@5.*`,
`5.*`, `5.0.10` a version (with * and ?); `>=12.0,<13` a range, `debian>=12` one of a component.
"""

from __future__ import annotations

import operator
import re
from fnmatch import fnmatchcase
from functools import cache
from itertools import zip_longest

from bakestone.errors import fail

_HOLDS = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_RANGED = ("<", ">", "=", "!")
"""What a range begins with."""
_OF_COMPONENT = re.compile(r"([a-z][a-z0-9-]*)@?([<>=!].*)")
_PART = re.compile(rf"({'|'.join(_HOLDS)})\s*([0-9A-Za-z._+~-]+)")

VersionKey = tuple[tuple[int, int, str], ...]
"""What versions are sorted by."""

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""What a tag is (OCI distribution specification, "Pulling manifests")."""


@cache
def version_key(version: str) -> VersionKey:
    """Sort key of a version: numbers by value, letters by alphabet, numbers after letters;

    `py313_26.5.3` is a build of 26.5.3.

    >>> version_key("5.0.9") < version_key("5.0.10")
    True
    >>> version_key("4.7.12") < version_key("py39_23.1.0-1") < version_key("py38_23.3.1-0")
    True
    >>> version_key("py38_23.3.1-0") < version_key("py39_23.3.1-0")
    True
    """
    build, mark, number = version.partition("_")
    parts = re.findall(
        r"\d+|[A-Za-z]+", f"{number} {build}" if mark and build[:1].isalpha() else version
    )
    return tuple((1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts)


def compare(left: str, right: str) -> int:
    """-1, 0 or 1; missing parts count as equal to zero, so 12.0 and 12.0.0 are the same."""
    both = zip_longest(version_key(left), version_key(right), fillvalue=(1, 0, ""))
    return next(((a > b) - (a < b) for a, b in both if a != b), 0)


def in_range(version: str, text: str) -> bool:
    """Whether a version lies in a range such as `>=12.0,<13`.

    Raises `BakestoneError` for what is no range, wherever its wrong part stands.
    """
    parts = [_PART.fullmatch(part.strip()) for part in text.split(",")]
    if not all(parts):
        raise fail(f"not a range: {text!r}", "write a range as >=12.0,<13", name=text)
    return all(_HOLDS[part[1]](compare(version, part[2]), 0) for part in parts if part)


def understood(pattern: str) -> bool:
    """Whether `matches` takes a pattern: what looks like a range is one."""
    text = pattern.strip()
    of_component = _OF_COMPONENT.fullmatch(text)
    range_ = of_component[2] if of_component else text.rpartition("@")[2]
    if not range_.startswith(_RANGED):
        return True
    return all(_PART.fullmatch(part.strip()) for part in range_.split(","))


@cache
def matches(pattern: str, component: str | None, version: str | None) -> bool:
    """Whether a slot that holds `component@version` (None, None when empty) matches `pattern`."""
    pattern = pattern.strip()
    if pattern == "none" or component is None or version is None:
        return pattern == "none" and component is None
    if pattern == "*":
        return True
    if ranged := _OF_COMPONENT.fullmatch(pattern):
        return component == ranged[1] and in_range(version, ranged[2])
    wanted, mark, rest = pattern.partition("@")
    if mark:
        return _is_like(component, wanted) and _version_matches(rest, version)
    return _is_like(component, pattern) or _version_matches(pattern, version)


def _version_matches(pattern: str, version: str) -> bool:
    if pattern.startswith(_RANGED):
        return in_range(version, pattern)
    return _is_like(version, pattern)


def _is_like(text: str, pattern: str) -> bool:
    """As `fnmatchcase`, which compiles each pattern: most are a text, or how one begins."""
    begin = pattern.removesuffix("*")
    if not any(mark in begin for mark in "*?["):
        return text.startswith(begin) if begin != pattern else text == pattern
    return fnmatchcase(text, pattern)
