"""The RUN instruction that unpacks wheels with pip, by hash."""

from __future__ import annotations

from bakestone.core.lock.lock import Lock, LockedWheel
from bakestone.core.lock.needs import Wheel
from bakestone.errors import fail

_OPTIONS = (
    "--disable-pip-version-check --timeout 180 --retries 5 --progress-bar off --no-cache-dir"
    " --no-deps --no-compile --only-binary :all: --require-hashes --root-user-action ignore"
    " --ignore-installed"
)
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


def pip(wheels: tuple[Wheel, ...], lock: Lock, platforms: tuple[str, ...], python: str) -> str:
    """The RUN that unpacks wheels below /wheels; pip refuses a wheel whose hash is not in the lock.

    Wheels that were made for one Python go to /wheels/lib/pythonX.Y/site-packages, for the image's
    `python` (3.11), whatever Python the stage has. The others go below /wheels as pip would install
    them; `--target` would drop their `data/lib`. Raises `BakestoneError` when the lock lacks a
    wheel.
    """
    locked = {wheel: _locked(wheel, lock, platforms) for wheel in wheels}
    special = any(wheel.tag for wheel in wheels)
    lines = [f"# wheels of Python {python}" if special else "# wheels", "set -eu"]
    lines += ["if [ -f /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi"]
    lines += ["if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi"]
    lines += ["printf '%s\\n' \\"]
    for wheel in wheels:
        hashes = sorted({locked[wheel].files[p][1] for p in platforms})
        lines += [f"  '{wheel.text} " + " ".join(f"--hash=sha256:{h}" for h in hashes) + "' \\"]
    lines += ["  > /tmp/requirements.txt"]
    if special:
        lines += _platform_tags(list(locked.values()), platforms)
        where = (
            f'"$@" --implementation cp --python-version {python} --target'
            f" /wheels/lib/python{python}/site-packages"
        )
    else:
        where = "--prefix /wheels"
    lines += [f"python3 -m pip install {_OPTIONS} {where} -r /tmp/requirements.txt"]
    return (
        "RUN --mount=type=secret,id=pip --mount=type=secret,id=ca <<'EOF'\n"
        + "\n".join(lines)
        + "\nEOF\n\n"
    )


def _locked(wheel: Wheel, lock: Lock, platforms: tuple[str, ...]) -> LockedWheel:
    found = lock.wheels.get(wheel.key)
    if found is None or any(p not in found.files for p in platforms):
        raise fail(f"the lock has no wheel {wheel.key}", "run `bakestone lock`")
    return found


def _platform_tags(wheels: list[LockedWheel], platforms: tuple[str, ...]) -> list[str]:
    """The tags that pip is told to accept: it does not know that manylinux_2_28 runs what
    manylinux_2_17 does.
    """
    from packaging.utils import parse_wheel_filename  # 20 ms, which few commands need

    options = {}
    for platform in platforms:
        tags = {
            tag.platform
            for wheel in wheels
            for tag in parse_wheel_filename(wheel.files[platform][0])[3]
        }
        options[platform] = "set -- " + " ".join(
            f"--platform {tag}" for tag in sorted(tags - {"any"})
        )
    if len(platforms) == 1:
        return [options[platforms[0]]]
    return [
        'case "$(uname -m)" in',
        *(f"{_MACHINES[platform]}) {option} ;;" for platform, option in options.items()),
        "esac",
    ]
