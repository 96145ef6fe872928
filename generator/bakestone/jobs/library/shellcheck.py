"""Whether a script is one that `sh` can read; and what shellcheck says of it, where that is
installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

from bakestone.errors import ENVIRONMENT, Finding, Position, fail

_SHELLCHECK = re.compile(r"^[^:]*:(\d+):(\d+): (\w+): (.*)$")
_SYNTAX = re.compile(r"(?:line )?(\d+): (.*)$")
TIMEOUT = 60
"""Seconds. A script of a component is read in milliseconds."""


def findings(script: str, origin: str) -> Iterator[Finding]:
    """A finding for each thing that is wrong; `origin` is the script's name in them."""
    lines = script.splitlines()
    done = _run(["sh", "-n"], script)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it cannot be read"])[0]
        found = _SYNTAX.search(said)
        number = int(found[1]) if found else 1
        yield Finding(
            found[2] if found else said, "correct the script", _position(origin, lines, number, 1)
        )
        return
    if shutil.which("shellcheck"):
        for line in _run(
            ["shellcheck", "-s", "sh", "-S", "warning", "-f", "gcc", "-"], script
        ).stdout.splitlines():
            found = _SHELLCHECK.match(line)
            if found:
                why = found[4]
                hint = "see shellcheck.net"
                yield Finding(why, hint, _position(origin, lines, int(found[1]), int(found[2])))


def _position(origin: str, lines: list[str], number: int, column: int) -> Position:
    return Position(origin, number, column, lines[number - 1] if number <= len(lines) else "")


def _run(command: list[str], script: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=script, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.SubprocessError) as problem:
        why = f"{command[0]} cannot be run: {problem}"
        raise fail(why, "install it", name=command[0], code=ENVIRONMENT) from problem
