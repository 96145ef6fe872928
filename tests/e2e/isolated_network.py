"""A network namespace with a loopback of its own and nothing else, and an engine and a registry
inside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.engine import ROOT, Engine, inherited

_GET = (
    "import sys, urllib.request as r\ntry: print(r.urlopen(sys.argv[1],"
    " timeout=20).read().decode())\nexcept r.HTTPError as e: print(e.code)"
)


@dataclass
class IsolatedNetwork:
    """Runs inside a `with` block.

    `enter` are the words before a command that bring it in; `data` is the engine's folder.
    """

    data: Path
    enter: tuple[str, ...] = ()
    _holder: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> IsolatedNetwork:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL
        )
        here = os.readlink("/proc/self/ns/net")
        end = time.monotonic() + 10
        while (
            self._holder.poll() is None
            and os.readlink(f"/proc/{self._holder.pid}/ns/net") == here
            and time.monotonic() < end
        ):
            time.sleep(0.05)
        if self._holder.poll() is not None:
            pytest.skip("this machine makes no network namespaces (unshare --net needs root)")
        self.enter = ("nsenter", f"--net=/proc/{self._holder.pid}/ns/net")
        self.run("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        if self._holder:
            self.run(
                str(ROOT / "scripts" / "engine"),
                "down",
                "--purge",
                "--data",
                str(self.data),
                check=False,
            )
            self._holder.terminate()
            self._holder.wait(30)

    def run(self, *command: str, check: bool = True, env: dict[str, str] | None = None) -> str:
        """What a command in here prints."""
        done = subprocess.run(
            [*self.enter, *command],
            env=env,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert not check or done.returncode == 0, (
            f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def engine(self) -> Engine:
        """An engine that was never used, and its registry; nobody outside reaches them."""
        mine = {k: v for k, v in inherited().items() if k != "DOCKER_HOST"}
        script = str(ROOT / "scripts" / "engine")
        self.run(script, "up", "--own", "--data", str(self.data), env=mine)
        show = '. "$1"; printf "%s\\n" "$DOCKER_HOST" "$BAKESTONE_REGISTRY" "$PATH"'
        host, registry, path = self.run(
            "sh", "-c", show, "sh", str(self.data / "env"), env=mine
        ).splitlines()
        return Engine(
            registry,
            mine
            | {
                "DOCKER_HOST": host,
                "PATH": path,
                "PYTHONPATH": str(ROOT / "generator"),
                "NO_COLOR": "1",
            },
            "",
        )

    def links(self) -> set[str]:
        """The network interfaces in here."""
        return {
            line.split(": ")[1].partition("@")[0]
            for line in self.run("ip", "-o", "link").splitlines()
        }

    def tags(self, repository: str) -> str:
        """What the registry in here says of a repository's tags: JSON, or the code of an error."""
        host, _, path = repository.partition("/")
        return self.run(sys.executable, "-c", _GET, f"http://{host}/v2/{path}/tags/list").strip()
