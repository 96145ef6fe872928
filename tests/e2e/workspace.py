"""A team's folder: images.yaml, a site file, a lock and dockerfiles/ of its own, and the command
run in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.engine import CA, Engine
from tests.e2e.oci import Repository

TIMEOUT = 1800
"""Seconds that one command may take: several times the longest one (three builds of Open MPI) on
two cores with nothing cached.
"""


@dataclass(frozen=True)
class Result:
    """What a command said."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err


class Workspace:
    """`registry` is HOST:PORT/PATH, a path that no other workspace has;

    `temporary` is where its commands put temporary files.

    `inside` are words before each command, which bring it into another network namespace.
    """

    inside: tuple[str, ...] = ()

    def __init__(self, folder: Path, engine: Engine, registry: str) -> None:
        self.folder = folder
        self.engine = engine
        self.registry = registry
        self.temporary = folder.with_name(f"{folder.name}.tmp")
        for made in (folder, self.temporary):
            made.mkdir(parents=True, exist_ok=True)
        self.site()

    @property
    def matrix(self) -> Path:
        return self.folder / "images.yaml"

    @property
    def lock(self) -> Path:
        return self.folder / "images.lock.yaml"

    @property
    def components(self) -> Path:
        return self.folder / "components"

    def images(self, *families: dict[str, Any]) -> None:
        """Write images.yaml."""
        accept = ["anaconda-terms", "intel-eula", "nvidia-eula"]
        text = yaml.safe_dump(
            {"version": 1, "registry": self.registry, "accept": accept, "families": list(families)},
            sort_keys=False,
        )
        self.matrix.write_text(text, "utf-8")

    def site(
        self,
        *,
        urls: dict[str, str] | None = None,
        registries: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        """Write the site file: Debian's images from the mirror, this machine's CA bundle, exact
        package versions.
        """
        registries = registries or (
            {"docker.io/library": self.engine.mirror} if self.engine.mirror else {}
        )
        site: dict[str, Any] = {
            "version": 1,
            "mirrors": {"registries": registries, "urls": urls or {}},
            "pins": {"debian": "versions"},
        }
        if CA.is_file():
            site["ca"] = str(CA)
        (self.folder / "site.yaml").write_text(yaml.safe_dump(site | more), "utf-8")

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start `bakestone ARGUMENTS`, in a process group of its own."""
        own = {"BAKESTONE_SITE": "site.yaml", "TMPDIR": str(self.temporary)}
        return subprocess.Popen(
            [*self.inside, sys.executable, "-m", "bakestone.cli.app", *arguments],
            cwd=self.folder,
            env=self.engine.environment | own | (env or {}),
            text=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def bakestone(
        self,
        *arguments: str,
        code: int = 0,
        env: dict[str, str] | None = None,
        timeout: int = TIMEOUT,
    ) -> Result:
        """Run `bakestone ARGUMENTS`; it ends with `code` and never with a traceback."""
        began = time.monotonic()
        process = self.start(*arguments, env=env)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            kill(process)
            raise
        result = Result(process.returncode, out, err, time.monotonic() - began)
        said = (
            f"bakestone {' '.join(arguments)}: exit {result.code}, wanted {code}\n---"
            f" stdout\n{out}\n--- stderr\n{err}"
        )
        assert result.code == code, said
        assert "Traceback" not in result.text, said
        return result

    def lock_and_generate(self, env: dict[str, str] | None = None) -> None:
        self.bakestone("lock", env=env)
        self.bakestone("generate")

    def variants(self) -> dict[str, dict[str, Any]]:
        """Name -> what `bakestone list` says of a variant."""
        listed = json.loads(self.bakestone("list", "--format", "json").out)
        return {v["name"]: v for v in listed["variants"]}

    def release(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "release.json").read_text("utf-8"))
        return loaded

    def repository(self, family: str) -> Repository:
        return Repository(f"{self.registry}/{family}")

    def generated(self) -> dict[str, str]:
        """Every generated file: path below dockerfiles/ -> text."""
        folder = self.folder / "dockerfiles"
        return {
            str(p.relative_to(folder)): p.read_text("utf-8")
            for p in sorted(folder.rglob("*"))
            if p.is_file()
        }


def wait_until(process: subprocess.Popen[str], condition: Callable[[], bool], what: str) -> None:
    """Wait for something that a running command brings about.

    Should it end first, that is shown.
    """
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert process.poll() is None, f"the command ended: not so {what}\n" + "\n".join(
            process.communicate()
        )
        assert time.monotonic() < end, f"not so after {TIMEOUT} seconds: {what}"
        time.sleep(0.1)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL to the command and everything that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
