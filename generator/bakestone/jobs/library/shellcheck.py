"""Whether `sh` can read a script; and what shellcheck says of it, where that is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

from bakestone.errors import ENVIRONMENT, Finding, Position, fail

_SHELLCHECK = re.compile(r"^[^:]*:(\d+):(\d+): \w+: (.*)$")
_SYNTAX = re.compile(r"(?:line )?(\d+): (.*)$")
TIMEOUT = 60
"""Seconds. A script of a component is read in milliseconds."""


def findings(script: str, origin: str) -> Iterator[Finding]:
    """A finding for each thing that is wrong; `origin` is the script's name in them."""
    lines = script.splitlines()

    def position(line: int, column: int) -> Position:
        return Position(origin, line, column, lines[line - 1] if line <= len(lines) else "")

    done = _run(["sh", "-n"], script)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it cannot be read"])[0]
        found = _SYNTAX.search(said)
        number, why = (int(found[1]), found[2]) if found else (1, said)
        yield Finding(why, "correct the script", position(number, 1))
    elif shutil.which("shellcheck"):
        command = ["shellcheck", "-s", "sh", "-S", "warning", "-f", "gcc", "-"]
        for line in _run(command, script).stdout.splitlines():
            if found := _SHELLCHECK.match(line):
                where = position(int(found[1]), int(found[2]))
                yield Finding(found[3], "see shellcheck.net", where)


def _run(command: list[str], script: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=script, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.SubprocessError) as problem:
        why = f"{command[0]} cannot be run: {problem}"
        raise fail(why, "install it", name=command[0], code=ENVIRONMENT) from problem
