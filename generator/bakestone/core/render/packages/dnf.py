"""The RUN instruction that installs packages with dnf, at exact versions."""

from __future__ import annotations

from bakestone.core.lock.model import LockedPackages
from bakestone.core.lock.needs import PackageSet
from bakestone.core.render.packages.closure import by_platform, closures, command
from bakestone.errors import fail

REPOSITORIES = "/tmp/repositories"  # noqa: S108
"""Where the site's form of the repository files is, when the site has mirrors."""
_STATE = "/tmp/dnf"  # noqa: S108
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_SITE = f"""\
# this site's mirrors, by what a URL begins with; a repository that is mirrored has no other list of mirrors
if [ -s /run/secrets/mirrors ]; then
"$python" - <<'PYTHON'
import glob, os, re
mirrors = [line.split() for line in open("/run/secrets/mirrors")]
os.mkdir("{REPOSITORIES}")
for path in glob.glob("/etc/yum.repos.d/*.repo"):
    with open(os.path.join("{REPOSITORIES}", os.path.basename(path)), "w") as out:
        for section in open(path).read().replace("\\n[", "\\n\\0[").split("\\0"):
            for old, new in mirrors:
                there = re.sub(r"(?m)^#?[ \\t]*baseurl[ \\t]*=[ \\t]*" + re.escape(old), lambda _: "baseurl=" + new, section)
                if there != section:
                    there = re.sub(r"(?m)^(?=mirrorlist|metalink)", "#", there)
                section = re.sub(r"(=[ \\t]*)" + re.escape(old), lambda found: found[1] + new, there)
            out.write(section)
PYTHON
fi"""
SITE = (
    "python=/usr/libexec/platform-python",
    '[ -x "$python" ] || python=python3',
    *_SITE.splitlines(),
)
"""Shell lines that leave dnf's Python in "$python", and, where the site has mirrors, the repository
files with them in
/tmp/repositories."""
_BEGIN = (
    "set -eu",
    *SITE,
    # what dnf keeps of its work goes with the temporary folder; plugins would ask for
    # subscriptions, or note what is installed
    (
        f"set -- --noplugins --setopt=cachedir={_STATE} --setopt=logdir={_STATE}"
        f" --setopt=persistdir={_STATE}"
    ),
    'set -- "$@" --setopt=install_weak_deps=False --setopt=skip_if_unavailable=False',
    'if [ -f /run/secrets/ca ]; then set -- "$@" --setopt=sslcacert=/run/secrets/ca; fi',
    f'if [ -d {REPOSITORIES} ]; then set -- "$@" --setopt=reposdir={REPOSITORIES}; fi',
)
_INSTALL = 'dnf "$@" install --assumeyes'
_CLEAN = f"rm -rf {_STATE} {REPOSITORIES} /var/lib/rpm/__db.* /var/cache/ldconfig/aux-cache"


def install(packages: PackageSet, locked: LockedPackages, platforms: tuple[str, ...]) -> str:
    """The RUN that installs a package set at the lock's versions; empty when the base has all of
    it.

    Raises `BakestoneError` when the lock does not hold the set, or pins it in a way that dnf has
    not.
    """
    distro = packages.distro.text
    if locked.pins != "versions":
        raise fail(
            f"packages of {distro} cannot be pinned by {locked.pins}",
            "choose `versions` under `pins` in the site file, then lock again",
            name=packages.base,
        )
    if packages.repositories:
        raise fail(
            f"{distro} cannot use the repository {packages.repositories[0].name}: it is made"
            " for apt",
            "choose another method",
            name=packages.base,
        )
    pins = {
        p: [nevra(name, version) for name, version in sorted(c.items())]
        for p, c in closures(packages, locked, platforms).items()
    }
    first = pins[platforms[0]]
    if not any(pins.values()):
        return ""
    lines = ["# distro packages", *_BEGIN]
    if all(names == first for names in pins.values()):
        lines += [command([_INSTALL, *first])]
    else:
        lines += by_platform(
            "uname -m", {_MACHINES[platform]: names for platform, names in pins.items()}
        )
        lines += [
            "# shellcheck disable=SC2086 # one word a package",
            f'if [ -n "$packages" ]; then {_INSTALL} $packages; fi',
        ]
    return run([*lines, _CLEAN])


def run(lines: list[str]) -> str:
    """A RUN of a script that uses dnf, with the site's settings as secrets."""
    return (
        "RUN --mount=type=secret,id=ca --mount=type=secret,id=mirrors <<'EOF'\n"
        + "\n".join(lines)
        + "\nEOF\n"
    )


def nevra(name: str, version: str) -> str:
    """As dnf names exactly one package:

    `gcc.x86_64` at `0:8.5.0-22.el8_10` is gcc-0:8.5.0-22.el8_10.x86_64.
    """
    package, _, machine = name.rpartition(".")
    return f"{package}-{version}.{machine}"
