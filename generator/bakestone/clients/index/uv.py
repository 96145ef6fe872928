"""What is installed with a wheel, or with a list of requirements: all that it asks for, as uv
resolves it.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name
from uv import find_uv_bin

from bakestone.clients.index.pip import Places
from bakestone.errors import ENVIRONMENT, INPUT, fail

_TIMEOUT = 600
"""Seconds for one question: some wheels have their metadata inside only."""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([0-9A-Za-z.+!]+)", re.M)
_GLIBCS = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
"""Minor versions of glibc 2 that uv has a platform for (`uv pip compile --help`)."""
_REASON = 1200
"""Characters of what uv says of requirements that do not go together."""


def closure(
    wanted: str, python: str, glibc: int, constraints: Sequence[str], places: Places
) -> dict[str, str]:
    """Project -> version of all that `wanted` (`onnxruntime==1.32.0`) is installed with.

    It is resolved for CPython `python` (`3.11`) on Linux on amd64 with glibc 2.`glibc` or the next
    that uv knows, from wheels alone. Raises `BakestoneError` when there is no such set, or no
    answer.
    """
    floor = next((known for known in _GLIBCS if known >= glibc), _GLIBCS[-1])
    where = f"{wanted}, Python {python}"
    target = f"x86_64-manylinux_2_{floor}"
    done = _compile(_Question([wanted, *constraints], python, target), places, where)
    if done.returncode != 0:
        # what uv prints may have the URL of an index, and that a login: it is not shown
        hint = f"`uv pip compile --only-binary :all:` with {wanted} says why"
        raise fail("uv finds no set of wheels", hint, name=where, code=ENVIRONMENT)
    return {canonicalize_name(name): version for name, version in _PIN.findall(done.stdout)}


@dataclass(frozen=True)
class Target:
    """CPython `python` (`3.13`) on Linux on a `machine` (x86_64) with glibc 2.`glibc`."""

    python: str
    glibc: int
    machine: str

    @property
    def platform(self) -> str:
        """As uv calls it, with the last glibc before it that uv knows."""
        known = max((one for one in _GLIBCS if one <= self.glibc), default=_GLIBCS[0])
        return f"{self.machine}-manylinux_2_{known}"


def resolve(
    requirements: Sequence[str],
    target: Target,
    before: Mapping[str, str],
    places: Places,
    more: Mapping[str, bytes],
) -> dict[str, str]:
    """Project -> version of all that the requirements are installed with, from wheels alone: those
    of the index, and `more` by their names. Versions of `before` are kept where they fit.

    Raises `BakestoneError` when there is no such set, with what uv says, or no answer.
    """
    python = target.python
    where = ", ".join(requirements)
    where = where if len(where) <= 80 else f"{where[:77]}..."
    question = _Question(requirements, python, target.platform, before, more)
    done = _compile(question, places, where)
    if done.returncode != 0:
        said = " ".join(re.sub(r"\S*://\S+", "the index", done.stderr).split())
        none, found, reason = said.partition("No solution found when resolving dependencies")
        if not found:
            why = f"uv gives no answer: {none[:_REASON] or 'it says nothing'}"
            hint = "is the package index reachable? The site file says which it is, under `pip`"
            raise fail(why, hint, name=where, code=ENVIRONMENT)
        reason = re.sub(r"^\W*(cause)?\W*", "", reason)[:_REASON]
        why = f"no wheels go together on Python {python}: {reason}"
        hint = "change the requirements, or the Python; does the index have wheels of all of them?"
        raise fail(why, hint, name=where, code=INPUT)
    return {canonicalize_name(name): version for name, version in _PIN.findall(done.stdout)}


@dataclass(frozen=True)
class _Question:
    """What uv is asked: with the versions of `before` where they fit, and the wheels `more`."""

    requirements: Sequence[str]
    python: str
    platform: str
    before: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, bytes] = field(default_factory=dict)


def _compile(asked: _Question, places: Places, where: str) -> subprocess.CompletedProcess[str]:
    command = [find_uv_bin(), "pip", "compile", "-", "--quiet", "--no-config", "--no-cache"]
    command += ["--no-header", "--no-annotate", "--only-binary", ":all:"]
    command += ["--python-version", asked.python, "--python-platform", asked.platform]
    # what an index asks as a login is in the environment: command lines can be seen by others
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PIP_"))}
    environment["UV_DEFAULT_INDEX"] = places.indexes[0] if places.indexes else ""
    environment["UV_INDEX"] = " ".join(places.indexes[1:])
    environment["UV_FIND_LINKS"] = ",".join(places.links)  # indexes have spaces between them
    for name in ("HTTP_PROXY", "HTTPS_PROXY") if places.proxies else ():
        environment[name] = places.proxies["http"]
    with tempfile.TemporaryDirectory(prefix="bakestone-uv-") as folder:
        for name, wheel in asked.more.items():
            Path(folder, name).write_bytes(wheel)
        if asked.more:
            command += ["--find-links", folder]
        if asked.before:  # uv keeps the versions of the file that it writes
            output = Path(folder, "requirements.txt")
            output.write_text("".join(f"{name}=={v}\n" for name, v in sorted(asked.before.items())))
            command += ["--output-file", str(output)]
        else:
            output = None
        try:
            done = subprocess.run(
                command,
                env={name: text for name, text in environment.items() if text},
                input="\n".join(asked.requirements),
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            hint = "try again later"
            raise fail("uv gives no answer", hint, name=where, code=ENVIRONMENT) from problem
        if output:  # then it prints nothing
            done.stdout = output.read_text()
        return done
