"""A team's folder: images.yaml, a site file, a lock and dockerfiles/ of its own, and the command
run in it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.engine import CA, Engine
from tests.e2e.oci import Repository

TIMEOUT = 5400
"""Seconds that one command may take: several times the longest one (MPICH from source, three builds
of Open MPI) on two cores with nothing cached, since others may use them as well.
"""
STOP = 300
"""Seconds that a command may take to end once it was told to, on two loaded cores."""


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


class Running:
    """A command that runs, in a process group of its own.

    What it says goes into files: it never waits for somebody who reads a pipe.
    """

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        said = Path(tempfile.mkdtemp(prefix=f"{folder.name}.said-", dir=folder.parent))
        self._out, self._err = said / "out", said / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def out(self) -> str:
        """What it has said so far."""
        return self._out.read_text("utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text("utf-8")

    def ended(self, timeout: float = STOP) -> tuple[int, str, str]:
        """Its exit code and all that it said, once it has ended.

        Raises `TimeoutExpired` when that takes longer.
        """
        code = self._process.wait(timeout)
        return code, self.out, self.err

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that it brings about.

        Should it end first, what it said is shown.
        """
        end = time.monotonic() + TIMEOUT
        while not condition():
            assert self._process.poll() is None, (
                f"the command ended: not so {what}\n{self.out}\n{self.err}"
            )
            assert time.monotonic() < end, f"not so after {TIMEOUT} seconds: {what}"
            time.sleep(0.1)

    def signal(self, number: int, *, whole_group: bool = False) -> None:
        """Send a signal to it, or to everything that it started as well."""
        (os.killpg if whole_group else os.kill)(self._process.pid, number)

    def kill(self) -> None:
        """SIGKILL to it and everything that it started; nothing is done where it has ended."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP)


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

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> Running:
        """Start `bakestone ARGUMENTS`."""
        own = {"BAKESTONE_SITE": "site.yaml", "TMPDIR": str(self.temporary)}
        return Running(
            [*self.inside, sys.executable, "-m", "bakestone.cli.app", *arguments],
            self.folder,
            self.engine.environment | own | (env or {}),
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
        running = self.start(*arguments, env=env)
        try:
            ended, out, err = running.ended(timeout)
        finally:
            running.kill()
        result = Result(ended, out, err, time.monotonic() - began)
        said = (
            f"bakestone {' '.join(arguments)}: exit {result.code}, wanted {code}\n---"
            f" stdout\n{out}\n--- stderr\n{err}"
        )
        assert result.code == code, said
        assert "Traceback" not in result.text, said
        return result

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[None]:
        """`bakestone archive serve ARGUMENTS` while the block runs."""
        running = self.start("archive", "serve", *arguments)
        try:
            running.wait_until(lambda: "\nnext:" in running.out, "it serves")
            yield
        finally:
            running.kill()

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


MakeWorkspace = Callable[[str], Workspace]
"""Makes the workspace of a name; the fixture `make` is one."""
