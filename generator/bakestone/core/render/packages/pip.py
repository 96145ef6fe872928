"""Wheels: the list that pip takes, each by its hash, and the RUN that unpacks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bakestone.core.lock.environments import MACHINES
from bakestone.core.lock.lock import Lock, LockedWheel
from bakestone.core.lock.needs import Wheel
from bakestone.core.render.frames import mounted
from bakestone.errors import fail

_SECRETS = "--mount=type=secret,id=pip --mount=type=secret,id=ca"
"""What the site says to pip."""


@dataclass(frozen=True)
class PipStages:
    """The stage of the tools, and the one that holds requirements.txt."""

    tools: str
    pins: str


_CACHE = "--mount=type=cache,id=bakestone-wheels,target=/var/cache/bakestone-wheels"
"""Where wheels.sh keeps what it fetched: shared by all steps, as it links whole files only."""


def requirements(wheels: Sequence[Wheel], lock: Lock, platforms: tuple[str, ...]) -> str:
    """A requirements.txt; pip refuses a wheel whose hash is not in it.

    Raises `BakestoneError` when the lock lacks a wheel.
    """
    lines = []
    for wheel in wheels:
        locked = _locked(wheel, lock, platforms)
        hashes = sorted({locked.files[p][1] for p in platforms})
        lines.append(" ".join([wheel.text, *(f"--hash=sha256:{h}" for h in hashes)]))
    return "\n".join(lines)


def unpack(
    wheels: Sequence[Wheel], lock: Lock, platforms: tuple[str, ...], python: str, stages: PipStages
) -> str:
    """The RUN that unpacks the wheels that the stage `stages.pins` lists, below /wheels.

    Wheels that were made for one Python go to /wheels/lib/pythonX.Y/site-packages, for the image's
    `python` (3.11), whatever Python the stage has.
    """
    calls = dict.fromkeys(platforms, "sh /tools/wheels.sh")
    if any(wheel.tag for wheel in wheels):
        files = [_locked(wheel, lock, platforms) for wheel in wheels]
        for platform in platforms:
            calls[platform] += f" {python} {_platform_tags(files, platform)}".rstrip()
    return _run(calls, stages.tools, stages.pins)


def fetch(names: Mapping[str, Sequence[str]], python: str, tools: str, pins: str) -> str:
    """The RUN that fetches the wheels of each platform to /wheels, as the stage `pins` lists them
    in MACHINE.txt; `names` are the names of their files.
    """
    calls = {
        platform: f"sh /tools/wheels.sh --fetch {python} {_tags(files)}".rstrip()
        for platform, files in names.items()
    }
    return _run(calls, tools, pins)


def build(tools: str, pins: str) -> str:
    """The RUN that makes wheels in /wheels of the source distributions that the stage `pins`
    lists in sources.txt.
    """
    mounts = f"{mounted(tools)} {mounted(pins, '/pins')} {_SECRETS}"
    return f"\nRUN {mounts} sh /tools/sources.sh\n"  # hadolint wants the empty line after a heredoc


def _run(calls: Mapping[str, str], tools: str, pins: str) -> str:
    """Platform -> what is run on it, as one RUN."""
    mounts = f"{mounted(tools)} {mounted(pins, '/pins')} {_CACHE} {_SECRETS}"
    lines = [*dict.fromkeys(calls.values())]
    if len(lines) > 1:
        cases = (f"{MACHINES[platform]}) {call} ;;" for platform, call in calls.items())
        lines = ['case "$(uname -m)" in', *cases, "esac"]
    return f"RUN {mounts} <<'EOF'\n# wheels\n" + "\n".join(lines) + "\nEOF\n"


def _locked(wheel: Wheel, lock: Lock, platforms: tuple[str, ...]) -> LockedWheel:
    found = lock.wheels.get(wheel.key)
    if found is None or any(p not in found.files for p in platforms):
        raise fail(f"the lock has no wheel {wheel.key}", "run `bakestone lock`")
    return found


def _platform_tags(wheels: Sequence[LockedWheel], platform: str) -> str:
    """The tags that pip is told to accept: it does not know that manylinux_2_28 runs what
    manylinux_2_17 does.
    """
    return _tags(wheel.files[platform][0] for wheel in wheels)


def _tags(filenames: Iterable[str]) -> str:
    from packaging.utils import parse_wheel_filename  # 20 ms, which few commands need

    tags = {tag.platform for name in filenames for tag in parse_wheel_filename(name)[3]}
    return " ".join(sorted(tags - {"any"}))
