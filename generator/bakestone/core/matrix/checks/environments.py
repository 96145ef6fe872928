"""A team's environment of Python: whose Python it is made of, and where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bakestone.core.matrix.conditions import own_python, python
from bakestone.core.matrix.content import PREFIX, OwnPython
from bakestone.core.matrix.variant import Chosen, slot_context
from bakestone.errors import Finding

OLDEST = (3, 7)
"""The oldest Python that uv resolves for, and whose last pip (24.0) knows what it is asked for."""
VARIABLE = "VIRTUAL_ENV"
"""What tells programs which environment is in front on PATH (PEP 405's activate sets it)."""


def program(slots: Mapping[str, Chosen]) -> str:
    """The image's Python, which the environment is made of: conda's or one from source in their
    prefix, else the distro's; empty when nobody knows which that is.
    """
    minor = python(slots)
    if minor is None:
        return ""
    own = own_python(slots)
    prefix = slot_context(dict(slots))[own]["prefix"] if own else "/usr"
    return f"{prefix}/bin/python{minor}"


def check(environment: OwnPython, slots: Mapping[str, Chosen]) -> Iterator[Finding]:
    """A finding where the Python of a combination is not known, or too old; and where the
    environment would be below a component's folder.
    """
    where, minor = environment.where, python(slots)
    if minor is None:
        hint = "add an axis `python` or `conda`, or another version of it"
        yield Finding("nobody knows which Python the image has", hint, where)
    elif tuple(map(int, minor.split("."))) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        why = f"the image's Python is {minor}, and packages are resolved for {oldest} and later"
        yield Finding(why, "add an axis `python` or another `conda`", where)
    if slots["distro"].known("glibc") is None:
        why = f"nobody knows the glibc of {slots['distro'].text}, by which wheels are chosen"
        yield Finding(why, "state `glibc` under `facts` of the distro", where)
    context = slot_context(dict(slots))
    for chosen in slots.values():
        prefix = context[chosen.slot]["prefix"]
        if prefix.count("/") > 1 and f"{environment.prefix}/".startswith(f"{prefix}/"):
            why = f"{environment.prefix} is below {prefix}, which {chosen.text} has for itself"
            yield Finding(why, f"such as {PREFIX}", where)
