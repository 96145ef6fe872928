"""What is installed with a wheel: all that it asks for, as uv resolves it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence

from packaging.utils import canonicalize_name
from uv import find_uv_bin

from bakestone.clients.index.pip import Places
from bakestone.errors import ENVIRONMENT, fail

_TIMEOUT = 600
"""Seconds for one question: some wheels have their metadata inside only."""
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([0-9A-Za-z.+!]+)")
_GLIBCS = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
"""Minor versions of glibc 2 that uv has a platform for (`uv pip compile --help`)."""


def closure(
    wanted: str, python: str, glibc: int, constraints: Sequence[str], places: Places
) -> dict[str, str]:
    """Project -> version of all that `wanted` (`onnxruntime==1.32.0`) is installed with.

    It is resolved for CPython `python` (`3.11`) on Linux on amd64 with glibc 2.`glibc` or the next
    that uv knows, from wheels alone. Raises `BakestoneError` when there is no such set, or no
    answer.
    """
    floor = next((known for known in _GLIBCS if known >= glibc), _GLIBCS[-1])
    command = [find_uv_bin(), "pip", "compile", "-", "--quiet", "--no-config", "--no-cache"]
    command += ["--no-header", "--no-annotate", "--only-binary", ":all:"]
    command += ["--python-version", python, "--python-platform", f"x86_64-manylinux_2_{floor}"]
    # what an index asks as a login is in the environment: command lines can be seen by others
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PIP_"))}
    environment["UV_DEFAULT_INDEX"] = places.indexes[0] if places.indexes else ""
    environment["UV_INDEX"] = " ".join(places.indexes[1:])
    environment["UV_FIND_LINKS"] = " ".join(places.links)
    for name in ("HTTP_PROXY", "HTTPS_PROXY") if places.proxies else ():
        environment[name] = places.proxies["http"]
    where = f"{wanted}, Python {python}"
    try:
        done = subprocess.run(
            command,
            env={name: text for name, text in environment.items() if text},
            input="\n".join([wanted, *constraints]),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        hint = "try again later"
        raise fail("uv gives no answer", hint, name=where, code=ENVIRONMENT) from problem
    if done.returncode != 0:
        # what uv prints may have the URL of an index, and that a login: it is not shown
        hint = f"`uv pip compile --only-binary :all:` with {wanted} says why"
        raise fail("uv finds no set of wheels", hint, name=where, code=ENVIRONMENT)
    return {canonicalize_name(name): version for name, version in _PIN.findall(done.stdout)}
