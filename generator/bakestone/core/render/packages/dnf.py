"""dnf: the RUN instruction that installs packages at exact versions, and the question what it would
install today, asked of dnf inside the base image itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from bakestone.core.lock.lock import LockedPackages
from bakestone.core.lock.needs import PackageSet
from bakestone.core.render.frames import TOOL_STAGES, ToolStages, mounted, program
from bakestone.core.render.frames import question as asking
from bakestone.core.render.packages.closure import by_platform, command, pinned
from bakestone.core.render.packages.updates import PackagesQuestion, Updates
from bakestone.errors import fail

REPOSITORIES = "/tmp/repositories"  # noqa: S108
"""Where the site's form of the repository files is, when the site has mirrors."""
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
BEGIN = (". /tools/dnf.sh",)
"""How every script that uses dnf begins: dnf's own Python is in "$python" then, and, where the site
has mirrors, the repository files with them in `REPOSITORIES`.
"""
TOOLS = ("timed.sh", "dnf.sh", "wheels.sh", "user.sh")
"""What a stage `tools` needs for such scripts."""
_LINE = re.compile(
    r"^([A-Za-z0-9][A-Za-z0-9+._-]*\.[a-z0-9_]+) ([0-9]+:[A-Za-z0-9.+_~^]+-[A-Za-z0-9.+_~^]+)$"
)
_UNKNOWN = re.compile(r"bakestone: no package (\S+)$")
_VERSIONS = re.compile(r"bakestone: versions of (\S+): (.+)$")


def install(
    packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...], stages: ToolStages
) -> str:
    """The RUN that installs a package set at the lock's versions; empty when the base has all of
    it.

    Raises `BakestoneError` when the lock does not hold the set, or pins it in a way that dnf has
    not.
    """
    distro = packages.distro.text
    if locked.pins != "versions":
        why = f"packages of {distro} cannot be pinned by {locked.pins}"
        hint = "choose `versions` under `pins` in the site file, then lock again"
        raise fail(why, hint, name=packages.base)
    if packages.repositories:
        raise fail(
            f"{distro} cannot use the repository {packages.repositories[0].name}: it is made"
            " for apt",
            "choose another method",
            name=packages.base,
        )
    pins = pinned(packages, locked, platforms, nevra)
    first = pins[platforms[0]]
    if not any(pins.values()):
        return ""
    lines = ["# distro packages", *stages.begin, *BEGIN]
    if all(names == first for names in pins.values()):
        lines += [command(["packages", *first])]
    else:
        lines += by_platform(
            "uname -m", {_MACHINES[platform]: names for platform, names in pins.items()}
        )
        lines += [
            "# shellcheck disable=SC2086 # one word a package",
            'if [ -n "$packages" ]; then packages $packages; fi',
        ]
    return run([*lines, "clean"], stages)


def run(lines: list[str], stages: ToolStages = TOOL_STAGES) -> str:
    """A RUN of a script that uses dnf, with the site's settings as secrets."""
    mounts = f"{mounted(stages.tools)} --mount=type=secret,id=ca --mount=type=secret,id=mirrors"
    return f"RUN {mounts} <<'EOF'\n" + "\n".join(lines) + "\nEOF\n"


def nevra(name: str, version: str) -> str:
    """As dnf names exactly one package:

    `gcc.x86_64` at `0:8.5.0-22.el8_10` is gcc-0:8.5.0-22.el8_10.x86_64.
    """
    package, _, machine = name.rpartition(".")
    return f"{package}-{version}.{machine}"


def resolver(*, updates: bool = False) -> str:
    """The program that writes what dnf would install into /out, one file a set; with `updates` also
    what would be newer.

    It runs with the Python of dnf itself: 3.6 on version 8.
    """
    whole = program("closure.py")
    begin, end = (whole.index(f"    # {mark} of the updates") for mark in ("begin", "end"))
    inner = whole[begin + 1 : end] if updates else []
    return "\n".join([*whole[:begin], *inner, *whole[end + 1 :], ""])


def question(asked: PackagesQuestion) -> str:
    """A Dockerfile whose result has one file a set, named by its number: what dnf would install, a
    package a line.

    With `updates` there is also `upgrades`, what would be newer of the packages that the image has
    (name, old, new), and `security`, every package of a security advisory.
    """
    wanted = json.dumps([s.names for s in asked.sets])
    lines = [
        *BEGIN,
        f"# {asked.when}: asked anew each time, never answered from the cache",
        "mkdir -p /out",
    ]
    lines += [f"\"$python\" - '{wanted}' <<'PYTHON'", resolver(updates=asked.updates) + "PYTHON"]
    return asking(TOOLS, asked.origin, run(lines))


def closure(answer: str) -> dict[str, str]:
    """`name.arch` -> `epoch:version-release` of what dnf would install.

    Raises `ValueError` for anything else.
    """
    found: dict[str, str] = {}
    for line in answer.splitlines():
        package = _LINE.match(line)
        if package is None or package[1] in found:
            raise ValueError(f"not a package, or one of two versions: {line}")
        found[package[1]] = package[2]
    return found


def updates(answers: Mapping[str, str]) -> Updates:
    """What the files of a question with `updates` say: name of a file -> its text. dnf never goes
    back: another version is a newer one.
    """
    secure: dict[str, set[str]] = {}
    for package, version in (line.split() for line in answers.get("security", "").splitlines()):
        secure.setdefault(package, set()).add(version)
    upgrades = {
        name: (old, new)
        for name, old, new in (line.split() for line in answers.get("upgrades", "").splitlines())
    }
    sets = {int(name): closure(text) for name, text in answers.items() if name.isdigit()}
    return Updates(sets, upgrades, secure, lambda new, old: new != old)


def reasons(lines: Iterable[str]) -> list[str]:
    """The lines in which the script says what is wrong."""
    return [
        line.removeprefix("bakestone: ") for line in lines if line.startswith("bakestone: dnf: ")
    ]


def unknown(lines: Iterable[str]) -> set[str]:
    """The packages that dnf does not know."""
    return {name for line in lines for name in _UNKNOWN.findall(line)}


def versions(lines: Iterable[str]) -> dict[str, list[str]]:
    """Package -> the versions that there are, where the log has them."""
    return {name: said.split() for line in lines for name, said in _VERSIONS.findall(line)}


def distrusted(lines: Iterable[str]) -> list[str]:
    """The lines that tell of a signature that does not hold."""
    return [line for line in lines if "GPG" in line and "bakestone: dnf: " in line]
