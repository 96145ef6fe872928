"""The order of Debian's package versions, as dpkg has it (Debian Policy, 5.6.12)."""

from __future__ import annotations

import re
from typing import Any


def newer(new: str, old: str) -> bool:
    """Whether one version is later than another.

    >>> newer("1:2.39.5-0+deb12u3", "1:2.39.5-0+deb12u2~bpo1"), newer("1.0~rc1-1", "1.0-1")
    (True, False)
    """
    return bool(_key(new) > _key(old))


def _key(version: str) -> Any:
    epoch, colon, rest = version.partition(":")
    upstream, _, revision = (
        (rest if colon else version).rpartition("-")
        if "-" in version
        else (rest if colon else version, "", "0")
    )
    return int(epoch) if colon and epoch.isdigit() else 0, _part(upstream), _part(revision)


def _part(text: str) -> Any:
    """Texts and numbers in turn: a tilde before the end of a text, the end before letters, letters
    before the rest.
    """
    return [
        ([*map(_rank, word), 0], int(number or 0))
        for word, number in re.findall(r"(\D*)(\d*)", text)
    ]


def _rank(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
