"""Frameworks: does the index still say of a wheel what the lock has of it?"""

from __future__ import annotations

from packaging.requirements import Requirement

from bakestone.clients.index import frameworks
from bakestone.clients.index.pages import Pages
from bakestone.core.library.projects import shown
from bakestone.core.lock.lock import LockedFramework
from bakestone.jobs.doctor.report import Trouble

_HINT = "was it edited by hand? `bakestone lock --update` reads it again"


def check(name: str, locked: LockedFramework, index: Pages) -> list[Trouble]:
    """What a wheel's metadata says otherwise than the lock.

    Raises `BakestoneError` when the index cannot be asked, or has no such wheel.
    """
    found = frameworks.read(Requirement(name), index)
    said = {
        "wheel": (locked.wheel, found.filename),
        "checksum": (locked.sha256, found.sha256),
        "Python": (locked.python, found.requires_python),
        "wheels for Python": (", ".join(locked.pythons), ", ".join(found.pythons)),
        "requirements": (", ".join(locked.requires), ", ".join(map(shown, found.wanted))),
    }
    return [
        Trouble(f"its {what}: the lock says {lock or 'none'}, the index {now or 'none'}", _HINT)
        for what, (lock, now) in said.items()
        if lock != now
    ]
