"""Wheels, fetched by pip itself: it knows indexes, credentials and proxies, and takes no file but
the one with the lock's hash.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from bakestone.clients.site.site import Site
from bakestone.core.documents.words import Say
from bakestone.errors import ENVIRONMENT, fail
from bakestone.files import scratch
from bakestone.jobs.archive.catalog import ArchivedBlob
from bakestone.jobs.archive.layout import ArchiveLayout

_SECONDS = 3600
_OPTIONS = (
    "--disable-pip-version-check --quiet --no-input --timeout 180 --retries 5 --progress-bar off"
    " --no-cache-dir --no-deps --ignore-requires-python --only-binary :all: --require-hashes"
)


def fetch(wheel: ArchivedBlob, site: Site, layout: ArchiveLayout, say: Say) -> ArchivedBlob:
    """Bring a wheel into the archive, unless it is there. `say` is told before it is fetched.

    Raises `BakestoneError` (exit 3) when pip does not get it.
    """
    if not layout.right(wheel.digest):
        say(wheel.name)
        with scratch("wheel", layout.folder) as folder:
            _download(wheel, site, folder)
            layout.adopt(folder / wheel.name, wheel.digest)
    return replace(wheel, size=layout.path(wheel.digest).stat().st_size)


def _download(wheel: ArchivedBlob, site: Site, folder: Path) -> None:
    requirements = folder / "requirements.txt"
    project, version, *_, python, abi, platforms = wheel.name.removesuffix(".whl").split("-")
    requirements.write_text(f"{project}=={version} --hash={wheel.digest}\n", "utf-8")
    tags = [word for platform in platforms.split(".") for word in ("--platform", platform)]
    made_for = python.split(".")[-1].removeprefix("cp").removeprefix("py")
    if python.startswith("cp"):
        tags += ["--implementation", "cp", "--abi", abi]
    if len(made_for) > 1:
        tags += ["--python-version", f"{made_for[0]}.{made_for[1:]}"]
    command = [sys.executable, "-m", "pip", "download", *_OPTIONS.split(), *tags]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    names = {"PIP_CONFIG_FILE": "pip", "PIP_CERT": "ca"}
    own = {name: str(site.files[file]) for name, file in names.items() if file in site.files}
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        said, good = done.stderr, done.returncode == 0
    except (OSError, subprocess.TimeoutExpired) as problem:
        said, good = f"ERROR: {problem}", False
    if good and (folder / wheel.name).is_file():
        return
    known = [line for line in said.splitlines() if line.startswith(("ERROR:", "error:"))]
    lines = known or said.splitlines() or ["pip gave another file"]
    raise fail(
        f"pip does not get the wheel: {lines[-1].strip()[:300]}",
        "`pip` in the site file names the index; does it have this version, and is pip there for"
        " the Python that runs Bakestone?",
        name=wheel.name,
        code=ENVIRONMENT,
    )
