"""What a team adds: places that are not a team's to fill, things said twice, and variables that a
component sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from bakestone.core.matrix.checks import environments
from bakestone.core.matrix.content import MAX_FILES, PREFIX, OwnPython
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import Chosen, slot_context
from bakestone.errors import Finding, Position

_FLEETING = re.compile(r"/(proc|sys|dev|run|tmp|var/tmp|var/run)(/.*)?")
"""What a container mounts over, or what is cleared."""
_OURS = re.compile(r"/usr/share/bakestone(/.*)?|/etc/(passwd|group|shadow|gshadow)")
_MEASURING = re.compile(
    r"/(bin|sbin|lib|lib32|lib64|usr/bin|usr/sbin|usr/lib(32|64)?)/[^/]*"
    r"|/(usr/)?lib(32|64)?/.*|/var/lib/(dpkg|rpm|apt)(/.*)?|/etc/(ld\.so\..*|dpkg/.*|rpm/.*)"
)
"""Where the programs are that the gate measures with, and what package managers know."""
_SHARED = ("", "/", "/usr", "/usr/local")
"""Prefixes of components that have no folder of their own."""
_SYSTEM = re.compile(
    r"/(media|mnt|opt|srv|home)|/(bin|boot|etc|lib|lib32|lib64|root|sbin|usr|var)(/.*)?"
)
"""Folders that are everybody's: a user's home is group-writable."""


def check(family: Family) -> Iterator[Finding]:
    """A finding for each place that a file, a home or a working directory cannot be at, and for
    each second file or step of one name.
    """
    content, user = family.content, family.user
    where = content.places.get(("workdir",), family.where)
    if content.workdir and (
        _FLEETING.fullmatch(content.workdir) or _OURS.fullmatch(content.workdir)
    ):
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
        elif _MEASURING.fullmatch(one.path):
            why = f"{one.path} is the distro's: the gate measures with what is there"
            yield Finding(why, "choose a path below /usr/local, /opt, /etc or a home", one.where)
        elif one.path in paths:
            yield _twice(f"two files go to {one.path}", paths[one.path], one.where)
        paths.setdefault(one.path, one.where)
    yield from _start(family)
    if content.python:
        yield from _environment(content.python, paths)
    sizes = (len(one.content) for one in content.files)
    if sum(sizes) + sum(len(one.der) for one in content.certificates) > MAX_FILES:
        why = f"the files of the family {family.name} have more than {MAX_FILES} bytes in all"
        hint = "what is larger is a component, whose files have checksums"
        places = [c.where for c in content.certificates] + [f.where for f in content.files]
        yield Finding(why, hint, places[-1])
    steps: dict[str, Position] = {}
    for step in content.steps:
        if step.name in steps:
            yield _twice(f"two steps are named {step.name}", steps[step.name], step.where)
        steps.setdefault(step.name, step.where)


def _environment(python: OwnPython, files: Mapping[str, Position]) -> Iterator[Finding]:
    """Whether the environment of Python has a folder to itself."""
    place, where = python.prefix, python.where
    if _FLEETING.fullmatch(place) or _OURS.fullmatch(place):
        yield _lost(place, where)
    elif _SYSTEM.fullmatch(place) and not place.startswith(("/usr/local/", "/var/")):
        why = f"{place} cannot be an environment of Python: it is the system's"
        yield Finding(why, f"a folder of its own, such as {PREFIX}", where)
    for path, there in files.items():
        if f"{path}/".startswith(f"{place}/"):
            why = f"{path} is below {place}, where the environment of Python is"
            yield Finding(why, "what is measured there must be its own", there)


def ended(families: Iterable[Family], at: date, ahead: timedelta) -> list[Finding]:
    """A warning for each certificate that does not hold at a date, or will not after `ahead`."""
    found: dict[tuple[Position, bytes], Finding] = {}
    for one in (one for family in families for one in family.content.certificates):
        begins, ends = one.begins.date(), one.ends.date()
        if begins > at:
            why = f"does not hold before {begins}"
        elif ends < at:
            why = f"ended on {ends}"
        elif ends < at + ahead:
            why = f"ends on {ends}"
        else:
            continue
        why = f"the certificate of {one.subject} in {one.origin} {why}"
        hint = "put the one that follows it beside it: an image may have both"
        found[one.where, one.der] = Finding(why, hint, one.where, severity="warning")
    return list(found.values())


def _start(family: Family) -> Iterator[Finding]:
    """Whether what a container begins with is one of the team's files, and cannot be run."""
    content = family.content
    words = content.entrypoint or content.cmd or ()
    key = "entrypoint" if content.entrypoint else "cmd"
    for one in content.files:
        if words and one.path == words[0] and not int(one.mode, 8) & 0o111:
            why = f"{one.path} begins each container, and its mode {one.mode} lets nobody run it"
            yield Finding(why, 'give it `mode: "0755"` under `files`', content.places[key,])


def clashes(family: Family, slots: Mapping[str, Chosen]) -> Iterator[Finding]:
    """A finding for each variable that a component of a combination sets as well, and for each file
    below the folder of one.
    """
    if family.content.python:
        yield from environments.check(family.content.python, slots)
        if environments.VARIABLE in family.content.env:
            hint = "take it out of `env`: programs find the environment by it"
            where = family.content.places["env", environments.VARIABLE]
            yield Finding(f"`python` sets {environments.VARIABLE} itself", hint, where)
    context = slot_context(dict(slots))
    for chosen in slots.values():
        prefix = context[chosen.slot]["prefix"]
        for one in family.content.files if prefix not in _SHARED else ():
            if f"{one.path}/".startswith(f"{prefix}/"):
                why = f"{one.path} is below {prefix}, which {chosen.text} has for itself"
                yield Finding(why, "what the gate measures there must be its own", one.where)
        theirs = {*chosen.component.data.get("environment", {}), *chosen.version.environment}
        for name in sorted(theirs & family.content.env.keys()):
            hint = "take it out of `env`: programs find the component by it"
            where = family.content.places["env", name]
            yield Finding(f"{chosen.text} sets {name} itself", hint, where)


def _lost(path: str, where: Position) -> Finding:
    why = f"nothing can be put at {path}"
    if _OURS.fullmatch(path):
        hint = "Bakestone writes it itself (users, and what it measured): choose another path"
        return Finding(why, hint, where)
    return Finding(why, "containers mount over it, or clear it: choose another path", where)


def _twice(why: str, first: Position, where: Position) -> Finding:
    return Finding(f"{why} (the first on line {first.line})", "take one of them out", where)
