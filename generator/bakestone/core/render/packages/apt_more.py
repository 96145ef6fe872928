"""What apt would install, asked of apt inside the base image itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby

from bakestone.core.documents import template
from bakestone.core.library.component import Repository
from bakestone.core.lock.needs import PackageSet
from bakestone.core.render.frames import frame
from bakestone.core.render.packages import apt, debversion
from bakestone.core.render.packages.updates import Updates

_INSTALL = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ")
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
_UPGRADES = 'apt-get "$@" dist-upgrade --simulate > /out/upgrades'
_ARCHIVE = (
    "sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p' /out/* | sort -u | xargs -r apt-cache madison >"
    " /out/archive{}"
)
_REASON = re.compile(r"^(?:E:|W:|Err)|^\s*\S+ : (?:Pre)?Depends: ")


def question(
    origin: str,
    sets: list[PackageSet],
    platform: str,
    now: str,
    keyrings: str,
    *,
    updates: bool = False,
) -> str:
    """A Dockerfile whose result has one file a set, named by its number: what apt says it would
    install.

    `keyrings` is the image in which the keyrings of vendors' repositories are made: `origin` itself
    when it is empty. With `updates` there is also `upgrades`, what would be newer of the packages
    that the image has, and files `archive*` with every version of all these packages and the suite
    that has it.
    """
    numbered = sorted(enumerate(sets), key=lambda pair: _vendors(pair[1]))
    used = {r.name: r for s in sets for r in s.repositories}
    texts = (
        [keyrings_stage(keyrings or origin, [used[name] for name in sorted(used)])] if used else []
    )
    stages: list[str] = []
    for names, group in groupby(numbered, key=lambda pair: _vendors(pair[1])):
        here = tuple(used[name] for name in names if used[name].platform in ("", platform))
        lines = [*apt.BEGIN, *apt.vendor_sources(here, (platform,), with_parts=True)]
        lines += [
            f"# {now}: asked anew each time, never answered from the cache",
            'apt-get "$@" update',
            "mkdir -p /out",
        ]
        lines += [
            f'apt-get "$@" install --simulate --no-install-recommends {" ".join(s.names)} >'
            f" /out/{number}"
            for number, s in group
        ]
        if updates:
            lines += [*([_UPGRADES] if not stages else []), _ARCHIVE.format(len(stages))]
        stages.append(f"ask{len(stages)}")
        texts.append(
            f"FROM {origin} AS"
            f" {stages[-1]}\n{apt.run(lines, lists=bool(here), keyrings=bool(here))}"
        )
    copies = "".join(f"COPY --from={stage} /out/ /\n" for stage in stages)
    return "\n".join([*texts, f"FROM scratch\n{copies}"])


def _vendors(packages: PackageSet) -> tuple[str, ...]:
    return tuple(r.name for r in packages.repositories)


def keyrings_stage(builder: str, repositories: list[Repository]) -> str:
    """The stage `keyrings`, made on the image `builder` with the packages of the day."""
    lines = [
        *apt.BEGIN,
        'apt-get "$@" update',
        'apt-get "$@" install --yes --no-install-recommends gnupg',
    ]
    context = {"builder": builder, "packages": apt.run(lines), "repositories": repositories}
    return template.render(
        frame("keyrings.j2"),
        context,
        origin="generator/bakestone/core/render/templates/keyrings.j2",
    )


def closure(answer: str) -> dict[str, str]:
    """Package -> version of what apt said it would install."""
    return {found[1]: found[2] for found in map(_INSTALL.match, answer.splitlines()) if found}


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


def distrusted(lines: Iterable[str]) -> list[str]:
    """The lines that tell of a key or a signature that is not the library's, with the fingerprints
    of a file of keys.
    """
    return [line.strip() for line in lines if _DISTRUSTED.search(line) or _FINGERPRINT.match(line)]
