"""packages.tsv: every package that an image has, as tools/packages.sh finds them. Pure.

A list may come from anybody's image: what that script does not write is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_PACKAGES = 20_000
"""Lines of a list; real ones have a thousand."""
_WORD = r"[A-Za-z0-9._+~^!:-]"
_TEXT = r"[ -~]{0,2000}"
_LINE = re.compile(
    rf"(deb|rpm|conda|pypi)\t({_WORD}{{1,200}})\t({_WORD}{{0,200}})"
    rf"\t([A-Za-z0-9_-]{{0,40}})\t({_TEXT})\t({_TEXT})"
)
"""As the end of tools/packages.sh has it."""


@dataclass(frozen=True)
class MeasuredPackage:
    """A package that is installed, as a database of the image knows it; what it does not know is
    empty.

    `type` is that of Package URLs: deb, rpm, conda or pypi. `source` is the name and version of
    Debian's source package, the file name of a source rpm, or the URL of a conda package. `licence`
    is whatever the package says.
    """

    type: str
    name: str
    version: str
    architecture: str
    source: str
    licence: str


def parse(content: bytes) -> tuple[MeasuredPackage, ...]:
    """The packages of a list. Raises `ValueError` with a reason for people."""
    lines = content.decode("ascii", "replace").split("\n")
    if lines.pop() or not lines:
        raise ValueError("its list of packages is cut off, or empty")
    if len(lines) > MAX_PACKAGES:
        raise ValueError(f"its list of packages has more than {MAX_PACKAGES} lines")
    found = []
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} of its list of packages is no package")
        found.append(MeasuredPackage(*match.groups()))
    return tuple(found)
