"""The RUN instructions that install distro packages and wheels, each in one way for all stages."""

from __future__ import annotations

from generator import template
from generator.errors import fail
from generator.lock import Lock, LockedPackages
from generator.needs import PackageSet, Wheel

APT_BEGIN = (
    "set -eu",
    "export DEBIAN_FRONTEND=noninteractive",
    "set -- -o APT::Update::Error-Mode=any -o Acquire::Retries=3",
    "if [ -f /run/secrets/apt ]; then export APT_CONFIG=/run/secrets/apt; fi",
    'if [ -f /run/secrets/ca ]; then set -- "$@" -o Acquire::https::CaInfo=/run/secrets/ca; fi',
)
"""How every script that uses apt begins; apt's options are then in "$@"."""
_PIP_OPTIONS = (
    "--disable-pip-version-check --timeout 180 --retries 5 --progress-bar off --no-cache-dir --no-deps --no-compile"
    " --only-binary :all: --require-hashes --root-user-action ignore --ignore-installed"
)
_CLEAN = (
    "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache"
    " /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log"
)


def apt(packages: PackageSet, lock: Lock, platforms: tuple[str, ...]) -> str:
    """The RUN that installs a package set at its locked versions; empty when there is nothing to install.

    Raises `BakestoneError` when the lock does not hold the set.
    """
    if not packages.names:
        return ""
    locked = lock.packages.get(packages.base)
    if locked is None:
        raise fail(f"the lock has no packages for {packages.base}", "run `bakestone lock`")
    lines = ["# distro packages", *APT_BEGIN]
    if locked.pins == "snapshot":
        lines += _snapshot(packages, locked)
    elif locked.pins == "frozen":
        lines += _frozen(packages, locked)
    else:
        lines += _versions(packages, locked, platforms)
    lines += [_CLEAN]
    return apt_run(lines)


def apt_run(lines: list[str]) -> str:
    """A RUN of a script that uses apt, with the site's settings as secrets."""
    return "RUN --mount=type=secret,id=apt --mount=type=secret,id=ca <<'EOF'\n" + "\n".join(lines) + "\nEOF\n"


def _install(names: list[str]) -> list[str]:
    return ['apt-get "$@" update', " \\\n  ".join(['apt-get "$@" install --yes --no-install-recommends', *names])]


def _snapshot(packages: PackageSet, locked: LockedPackages) -> list[str]:
    distro = packages.distro
    about = distro.component.data.get("snapshot")
    if not about:
        raise fail(
            f"{distro.text} has no snapshot service",
            "choose `versions` or `frozen` under `pins` in the site file, then lock again",
            name=packages.base,
        )
    context = {"time": locked.snapshot, "codename": distro.version.data["codename"]}
    sources = [template.render(line, context, origin=f"{distro.component.origin}/component.yaml") for line in about["sources"]]
    lines = [f"# the archive as it was at {locked.snapshot}", "printf '%s\\n' \\"]
    lines += [f"  '{line}' \\" for line in sources]
    lines += ["  > /tmp/snapshot.list", 'set -- "$@" -o Dir::Etc::SourceList=/tmp/snapshot.list -o Dir::Etc::SourceParts=-']
    if any("https://" in line for line in sources):
        lines += [
            "# no CA bundle in the base yet; apt checks the signatures all the same",
            'if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then set -- "$@" -o Acquire::https::Verify-Peer=false; fi',
        ]
    return [*lines, *_install(list(packages.names)), "rm /tmp/snapshot.list"]


def _frozen(packages: PackageSet, locked: LockedPackages) -> list[str]:
    names = [f"{name}={locked.known[name]}" if name in locked.known else name for name in packages.names]
    return [
        "# this archive no longer changes; other sources that the base image brings are left aside",
        'set -- "$@" -o Dir::Etc::SourceParts=-',
        *_install(names),
    ]


def _versions(packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...]) -> list[str]:
    closures: dict[str, list[str]] = {}
    for platform in platforms:
        closure = locked.versions.get(platform, {}).get(packages.names)
        if closure is None:
            raise fail(f"the lock has no versions of {', '.join(packages.names[:4])}... on {packages.base} for {platform}", "run `bakestone lock`")
        closures[platform] = [f"{name}={version}" for name, version in sorted(closure.items())]
    first = closures[platforms[0]]
    if all(names == first for names in closures.values()):
        return _install(first)
    lines = ['case "$(dpkg --print-architecture)" in']
    for platform, names in closures.items():
        lines += [f"{platform.split('/')[1]}) packages='\n  " + "\n  ".join(names) + "' ;;"]
    update, install = _install(["$packages"])
    return [*lines, "esac", update, "# shellcheck disable=SC2086 # one word a package", install]


def pip(wheels: tuple[Wheel, ...], lock: Lock, platforms: tuple[str, ...]) -> str:
    """The RUN that unpacks wheels below /wheels; pip refuses a wheel whose hash is not in the lock."""
    lines = ["# wheels", "set -eu"]
    lines += ["if [ -f /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi"]
    lines += ["if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi"]
    lines += ["printf '%s\\n' \\"]
    for wheel in wheels:
        locked = lock.wheels.get(wheel.text)
        if locked is None or any(p not in locked.files for p in platforms):
            raise fail(f"the lock has no wheel {wheel.text}", "run `bakestone lock`")
        hashes = sorted({locked.files[p][1] for p in platforms})
        lines += [f"  '{wheel.text} " + " ".join(f"--hash=sha256:{h}" for h in hashes) + "' \\"]
    lines += ["  > /tmp/requirements.txt"]
    lines += [f"python3 -m pip install {_PIP_OPTIONS} --prefix /wheels -r /tmp/requirements.txt"]
    return "RUN --mount=type=secret,id=pip --mount=type=secret,id=ca <<'EOF'\n" + "\n".join(lines) + "\nEOF\n\n"
