"""What dnf would install, asked of dnf inside the base image itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from bakestone.core.lock.needs import PackageSet
from bakestone.core.render.packages import dnf
from bakestone.core.render.packages.updates import Updates

_LINE = re.compile(
    r"^([A-Za-z0-9][A-Za-z0-9+._-]*\.[a-z0-9_]+) ([0-9]+:[A-Za-z0-9.+_~^]+-[A-Za-z0-9.+_~^]+)$"
)
_UNKNOWN = re.compile(r"bakestone: no package (\S+)$")

# Runs with the Python of dnf itself: 3.6 on version 8. Plugins are not loaded, as with --noplugins.
_ASK = f"""\
import json, os, sys
import dnf

def closure(base, names):
    base.reset(goal=True)
    unknown = []
    for name in names:
        try:
            base.install(name)
        except dnf.exceptions.MarkingError:
            unknown.append("bakestone: no package " + name)
    if unknown:
        sys.exit("\\n".join(unknown))
    base.resolve()
    return base.transaction.install_set if base.transaction else ()

base = dnf.Base()
base.conf.read()
base.conf.substitutions.update_from_etc("/")
base.conf.releasever = base.conf.releasever or ""
base.conf.install_weak_deps = False
base.conf.skip_if_unavailable = False
if os.path.exists("/run/secrets/ca"):
    base.conf.sslcacert = "/run/secrets/ca"
if os.path.isdir("{dnf.REPOSITORIES}"):
    base.conf.reposdir = ["{dnf.REPOSITORIES}"]
try:
    base.read_all_repos()
    base.fill_sack()
    for number, names in enumerate(json.loads(sys.argv[1])):
        with open("/out/%d" % number, "w") as out:
            for p in sorted(closure(base, names)):
                out.write("%s.%s %s:%s-%s\\n" % (p.name, p.arch, p.epoch, p.version, p.release))
"""
_UPDATES = """\
    base.reset(goal=True)
    base.upgrade_all()
    base.resolve()
    before = {(p.name, p.arch): p for p in base.sack.query().installed()}
    line = lambda p: "%s:%s-%s" % (p.epoch, p.version, p.release)
    with open("/out/upgrades", "w") as out:
        for p in sorted(base.transaction.install_set if base.transaction else ()):
            if (p.name, p.arch) in before:
                out.write("%s.%s %s %s\\n" % (p.name, p.arch, line(before[p.name, p.arch]), line(p)))
    with open("/out/security", "w") as out:
        for p in sorted(base.sack.query().available().filter(advisory_type="security")):
            out.write("%s.%s %s\\n" % (p.name, p.arch, line(p)))
"""
_END = """\
except dnf.exceptions.Error as problem:
    sys.exit("bakestone: dnf: " + " ".join(str(problem).split()))
"""
SCRIPT = _ASK + _END
"""Writes what dnf would install into /out, one file a set."""


def question(
    origin: str,
    sets: list[PackageSet],
    platform: str,  # noqa: ARG001
    now: str,
    keyrings: str,  # noqa: ARG001
    *,
    updates: bool = False,
) -> str:
    """A Dockerfile whose result has one file a set, named by its number: what dnf would install, a
    package a line.

    With `updates` there is also `upgrades`, what would be newer of the packages that the image has
    (name, old, new), and `security`, every package of a security advisory.
    """
    wanted = json.dumps([s.names for s in sets])
    lines = [
        "set -eu",
        *dnf.SITE,
        f"# {now}: asked anew each time, never answered from the cache",
        "mkdir -p /out",
    ]
    lines += [
        f"\"$python\" - '{wanted}' <<'PYTHON'",
        _ASK + (_UPDATES if updates else "") + _END + "PYTHON",
    ]
    return f"FROM {origin} AS ask\n{dnf.run(lines)}\nFROM scratch\nCOPY --from=ask /out/ /\n"


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


def distrusted(lines: Iterable[str]) -> list[str]:
    """The lines that tell of a signature that does not hold."""
    return [line for line in lines if "GPG" in line and "bakestone: dnf: " in line]
