"""Questions that builds answer: Dockerfiles without a context, whose results are text in files."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bakestone.clients.engine.buildx import Engine, inline_target
from bakestone.clients.engine.events import State
from bakestone.files import open_regular

MAX_TEXT = 2**26
"""Bytes of one file of an answer: a full desktop's packages are some 10**6."""
_REASONS = 3
"""Lines of a reason: the last ones, where programs say why they end."""
_LENGTH = 500
"""Characters of a reason at most: some lines of a terminal."""


@dataclass(frozen=True)
class BuildQuestion:
    """A Dockerfile whose last stage holds the answer, and the platform on which it runs."""

    dockerfile: str
    platform: str


@dataclass(frozen=True)
class Unanswered:
    """Why a question has no answer: what the failed steps wrote, and what BuildKit says of them.

    Both are empty when it failed with something else.
    """

    log: tuple[str, ...]
    errors: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.log or self.errors)

    def reason(self, reasons: Callable[[tuple[str, ...]], list[str]]) -> str:
        """The end of what there is to say. `reasons` picks from a log the lines that matter."""
        said = reasons(self.log) or self.log or self.errors or ("BuildKit gave no reason",)
        return " ".join(said[-_REASONS:])[:_LENGTH]


def put(engine: Engine, questions: Mapping[str, BuildQuestion], folder: Path) -> State | None:
    """Put all questions in one build: the answer to each is then in `folder`/NAME.

    None when all went well, else what BuildKit said: it stops at the first failure, and cancels the
    others (buildx#1089). Raises `BakestoneError` (exit 3) when there is no engine.
    """
    targets = {
        name: inline_target(q.dockerfile, q.platform, f"type=local,dest={folder / name}")
        for name, q in questions.items()
    }
    state, good = engine.bake({"target": targets})
    return None if good else state


def texts(folder: Path) -> dict[str, str]:
    """The files of an answer: name -> text. Whatever is in the base image wrote them.

    Raises `OSError` for anything but files of at most `MAX_TEXT` bytes.
    """
    found = {}
    for path in sorted(folder.iterdir()):
        with open_regular(path) as stream:
            content = stream.read(MAX_TEXT + 1)
        if len(content) > MAX_TEXT:
            raise OSError(errno.EFBIG, f"{path.name} is longer than {MAX_TEXT} bytes")
        found[path.name] = content.decode("utf-8", "replace")
    return found


def unanswered(state: State, name: str | None = None) -> Unanswered:
    """Why one question has no answer; without a name all of them, be it the engine's own reason."""
    failures = [f for f in state.failures() if name in (None, f.target)]
    errors = [f.error for f in failures] or (state.output if name is None else [])
    return Unanswered(tuple(line for f in failures for line in f.log), tuple(errors))
