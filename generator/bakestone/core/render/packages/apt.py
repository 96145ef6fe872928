"""The RUN instruction that installs packages with apt, pinned in one of three ways."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from bakestone.core.documents import template
from bakestone.core.library.component import Repository
from bakestone.core.lock.model import LockedPackages
from bakestone.core.lock.needs import PackageSet
from bakestone.core.render.packages.closure import by_platform, closures, command
from bakestone.errors import fail

BEGIN = (
    "set -eu",
    "export DEBIAN_FRONTEND=noninteractive",
    "set -- -o APT::Update::Error-Mode=any -o Acquire::Retries=3",
    "if [ -f /run/secrets/apt ]; then export APT_CONFIG=/run/secrets/apt; fi",
    'if [ -f /run/secrets/ca ]; then set -- "$@" -o Acquire::https::CaInfo=/run/secrets/ca; fi',
)
"""How every script that uses apt begins; apt's options are then in "$@"."""
_CLEAN = (
    "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old"
    " /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log /var/log/alternatives.log"
    " /var/log/bootstrap.log"
)
_SNAPSHOT = "/tmp/snapshot.list"  # noqa: S108
_VENDOR = "/tmp/vendor"  # noqa: S108
VENDOR_GONE = f"rm -r {_VENDOR}"
"""Removes what `vendor_sources` wrote."""
_ARCHITECTURE = "dpkg --print-architecture"
_WITHOUT_BUNDLE = (
    "# no CA bundle in the base yet; apt checks the signatures all the same",
    (
        'if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then set -- "$@" -o'
        " Acquire::https::Verify-Peer=false; fi"
    ),
)
_HTTPS_METHOD = (
    "# before apt 1.5, https is a package of its own",
    "if [ ! -e /usr/lib/apt/methods/https ]; then",
    '  apt-get "$@" update',
    '  apt-get "$@" install --yes --no-install-recommends apt-transport-https ca-certificates',
    "fi",
)
Act = Callable[[list[str]], list[str]]
"""Package names, or `name=version` -> the shell lines that do something with them."""

_SECRETS = "--mount=type=secret,id=apt --mount=type=secret,id=ca"
_MIRRORS = "--mount=type=secret,id=mirrors"
_KEYRINGS = "--mount=type=bind,from=keyrings,source=/out,target=/keyrings"


def install(packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...]) -> str:
    """The RUN that installs a package set as the lock pins it.

    Raises `BakestoneError` when it does not hold the set.
    """
    vendors = ", ".join(r.name for r in packages.repositories)
    title = f"# packages from {vendors}" if vendors else "# distro packages"
    return script(packages, locked, platforms, [title], _install, [_CLEAN])


def script(
    packages: PackageSet,
    locked: LockedPackages,
    platforms: tuple[str, ...],
    begin: list[str],
    act: Act,
    end: list[str],
) -> str:
    """A RUN in which apt sees the sources that the lock names for a package set;

    `act` gives what is done with its packages.

    `begin` and `end` are lines before and after. Raises `BakestoneError` when the lock does not
    hold the set.
    """
    ways = {"snapshot": _snapshot, "frozen": _frozen}
    lines = [
        *begin,
        *BEGIN,
        *ways.get(locked.pins, _versions)(packages, locked, platforms, act),
        *end,
    ]
    return run(
        lines,
        lists=locked.pins == "snapshot" or bool(packages.repositories),
        keyrings=bool(packages.repositories),
    )


def run(lines: list[str], *, lists: bool = False, keyrings: bool = False) -> str:
    """A RUN of a script that uses apt, with the site's settings as secrets.

    `lists` is for a script that writes source lists: the site's mirrors are then among the secrets.
    With `keyrings`, the stage of that name is at /keyrings.
    """
    mounts = [_SECRETS, *([_MIRRORS] if lists else []), *([_KEYRINGS] if keyrings else [])]
    return f"RUN {' '.join(mounts)} <<'EOF'\n" + "\n".join(lines) + "\nEOF\n"


def vendor_sources(
    repositories: tuple[Repository, ...], platforms: tuple[str, ...], *, with_parts: bool
) -> list[str]:
    """Shell lines after which apt reads the vendors' repositories beside /etc/apt/sources.list.

    `with_parts` keeps the base's own sources.list.d as well, but for files with one of the same
    repositories: apt refuses one repository with two keyrings. Gives nothing when there are no
    repositories.
    """
    if not repositories:
        return []
    lines = (
        [*_HTTPS_METHOD, *_WITHOUT_BUNDLE]
        if any("https://" in r.line for r in repositories)
        else []
    )
    if with_parts:
        same = " ".join(
            f"-e {shlex.quote(url)}"
            for url in sorted({r.line.split()[0].rstrip("/") for r in repositories})
        )
        lines += [
            f"cp -r /etc/apt/sources.list.d {_VENDOR}",
            f"grep -rlF {same} {_VENDOR} | xargs -r rm",
        ]
    else:
        lines += [f"mkdir {_VENDOR}"]
    return [
        *lines,
        *_list(f"{_VENDOR}/vendor.list", [], repositories, platforms),
        f'set -- "$@" -o Dir::Etc::SourceParts={_VENDOR}',
    ]


def _list(
    path: str, sources: list[str], repositories: tuple[Repository, ...], platforms: tuple[str, ...]
) -> list[str]:
    """Shell lines that write a source list, with the site's mirrors in the place of what they
    mirror.
    """
    everywhere = sources + [_deb(r) for r in repositories if not r.platform or len(platforms) == 1]
    lines = (
        ["printf '%s\\n' \\", *(f"  '{line}' \\" for line in everywhere), f"  > {path}"]
        if everywhere
        else []
    )
    for repository in repositories:
        if repository.platform and len(platforms) > 1:
            architecture = repository.platform.split("/")[1]
            lines += [
                f'if [ "$({_ARCHITECTURE})" = {architecture} ]; then',
                f"  echo '{_deb(repository)}' >> {path}",
                "fi",
            ]
    return [
        *lines,
        "# this site's mirrors, by what a URL begins with",
        "if [ -s /run/secrets/mirrors ]; then",
        f"""  sed -i -e "$(sed 's/\\./\\\\./g; s/^\\([^ ]*\\) \\([^ ]*\\)$/s|\\1|\\2|;t/' /run/secrets/mirrors)" {path}""",
        "fi",
    ]


def _deb(repository: Repository) -> str:
    return f"deb [signed-by=/keyrings/{repository.name}.gpg] {repository.line}"


def _install(names: list[str]) -> list[str]:
    return [
        'apt-get "$@" update',
        command(['apt-get "$@" install --yes --no-install-recommends', *names]),
    ]


def _snapshot(
    packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...], act: Act
) -> list[str]:
    distro = packages.distro
    about = distro.component.data.get("snapshot")
    if not about:
        raise fail(
            f"{distro.text} has no snapshot service",
            "choose `versions` or `frozen` under `pins` in the site file, then lock again",
            name=packages.base,
        )
    context = {"time": locked.snapshot, "codename": distro.version.data["codename"]}
    sources = [
        template.render(line, context, origin=f"{distro.component.origin}/component.yaml")
        for line in about["sources"]
    ]
    lines = [
        f"# the archive as it was at {locked.snapshot}",
        *_list(_SNAPSHOT, sources, packages.repositories, platforms),
    ]
    lines += [f'set -- "$@" -o Dir::Etc::SourceList={_SNAPSHOT} -o Dir::Etc::SourceParts=-']
    if any("https://" in line for line in (*sources, *(r.line for r in packages.repositories))):
        lines += _WITHOUT_BUNDLE
    return [*lines, *act(list(packages.names)), f"rm {_SNAPSHOT}"]


def _frozen(
    packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...], act: Act
) -> list[str]:
    names = [
        f"{name}={locked.known[name]}" if name in locked.known else name for name in packages.names
    ]
    return [
        "# this archive no longer changes; other sources that the base image brings are left aside",
        'set -- "$@" -o Dir::Etc::SourceParts=-',
        *_beside(packages, platforms, act(names), with_parts=False),
    ]


def _versions(
    packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...], act: Act
) -> list[str]:
    pins = {
        p: [f"{name}={version}" for name, version in sorted(c.items())]
        for p, c in closures(packages, locked, platforms).items()
    }
    first = pins[platforms[0]]
    if all(names == first for names in pins.values()):
        return _beside(packages, platforms, act(first), with_parts=True)
    lines = by_platform(
        _ARCHITECTURE, {platform.split("/")[1]: names for platform, names in pins.items()}
    )
    update, *rest = act(["$packages"])
    return [
        *lines,
        *_beside(
            packages,
            platforms,
            [update, "# shellcheck disable=SC2086 # one word a package", *rest],
            with_parts=True,
        ),
    ]


def _beside(
    packages: PackageSet, platforms: tuple[str, ...], lines: list[str], *, with_parts: bool
) -> list[str]:
    """Shell lines, run with the vendors' repositories of a package set, which are gone after them."""
    before = vendor_sources(packages.repositories, platforms, with_parts=with_parts)
    return [*before, *lines, VENDOR_GONE] if before else lines
