"""What a team adds: places that are not a team's to fill, things said twice, and variables that a
component sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import Chosen
from bakestone.errors import Finding, Position

_FLEETING = re.compile(r"/(proc|sys|dev|run|tmp|var/tmp|var/run)(/.*)?")
"""What a container mounts over, or what is cleared."""
_OURS = re.compile(r"/usr/share/bakestone(/.*)?")
_SYSTEM = re.compile(
    r"/(bin|boot|etc|lib|lib32|lib64|media|mnt|opt|root|sbin|srv|usr|var|home)"
    r"|/(bin|boot|lib|lib32|lib64|root|sbin)/.*|/usr/[^/]*|/var/[^/]*"
)
"""Folders that are everybody's: a user's home is group-writable."""


def check(family: Family) -> Iterator[Finding]:
    """A finding for each place that a file, a home or a working directory cannot be at, and for
    each second file or step of one name.
    """
    content, user = family.content, family.user
    where = content.places.get(("workdir",), family.where)
    if content.workdir and _FLEETING.fullmatch(content.workdir):
        yield _lost(content.workdir, where)
    if user.home and (_FLEETING.fullmatch(user.home) or _OURS.fullmatch(user.home)):
        yield _lost(user.home, user.where or family.where)
    elif user.home and _SYSTEM.fullmatch(user.home):
        why = f"{user.home} cannot be a user's home: it is the system's"
        yield Finding(why, "such as /work or /home/NAME", user.where or family.where)
    paths: dict[str, Position] = {}
    for one in content.files:
        if _FLEETING.fullmatch(one.path) or _OURS.fullmatch(one.path):
            yield _lost(one.path, one.where)
        elif one.path in paths:
            yield _twice(f"two files go to {one.path}", paths[one.path], one.where)
        paths.setdefault(one.path, one.where)
    steps: dict[str, Position] = {}
    for step in content.steps:
        if step.name in steps:
            yield _twice(f"two steps are named {step.name}", steps[step.name], step.where)
        steps.setdefault(step.name, step.where)


def clashes(family: Family, slots: Mapping[str, Chosen]) -> Iterator[Finding]:
    """A finding for each variable that a component of a combination sets as well."""
    for chosen in slots.values():
        theirs = {*chosen.component.data.get("environment", {}), *chosen.version.environment}
        for name in sorted(theirs & family.content.env.keys()):
            hint = "take it out of `env`: programs find the component by it"
            where = family.content.places["env", name]
            yield Finding(f"{chosen.text} sets {name} itself", hint, where)


def _lost(path: str, where: Position) -> Finding:
    why = f"nothing can be put at {path}"
    if _OURS.fullmatch(path):
        return Finding(why, "Bakestone keeps there what it measured: choose another path", where)
    return Finding(why, "containers mount over it, or clear it: choose another path", where)


def _twice(why: str, first: Position, where: Position) -> Finding:
    return Finding(f"{why} (the first on line {first.line})", "take one of them out", where)
