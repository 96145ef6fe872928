"""apt: the RUN instruction that installs packages, pinned in one of three ways, and the question
what apt would install today, asked of apt inside the base image itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from bakestone.core.library.component import Repository
from bakestone.core.lock.lock import LockedPackages
from bakestone.core.lock.needs import PackageSet
from bakestone.core.render.frames import TOOL_STAGES, ToolStages, mounted, tools
from bakestone.core.render.packages import debversion
from bakestone.core.render.packages.closure import by_platform, command, pinned
from bakestone.core.render.packages.updates import PackagesQuestion, Updates
from bakestone.errors import fail

BEGIN = (". /tools/apt.sh",)
"""How every script that uses apt begins: what is in tools/apt.sh can be called then."""
TOOLS = ("timed.sh", "apt.sh", "wheels.sh", "user.sh")
"""What a stage `tools` needs for such scripts."""
KEYRING_TOOLS = ("keyrings.sh",)
"""What it needs for the RUN that makes keyrings."""
_ARCHITECTURE = "dpkg --print-architecture"
Act = Callable[[list[str]], list[str]]
"""Package names, or `name=version` -> the shell lines that do something with them."""


@dataclass(frozen=True)
class Steps:
    """A script about packages: lines before, what is done with them, and lines after."""

    begin: list[str]
    act: Act
    end: list[str]


_SECRETS = "--mount=type=secret,id=apt --mount=type=secret,id=ca"
_MIRRORS = "--mount=type=secret,id=mirrors"
_WOULD_INSTALL = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ")
_UNKNOWN = re.compile(
    r"E: (?:Unable to locate package|Package) '?([a-z0-9][a-z0-9+.-]*[a-z0-9+])(?= has no"
    r" installation|'|$)"
)
_NO_VERSION = re.compile(r"E: Version '(\S+)' for '(\S+)' was not found")
_DISTRUSTED = re.compile(
    r"^bakestone: keyring |NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|is not signed\.$"
)
_FINGERPRINT = re.compile(r"^  [0-9A-F]{40}$")
_NAME, _VERSION = r"[a-z0-9][a-z0-9+.:-]*", r"[0-9A-Za-z.+~:-]+"
_WITH_ORIGIN = re.compile(
    rf"^Inst ({_NAME}) (?:\[({_VERSION})\] )?\(({_VERSION}) (.*?) \[[a-z0-9-]+\]\)"
)
_MADISON = re.compile(rf"^ *({_NAME}) \| *({_VERSION}) \| \S+ (\S+) ")
_SECURITY = re.compile(r"-security$|/updates$|^Debian-Security:|-security/|/updates/")
"""What a suite, or an origin as apt names it, is called when it has security updates (Debian before
11: buster/updates).
"""
_UPGRADES = "apt dist-upgrade --simulate > /out/upgrades"
_ARCHIVE = (
    "sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p' /out/* | sort -u | xargs -r apt-cache madison >"
    " /out/archive{}"
)
_REASON = re.compile(r"^(?:E:|W:|Err)|^The .* DOWNGRADED: |^\s*\S+ : (?:Pre)?Depends: ")


def install(
    packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...], stages: ToolStages
) -> str:
    """The RUN that installs a package set as the lock pins it.

    Raises `BakestoneError` when it does not hold the set.
    """
    vendors = ", ".join(r.name for r in packages.repositories)
    title = f"# packages from {vendors}" if vendors else "# distro packages"
    begin = [title, *stages.begin, *BEGIN]
    return script(packages, locked, platforms, Steps(begin, _install, ["clean"]), stages)


def script(
    packages: PackageSet,
    locked: LockedPackages,
    platforms: tuple[str, ...],
    steps: Steps,
    stages: ToolStages = TOOL_STAGES,
) -> str:
    """A RUN in which apt sees the sources that the lock names for a package set.

    Raises `BakestoneError` when the lock does not hold the set.
    """
    ways = {"snapshot": _snapshot, "frozen": _frozen}
    way = ways.get(locked.pins, _versions)
    lines = [*steps.begin, *way(packages, locked, platforms, steps.act), *steps.end]
    lists = locked.pins == "snapshot" or bool(packages.repositories)
    return run(lines, stages, lists=lists, keyrings=bool(packages.repositories))


def run(
    lines: list[str],
    stages: ToolStages = TOOL_STAGES,
    *,
    lists: bool = False,
    keyrings: bool = False,
) -> str:
    """A RUN of a script that uses apt, with the site's settings as secrets.

    `lists` is for a script that writes source lists: the site's mirrors are then among the secrets.
    With `keyrings`, what that stage made is at /keyrings.
    """
    mounts = [mounted(stages.tools), _SECRETS, *([_MIRRORS] if lists else [])]
    mounts += [mounted(stages.keyrings, "/keyrings", "/out")] if keyrings else []
    return f"RUN {' '.join(mounts)} <<'EOF'\n" + "\n".join(lines) + "\nEOF\n"


def vendor_sources(
    repositories: tuple[Repository, ...], platforms: tuple[str, ...], *, with_parts: bool
) -> list[str]:
    """Shell lines after which apt reads the vendors' repositories beside /etc/apt/sources.list.

    `with_parts` keeps the base's own sources.list.d as well, but for files with one of the same
    repositories. Gives nothing when there are no repositories.
    """
    if not repositories:
        return []
    secure = any("https://" in r.line for r in repositories)
    lines = ["https_method", "https"] if secure else []
    if with_parts:
        urls = sorted({r.line.split()[0].rstrip("/") for r in repositories})
        lines += [" ".join(["parts", *map(shlex.quote, urls)])]
    return [*lines, *_list("vendor", [], repositories, platforms)]


def _list(
    tool: str, sources: list[str], repositories: tuple[Repository, ...], platforms: tuple[str, ...]
) -> list[str]:
    """Shell lines that hand a tool the lines of source lists."""
    everywhere = sources + [_deb(r) for r in repositories if not r.platform or len(platforms) == 1]
    lines = [command([tool, *(f"'{line}'" for line in everywhere)])] if everywhere else []
    for repository in repositories:
        if repository.platform and len(platforms) > 1:
            architecture = repository.platform.split("/")[1]
            lines += [
                f'if [ "$({_ARCHITECTURE})" = {architecture} ]; then',
                f"  {tool} '{_deb(repository)}'",
                "fi",
            ]
    return lines


def _deb(repository: Repository) -> str:
    return f"deb [signed-by=/keyrings/{repository.name}.gpg] {repository.line}"


def _install(names: list[str]) -> list[str]:
    return [command(["packages", *names])]


def _snapshot(
    packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...], act: Act
) -> list[str]:
    sources = packages.distro.snapshot_sources(locked.snapshot)
    if not sources:
        hint = "choose `versions` or `frozen` under `pins` in the site file, then lock again"
        raise fail(f"{packages.distro.text} has no snapshot service", hint, name=packages.base)
    lines = [
        f"# the archive as it was at {locked.snapshot}",
        *_list("only", sources, packages.repositories, platforms),
    ]
    secure = any("https://" in s for s in (*sources, *(r.line for r in packages.repositories)))
    return [*lines, *(["https"] if secure else []), *act(list(packages.names))]


def _frozen(
    packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...], act: Act
) -> list[str]:
    return [
        "# this archive no longer changes; other sources that the base image brings are left aside",
        "no_parts",
        *vendor_sources(packages.repositories, platforms, with_parts=False),
        *act(frozen(packages, locked)),
    ]


def frozen(packages: PackageSet, locked: LockedPackages) -> list[str]:
    """What is installed from an archive that no longer changes, at the versions that are known."""
    known = locked.known
    return [f"{name}={known[name]}" if name in known else name for name in packages.names]


def _versions(
    packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...], act: Act
) -> list[str]:
    pins = pinned(packages, locked, platforms, "{}={}".format)
    first = pins[platforms[0]]
    sources = vendor_sources(packages.repositories, platforms, with_parts=True)
    if all(names == first for names in pins.values()):
        return [*sources, *act(first)]
    lines = by_platform(
        _ARCHITECTURE, {platform.split("/")[1]: names for platform, names in pins.items()}
    )
    split = "# shellcheck disable=SC2086 # one word a package"
    return [*lines, *sources, split, *act(["$packages"])]


def question(asked: PackagesQuestion) -> str:
    """A Dockerfile whose result has one file a set, named by its number: what apt says it would
    install.

    With `updates` there is also `upgrades`, what would be newer of the packages
    that the image has, and files `archive*` with every version of all these packages and the suite
    that has it.
    """
    numbered = sorted(enumerate(asked.sets), key=lambda pair: _vendors(pair[1]))
    used = {r.name: r for s in asked.sets for r in s.repositories}
    texts = first_stages(asked.keyrings or asked.origin, used)
    stages: list[str] = []
    for names, group in groupby(numbered, key=lambda pair: _vendors(pair[1])):
        here = tuple(used[name] for name in names if used[name].platform in ("", asked.platform))
        lines = [*BEGIN, *vendor_sources(here, (asked.platform,), with_parts=True)]
        lines += [
            f"# {asked.when}: asked anew each time, never answered from the cache",
            "apt update",
            "mkdir -p /out",
        ]
        lines += [line for number, s in group for line in _simulated(s, number)]
        if asked.updates:
            lines += [*([_UPGRADES] if not stages else []), _ARCHIVE.format(len(stages))]
        stages.append(f"ask{len(stages)}")
        script = run(lines, lists=bool(here), keyrings=bool(here))
        texts.append(f"FROM {asked.origin} AS {stages[-1]}\n{script}")
    copies = "".join(f"COPY --from={stage} /out/ /\n" for stage in stages)
    return "\n".join([*texts, f"FROM scratch\n{copies}"])


def _simulated(packages: PackageSet, number: int) -> list[str]:
    """Shell lines that say what a set would install. Where a version of the archive is asked for,
    and is not there, they show those that are; where the base has a newer one, they end with that,
    since the step that installs it would.
    """
    command = f"apt install --simulate --no-install-recommends {' '.join(packages.names)}"
    exact = [name.partition("=")[0] for name in packages.names if "=" in name]
    if not exact or packages.repositories:
        return [f"{command} > /out/{number}"]
    return [
        f"{command} > /out/{number} || {{ apt-cache madison {' '.join(exact)} >&2; exit 1; }}",
        f"sed -n '/DOWNGRADED:$/{{N; s/\\n/ /; p}}' /out/{number} >&2",
        f"if grep -q DOWNGRADED: /out/{number}; then exit 1; fi",
    ]


def _vendors(packages: PackageSet) -> tuple[str, ...]:
    return tuple(r.name for r in packages.repositories)


def first_stages(builder: str, named: Mapping[str, Repository]) -> list[str]:
    """What a Dockerfile that asks apt begins with: the stage `tools`, and where vendors are asked
    `keyring-files` and `keyrings`, made on the image `builder` with the packages of the day.
    """
    if not named:
        return [tools(TOOLS)]
    repositories = [named[name] for name in sorted(named)]
    lines = [*BEGIN, "packages gnupg"]
    files = "".join(f"ADD {r.key} /{r.name}.key\n" for r in repositories)
    keys = [(r.name, r.fingerprint) for r in repositories]
    return [
        tools([*TOOLS, *KEYRING_TOOLS]),
        f"FROM scratch AS keyring-files\n{files}",
        f"FROM {builder} AS keyrings\n{run(lines)}\n{keyrings_run(keys, 'keyring-files', 'tools')}",
    ]


def keyrings_run(keys: Iterable[tuple[str, str]], files: str, tools: str) -> str:
    """The RUN that makes /out/NAME.gpg of NAME.key in the stage `files`, each with the one key that
    the library names; `keys` are names and fingerprints. It needs gnupg.
    """
    wanted = command(["sh /tools/keyrings.sh", *(f"{name} {key}" for name, key in keys)])
    return f"RUN {mounted(tools)} {mounted(files, '/keys')} <<'EOF'\n{wanted}\nEOF\n"


def closure(answer: str) -> dict[str, str]:
    """Package -> version of what apt said it would install."""
    return {found[1]: found[2] for found in map(_WOULD_INSTALL.match, answer.splitlines()) if found}


def updates(answers: Mapping[str, str]) -> Updates:
    """What the files of a question with `updates` say: name of a file -> its text.

    A package's update is a security update when apt would take it from a security suite, or when
    such a suite has a version that is newer than the pinned one, since a point release may have
    brought a later one.
    """
    secure: dict[str, set[str]] = {}
    for line in "\n".join(
        text for name, text in sorted(answers.items()) if name.startswith("archive")
    ).splitlines():
        found = _MADISON.match(line)
        if found and _SECURITY.search(
            found[3].partition("/")[0] if "/updates/" not in found[3] else found[3]
        ):
            secure.setdefault(found[1], set()).add(found[2])
    upgrades, sets = {}, {}
    for name, text in answers.items():
        lines = [found for found in map(_WITH_ORIGIN.match, text.splitlines()) if found]
        for found in lines:
            if any(_SECURITY.search(origin.strip()) for origin in found[4].split(",")):
                secure.setdefault(found[1], set()).add(found[3])
        if name == "upgrades":
            upgrades = {found[1]: (found[2], found[3]) for found in lines if found[2]}
        elif name.isdigit():
            sets[int(name)] = {found[1]: found[3] for found in lines}
    return Updates(sets, upgrades, secure, debversion.newer)


def reasons(lines: Iterable[str]) -> list[str]:
    """The lines in which apt says what is wrong."""
    return [line for line in lines if _REASON.match(line)]


def unknown(lines: Iterable[str]) -> set[str]:
    """The packages, or `name=version`, that apt does not know."""
    names: set[str] = set()
    for line in lines:
        names.update(_UNKNOWN.findall(line))
        names.update(f"{name}={version}" for version, name in _NO_VERSION.findall(line))
    return names


def versions(lines: Iterable[str]) -> dict[str, list[str]]:
    """Package -> the versions that there are, where the log has them."""
    found: dict[str, dict[str, None]] = {}
    for one in filter(None, map(_MADISON.match, lines)):
        found.setdefault(one[1], {})[one[2]] = None
    return {name: list(there) for name, there in found.items()}


def distrusted(lines: Iterable[str]) -> list[str]:
    """The lines that tell of a key or a signature that is not the library's, with the fingerprints
    of a file of keys.
    """
    return [line.strip() for line in lines if _DISTRUSTED.search(line) or _FINGERPRINT.match(line)]
