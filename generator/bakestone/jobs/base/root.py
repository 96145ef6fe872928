"""A root file system by mmdebstrap, as a tarball that is the same each time: no trace of this
machine or this run.
"""

from __future__ import annotations

import os
import shlex
import tarfile
from dataclasses import dataclass
from pathlib import Path

from bakestone.files import scratch
from bakestone.jobs.base.machine import checked

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_CLEAN = Path(__file__).parent / "programs" / "clean.sh"
_FILES = {
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    "etc/apt/apt.conf.d/docker-clean": (
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb'
        ' /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };\n'
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
    ),
    "etc/apt/apt.conf.d/docker-no-languages": 'Acquire::Languages "none";\n',
}
"""As Docker's own Debian images have them: packages start no services, and apt keeps no downloaded
packages in a layer.
"""
_DATES = {
    "etc/apt/apt.conf.d/mirror-dates": (
        'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";\n'
    )
}


@dataclass(frozen=True)
class SuiteSource:
    """Suites of one mirror:

    `uri` is what the image will use, `fetched` where they are fetched now.
    """

    uri: str
    fetched: str
    suites: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """What a root file system is made of.

    `epoch` is the time in seconds since 1970 that no file is newer than.
    """

    codename: str
    architecture: str
    sources: tuple[SuiteSource, ...]
    epoch: int
    one_line: bool
    """Whether the package sources are a sources.list, as up to Debian 11."""
    dates_unchecked: bool


def make(recipe: Recipe, tarball: Path) -> None:
    """Write the tarball. Raises `BakestoneError` (exit 3) when mmdebstrap fails."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(recipe.epoch), "TZ": "UTC", "LC_ALL": "C"}
    with scratch("root") as folder:
        hooks = _hooks(files(recipe), folder)
        lines = [
            f"deb {source.fetched} {suite} main"
            for source in recipe.sources
            for suite in source.suites
        ]
        # no device nodes: a builder without root cannot unpack them, and every runtime brings its
        # own
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"]
        command += [f"--architectures={recipe.architecture}", "--format=tar", "--skip=output/dev"]
        if os.path.exists(KEYRING):
            command.append(f"--keyring={KEYRING}")
        command += [*hooks, recipe.codename, str(tarball), *lines]
        checked(
            "mmdebstrap",
            *command,
            hint="can the mirror be reached? --mirror names another",
            env=environment,
        )
    _add_dev(tarball, recipe.epoch)


def _add_dev(tarball: Path, epoch: int) -> None:
    """Add the empty folder /dev: a runtime would make it, with the time of the day, in the first
    layer above.
    """
    folder = tarfile.TarInfo("./dev")
    folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, epoch
    with tarfile.open(tarball, "a") as archive:
        archive.addfile(folder)


def files(recipe: Recipe) -> dict[str, str]:
    """Path in the image -> text, of what is put there besides packages."""
    found = {**_FILES, **(_DATES if recipe.dates_unchecked else {})}
    if recipe.one_line:
        return found | {
            "etc/apt/sources.list": "".join(
                f"deb {s.uri} {suite} main\n" for s in recipe.sources for suite in s.suites
            )
        }
    stanzas = (
        f"Types: deb\nURIs: {s.uri}\nSuites: {' '.join(s.suites)}\nComponents: main\nSigned-By:"
        f" {KEYRING}\n"
        for s in recipe.sources
    )
    return found | {"etc/apt/sources.list.d/debian.sources": "\n".join(stanzas)}


def _hooks(texts: dict[str, str], folder: Path) -> list[str]:
    hooks = ['--customize-hook=rm -f "$1/etc/apt/sources.list"']
    for number, (name, text) in enumerate(texts.items()):
        local = folder / str(number)
        local.write_text(text, "utf-8")
        hooks.append(f"--customize-hook=upload {shlex.quote(str(local))} /{name}")
        hooks.append(
            f'--customize-hook=chmod {"755" if text.startswith("#!") else "644"} "$1/{name}"'
        )
    return [*hooks, f'--customize-hook=sh {shlex.quote(str(_CLEAN))} "$1"']
