"""The one Jinja environment: sandboxed, and strict about names that are not there.

Component folders may come from a team's own repository, so their templates
run in Jinja's sandbox, see plain values only, and get so much memory and time (`bound`).
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache

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
_PLAIN = re.compile(r"(?:[^{]|\{\{ *\w+(?:\.\w+)* *\}\})*")
"""A template that only names values: it needs no bounds."""
_bounds: list[Callable[[], AbstractContextManager[None]]] = [nullcontext]


class TemplateBoundError(Exception):
    """A template took more than it may; says what."""


def bound(by: Callable[[], AbstractContextManager[None]]) -> None:
    """From now on templates that compute are filled inside `by()`, which ends one that takes too
    much with `MemoryError` or `TemplateBoundError`: only the system can count that.
    """
    _bounds[:] = [by]


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
            with _bounds[0]():
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
            reason = "it takes too much memory"
        elif isinstance(problem, TemplateBoundError):
            reason = str(problem)
        why = f"the template cannot be filled: {reason}"
        hint = f"names known here: {', '.join(sorted(context))}"
        raise fail(why, hint, where=Position(origin, line, 1, shown, len(shown))) from problem


def _line_of(problem: BaseException) -> int | None:
    """The template line that raised, read from the traceback that Jinja rewrote."""
    frames = traceback.walk_tb(problem.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == "<template>"]
    return lines[-1] if lines else None
