"""Packages of dnf: the very files that dnf fetches in the base image, with the whole metadata of
every repository that it reads.

Everything is kept under the address that the base's own repository files spell, also in a commented
baseurl: a mirror list leads somewhere else every day, and it is these addresses that `mirrors`
replaces when the image is built.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bakestone.core.lock.lock import LockedPackages
from bakestone.core.render.frames import question
from bakestone.core.render.packages import dnf
from bakestone.core.render.packages.closure import pinned
from bakestone.jobs.archive.collect.wanted import Packages

_CACHE = "/var/cache/bakestone-archive"
_MOUNT = f"--mount=type=cache,id=bakestone-archive-rpms,target={_CACHE},sharing=locked"
"""dnf keeps what it has downloaded there, and checks it again: a run that was interrupted goes on
where it stopped.
"""

_PROGRAM = (Path(__file__).parent / "programs" / "rpms.py").read_text("utf-8")


def stage(origin: str, sets: Sequence[Packages], locked: LockedPackages) -> str:
    """A Dockerfile whose result has, for each set by its number, `uris` and `index` as indexes.sh
    writes them for apt.

    Raises `BakestoneError` when the lock does not hold a set.
    """
    pins = {}
    for number, packages in enumerate(sets):
        (names,) = pinned(packages.wanted, locked, (packages.platform,), dnf.nevra).values()
        if names:  # else the base has all of it, and the Dockerfile does not run dnf
            pins[str(number)] = names
    folders = " ".join(f"/out/{number}" for number in range(len(sets)))
    lines = [
        *dnf.BEGIN,
        "mkdir -p /out/debs",
        f"for folder in {folders}; do",
        '  mkdir -p "$folder/lists"; touch "$folder/uris" "$folder/index"',
        "done",
    ]
    if pins:
        words = f"'{json.dumps(pins)}' {dnf.REPOSITORIES} {_CACHE}"
        lines += [f"\"$python\" - {words} <<'PYTHON'\n{_PROGRAM}PYTHON"]
    run = dnf.run(lines).replace("RUN ", f"RUN {_MOUNT} ", 1)
    return question(dnf.TOOLS, origin, run, "packages")
