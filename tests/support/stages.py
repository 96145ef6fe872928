"""The stages of a generated Dockerfile, read off its text: what the records say is compared with
it.
"""

from __future__ import annotations

import re

_STAGE = re.compile(r"^(?:#.*\n)*FROM \S+ AS (\S+)$", re.MULTILINE)


def stage_texts(dockerfile: str) -> dict[str, str]:
    """Stage name -> its text, for the named stages of a Dockerfile."""
    marks = list(_STAGE.finditer(dockerfile))
    ends = [m.start() for m in marks[1:]] + [len(dockerfile)]
    return {
        m[1]: re.split(r"\nFROM \S+\n", dockerfile[m.start() : end])[0].rstrip()
        for m, end in zip(marks, ends, strict=True)
    }
