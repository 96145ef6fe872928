"""Wheels of one version that would write the same file: in an image, one would overwrite the other.

What two wheels have with equal bytes is no overwrite: the namespace packages of one vendor share an
`__init__.py`, whichever comes last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from bakestone.core.documents.yaml import Json
from bakestone.errors import Finding, fail

_FOR_CUDA = re.compile(r"-cu(da)?[0-9]+x?$")
"""How the index tells the wheels of one library for several CUDAs apart: nvidia-nccl-cu12."""
_HINT = 'say under `when` which images each is for, such as `when: {cuda: ">=12,<13"}`'


def refuse(wheels: Sequence[Json], brought: Mapping[str, Mapping[str, int]]) -> None:
    """Raise `BakestoneError` where two of a version's `wheels`, as versions.yaml has them, bring
    one file with other bytes; `brought` has each wheel's, file name to path to CRC-32.
    """
    for one, other in _together(wheels):
        for platform in sorted(one["files"].keys() & other["files"].keys()):
            first, second = (str(wheel["files"][platform]["filename"]) for wheel in (one, other))
            mine, theirs = brought.get(first, {}), brought.get(second, {})
            shared = sorted(mine.keys() & theirs.keys())
            for path in (path for path in shared if mine[path] != theirs[path]):
                why = f"{first} and {second} both bring {path.lstrip('/')}, with other bytes"
                raise fail(f"{why}: one would overwrite the other", _HINT, name=second)


def findings(wheels: Sequence[Json], name: str) -> Iterator[Finding]:
    """Wheels of the version `name` that are one library for several CUDAs, as their names tell, and
    that one image would have all the same.
    """
    for one, other in _together(wheels):
        first, second = str(one["name"]), str(other["name"])
        if first != second and _FOR_CUDA.sub("", first) == _FOR_CUDA.sub("", second):
            why = (
                f"{first} and {second} are one library for two CUDAs, and an image would have both"
            )
            yield Finding(f"{why}: one would overwrite the other", _HINT, name=name)


def _together(wheels: Sequence[Json]) -> Iterator[tuple[Json, Json]]:
    """The pairs that one image may have: those that no key of `when` tells apart."""
    for one, other in combinations(wheels, 2):
        first, second = one.get("when", {}), other.get("when", {})
        if all(first[key] == second[key] for key in first.keys() & second.keys()):
            yield one, other
