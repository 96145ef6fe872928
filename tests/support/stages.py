"""The stages of a generated Dockerfile, read off its text: what the records say is compared with
it.
"""

from __future__ import annotations

import re

_STAGE = re.compile(r"^FROM \S+ AS (\S+)$", re.MULTILINE)
_COMMENTS = re.compile(r"\n\n(?:#.*\n)+\Z")
"""What stands before the next stage's FROM."""


def stage_texts(dockerfile: str) -> dict[str, str]:
    """Stage name -> its text, for the named stages of a Dockerfile, without the comments before
    the FROM.
    """
    marks = list(_STAGE.finditer(dockerfile))
    ends = [m.start() for m in marks[1:]] + [len(dockerfile)]
    return {
        m[1]: _COMMENTS.sub("", dockerfile[m.start() : end].split("\nFROM ", 1)[0]).rstrip()
        for m, end in zip(marks, ends, strict=True)
    }
