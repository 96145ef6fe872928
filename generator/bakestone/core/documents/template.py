"""The one Jinja environment: sandboxed, and strict about names that are not there.

Component folders may come from a team's own repository, so their templates
run in Jinja's sandbox, see plain values only, and get so much memory and time.
"""

from __future__ import annotations

import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import FrameType

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bakestone.errors import Position, fail

_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)
_compiled = cache(_ENVIRONMENT.from_string)
MEMORY = 512 * 2**20
"""Bytes that a template may take beside what the process has."""
SECONDS = 5.0
"""Seconds of the processor that a template may take; pauses of the machine do not count."""
_PLAIN = re.compile(r"(?:[^{]|\{\{ *\w+(?:\.\w+)* *\}\})*")
"""A template that only names values: it needs no bounds."""


@cache
def names(text: str) -> frozenset[str]:
    """The names that a template uses, so that callers know when its text can be used again; none
    when it cannot be read.
    """
    try:
        return frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(text)))
    except (TemplateError, RecursionError):  # `render` says what is wrong with it
        return frozenset()


def render(text: str, context: Mapping[str, object], *, origin: str) -> str:
    """Fill a template. `origin` is the file it came from, for the message when that fails."""
    if "{" not in text:
        return text
    try:
        if _PLAIN.fullmatch(text):
            filled = _compiled(text).render(context)
        else:
            with _bounded():
                filled = _compiled(text).render(context)
        filled.encode()  # a text that is none would be told when it is written
        return filled
    except Exception as problem:  # a template computes what it likes, so it can raise anything
        line = getattr(problem, "lineno", None) or _line_of(problem) or 1
        lines = text.splitlines() or [""]
        shown = lines[min(line, len(lines)) - 1]
        reason = f"{type(problem).__name__}: {problem}"
        if isinstance(problem, TemplateError):
            reason = str(problem.message)
        elif isinstance(problem, MemoryError):
            reason = f"it takes more than {MEMORY // 2**20} MiB of memory"
        elif isinstance(problem, _TooLongError):
            reason = f"it takes more than {SECONDS:.0f} seconds"
        why = f"the template cannot be filled: {reason}"
        hint = f"names known here: {', '.join(sorted(context))}"
        raise fail(why, hint, where=Position(origin, line, 1, shown, len(shown))) from problem


class _TooLongError(Exception):
    """A template has had its seconds."""


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise _TooLongError


@contextmanager
def _bounded() -> Iterator[None]:
    """Memory and time for what computes: `MemoryError` and `_TooLongError` end it.

    A template can build what it likes from nothing ("a" * 10 ** 10, a name that is doubled in a
    loop), so the system counts. Only Linux counts memory like this; signals are the main thread's,
    which is the one that renders.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    has = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    ceilings = [n for n in (has + MEMORY, soft, hard) if n != resource.RLIM_INFINITY]
    _listen()
    resource.setrlimit(resource.RLIMIT_DATA, (min(ceilings), hard))
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@cache
def _listen() -> None:
    """From now on that signal ends a template; nobody else uses it. Once: it is slow to set."""
    signal.signal(signal.SIGVTALRM, _too_long)


def _line_of(problem: BaseException) -> int | None:
    """The template line that raised, read from the traceback that Jinja rewrote."""
    frames = traceback.walk_tb(problem.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == "<template>"]
    return lines[-1] if lines else None
