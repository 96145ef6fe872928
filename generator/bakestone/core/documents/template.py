"""The one Jinja environment: sandboxed, and strict about names that are not there.

Component folders may come from a team's own repository, so their templates
run in Jinja's sandbox, see plain values only, and get so much memory and time (`bound`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

from bakestone.errors import Position, fail

if TYPE_CHECKING:  # Jinja takes 25 ms, which commands that fill nothing need not wait for
    from jinja2 import Environment, Template


_PLACE = re.compile(r"\{\{ ([a-z_]+)(?:\.([a-z_]+))? \}\}")
"""A value of the context, or of a mapping in it: many templates have nothing else, and need no
Jinja.
"""
_CONSTANTS = re.compile(r"\{\{ (?:true|false|none)\b")
"""Words that Jinja takes for values of its own."""
_bounds: list[Callable[[], AbstractContextManager[None]]] = [nullcontext]


class TemplateBoundError(Exception):
    """A template took more than it may; says what."""


def bound(by: Callable[[], AbstractContextManager[None]]) -> None:
    """From now on templates that compute are filled inside `by()`, which ends one that takes too
    much with `MemoryError` or `TemplateBoundError`: only the system can count that.
    """
    _bounds[:] = [by]


@cache
def _plain(text: str) -> bool:
    """Whether places are all that Jinja would see in a template."""
    return "{" not in _PLACE.sub("", text) and not _CONSTANTS.search(text)


def _value(context: Mapping[str, object], name: str, part: str | None) -> str | None:
    """What stands in a place; None where Jinja must look: it may not be there."""
    value = context.get(name)
    if part and isinstance(value, dict) and not hasattr(value, part):
        value = value.get(part)
    elif part:
        return None
    return value if isinstance(value, str) else None


def _filled(text: str, context: Mapping[str, object]) -> str:
    if _plain(text):
        places = _PLACE.findall(text)
        values = [_value(context, name, part) for name, part in places]
        if None not in values:
            given = iter(values)
            return _PLACE.sub(lambda _: next(given) or "", text)
    with _bounds[0]():
        return _compiled(text).render(context)


@cache
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


@cache
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


@cache
def names(text: str) -> frozenset[str]:
    """The names that a template uses, so that callers know when its text can be used again; none
    when it cannot be read.
    """
    if _plain(text):
        return frozenset(name for name, _ in _PLACE.findall(text))
    from jinja2 import TemplateError, meta

    try:
        return frozenset(meta.find_undeclared_variables(_environment().parse(text)))
    except (TemplateError, RecursionError, ValueError):  # `render` says what is wrong with it
        return frozenset()


def render(text: str, context: Mapping[str, object], *, origin: str) -> str:
    """Fill a template. `origin` is the file it came from, for the message when that fails."""
    if "{" not in text:
        return text
    try:
        filled = _filled(text, context)
        filled.encode()  # a text that is none would be told when it is written
        return filled
    except Exception as problem:  # a template computes what it likes, so it can raise anything
        from jinja2 import TemplateError

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
    import traceback

    frames = traceback.walk_tb(problem.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == "<template>"]
    return lines[-1] if lines else None
