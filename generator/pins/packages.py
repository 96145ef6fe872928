"""Distro packages: the exact closure of every package set, resolved by apt inside the base image itself."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from generator.build.engine import Engine, inline_target
from generator.errors import ENVIRONMENT, fail
from generator.lock import LockedBase, LockedPackages
from generator.needs import PackageSet
from generator.render.packages import APT_BEGIN, apt_run

_INSTALL = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ")
_UNKNOWN = re.compile(r"E: (?:Unable to locate package|Package) '?([a-z0-9][a-z0-9+.-]*[a-z0-9+])(?= has no installation|'|$)")


def resolve_versions(ref: str, base: LockedBase, sets: Iterable[PackageSet], platforms: Iterable[str], engine: Engine, now: str) -> LockedPackages:
    """Ask apt, in the base image, what each set would install today.

    One build a platform: `apt-get install --simulate` for every set, whose
    `Inst` lines are the closure. Raises `BakestoneError` when a package is
    unknown there or the build cannot run.
    """
    sets = sorted(sets, key=lambda s: s.names)
    versions = {}
    for platform in sorted(platforms):
        versions[platform] = _ask(ref, base, [s.names for s in sets], platform, engine, now)
    return LockedPackages("versions", sets[0].distro.text, now, versions=versions)


def _ask(ref: str, base: LockedBase, sets: list[tuple[str, ...]], platform: str, engine: Engine, now: str) -> dict[tuple[str, ...], dict[str, str]]:
    origin = f"{ref}@{base.digest}" if base.digest else ref
    lines = [*APT_BEGIN, f"# {now}: asked anew each time, never answered from the cache", 'apt-get "$@" update', "mkdir -p /out"]
    lines += [f'apt-get "$@" install --simulate --no-install-recommends {" ".join(names)} > /out/{index}' for index, names in enumerate(sets)]
    text = f"FROM {origin} AS ask\n{apt_run(lines)}\nFROM scratch\nCOPY --from=ask /out/ /\n"
    with tempfile.TemporaryDirectory(prefix="bakestone-closure-") as folder:
        state, good = engine.bake({"target": {"closure": inline_target(text, platform, f"type=local,dest={folder}")}})
        if not good:
            failures = state.failures()
            unknown = sorted({name for f in failures for line in f.log for name in _UNKNOWN.findall(line)})
            if unknown:
                where = f"{ref} ({platform})"
                raise fail(f"there is no package {', '.join(unknown)} for {where}", "correct `packages` in images.yaml or in the component", name=ref)
            log = [line for f in failures for line in f.log if line.startswith(("E:", "W:", "Err"))] or [f.error for f in failures] or state.output
            raise fail(
                f"the package versions on {ref} ({platform}) cannot be resolved: {' '.join(log[-3:])[:500]}",
                "check the package names, and that the base image and its package archive can be reached from a build",
                name=ref,
                code=ENVIRONMENT,
            )
        return {names: _closure(Path(folder) / str(index)) for index, names in enumerate(sets)}


def _closure(path: Path) -> dict[str, str]:
    found = {}
    for line in path.read_text("utf-8").splitlines():
        match = _INSTALL.match(line)
        if match:
            found[match[1]] = match[2]
    return found
