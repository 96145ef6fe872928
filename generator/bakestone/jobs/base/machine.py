"""This machine: its programs, its apt, and whether it runs programs of another architecture."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from email.utils import parsedate_to_datetime
from pathlib import Path

from bakestone.core.documents.words import Say
from bakestone.errors import ENVIRONMENT, fail
from bakestone.files import scratch

NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
"""This machine's architecture, in Docker's and Debian's word for what the kernel calls it."""
SECONDS = 3600
"""Most that one program may take: an emulated root file system needs some minutes."""
_ABSENT = re.compile(r"  (404|410)  |File not found")
"""In apt's words for what a server does not have (methods/basehttp.cc, methods/file.cc)."""
_ENGINE = Path(__file__).resolve().parents[4] / "scripts" / "engine"


def run(*argv: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program quietly; the caller looks at the exit code, 127 when it cannot be run."""
    try:
        return subprocess.run(
            argv,
            text=True,
            capture_output=True,
            env=env,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return subprocess.CompletedProcess(argv, 127, "", str(problem))


def checked(what: str, *argv: str, hint: str = "", env: dict[str, str] | None = None) -> str:
    """What a program prints. Raises `BakestoneError` (exit 3) with its last words when it fails."""
    got = run(*argv, env=env)
    if got.returncode:
        said = [line for line in (got.stderr or got.stdout).strip().splitlines() if line.strip()]
        why = f"{what} failed: {' | '.join(said[-3:])[:600]}"
        hint = hint or "try again, or look at what it says"
        raise fail(why, hint, name=argv[0], code=ENVIRONMENT)
    return got.stdout


def need(program: str, packages: tuple[str, ...], say: Say) -> None:
    """Install what has a program that is missing.

    Raises `BakestoneError` (exit 3) where that cannot be done.
    """
    if shutil.which(program):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        hint = f"install {' '.join(packages)}; on Debian, root gets it by itself"
        raise fail(f"{program} is missing", hint, name=program, code=ENVIRONMENT)
    say(f"apt-get install {' '.join(packages)}")
    checked("apt-get update", "apt-get", "update")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-y", "--no-install-recommends")
    checked("apt-get install", *install, *packages, env=env)


def emulate(architecture: str, say: Say) -> None:
    """See to it that programs of an architecture run here, as mmdebstrap must.

    Raises `BakestoneError` (exit 3) when they do not.
    """
    if architecture == NATIVE:
        return
    need("arch-test", ("arch-test",), say)
    said = ""
    if run("arch-test", architecture).returncode and _ENGINE.is_file():
        got = run(str(_ENGINE), "emulate", architecture)
        said = (got.stderr or got.stdout).strip().splitlines()[-1] if got.returncode else ""
    if run("arch-test", architecture).returncode:
        why = f"this machine cannot run {architecture} programs{f': {said}' if said else ''}"
        hint = (
            f"register QEMU: `scripts/engine emulate {architecture}` of Bakestone's repository, or"
            f" docker run --privileged --rm tonistiigi/binfmt --install {architecture}"
        )
        raise fail(why, hint, name=architecture, code=ENVIRONMENT)


def mirrors(say: Say) -> dict[str, str]:
    """The label of each of Debian's archives -> where this machine's apt gets it."""
    form = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
    query = ("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    listed = run(*query).stdout
    if "Debian|" not in listed and os.geteuid() == 0 and shutil.which("apt-get"):
        say("apt-get update")  # nobody has asked for package lists yet
        run("apt-get", "update")
        listed = run(*query).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        origin, label, uri = line.split("|")
        if origin == "Debian":
            found.setdefault(label, uri.rstrip("/"))
    return found


def release_date(uri: str, suite: str) -> int | None:
    """When a mirror's copy of a suite was made, in seconds since 1970; None when it has no such
    suite.

    Raises `BakestoneError` (exit 3) when it does not answer: an image would quietly lack the suite.
    """
    with scratch("release") as folder:
        target = folder / "InRelease"
        fetch = ("/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root", "download-file")
        got = run(*fetch, f"{uri}/dists/{suite}/InRelease", str(target))
        if got.returncode or not target.is_file():
            said = [line.strip() for line in (got.stderr + got.stdout).splitlines()]
            why = next((line for line in said if line.startswith("E:")), "")
            if _ABSENT.search(why):
                return None
            what = f"the mirror {uri} does not say what its {suite} is"
            hint = "try again, or name another one with --mirror and --security-mirror"
            raise fail(f"{what}: {why[2:].strip()[:300]}", hint, name="base", code=ENVIRONMENT)
        date = re.search(r"^Date: (.*)$", target.read_text("utf-8", "replace"), re.M)
    try:
        return int(parsedate_to_datetime(date[1]).timestamp()) if date else None
    except (ValueError, OverflowError):
        return None


def dates_unchecked() -> bool:
    """Whether this machine's apt takes lists that are out of date: its mirror then needs that in an
    image as well.
    """
    said = run("apt-config", "dump", "Acquire::Check-Valid-Until").stdout
    return 'Check-Valid-Until "false"' in said
