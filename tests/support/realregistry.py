"""Real registries: distribution's program in two versions, as a process on a loopback port."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certificates import Certificate
from tests.support.tokenservice import ISSUER, PASSWORD, SERVICE, USER, TokenService

ROOT = Path(__file__).parents[2]
HTPASSWD = f"{USER}:$2b$05$LLd6DBu83LP384fLsl3Bbe2FVfFCJNyzr8iUCkAveB4zI0DKGjnj2\n"
"""The line that `htpasswd -B` makes for USER and PASSWORD."""
assert PASSWORD == "correct-horse"
TOOLS = Path(os.environ.get("BAKESTONE_TOOLS") or ROOT / "build" / "tools") / "bin"
"""Where scripts/tools puts what it builds."""
START = 120
"""Seconds that a registry may take to answer, on two loaded cores."""
TRIES = 5
"""Ports that are tried: somebody else may be quicker at one that was free."""
PLACES = "/usr/sbin:/usr/bin:/usr/local/bin"


def debian() -> str:
    """The program of Debian's package docker-registry (distribution 2.8)."""
    return _found("docker-registry", PLACES)


def newest() -> str:
    """The program of distribution v3."""
    return _found("registry", str(TOOLS), "distribution")


def tool(name: str) -> str:
    """A program of scripts/tools; what is on PATH counts as well."""
    return _found(name, f"{TOOLS}:{os.environ['PATH']}")


def _found(name: str, places: str, tool: str = "") -> str:
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"no {name} on this machine: `scripts/tools {tool or name}` makes it")
    return found


@dataclass(frozen=True)
class Login:
    """How a registry lets people in: anybody, by htpasswd, or by a token service."""

    password: bool = False
    tokens: TokenService | None = None

    @property
    def settings(self) -> dict[str, object]:
        if self.tokens:
            about = {
                "realm": self.tokens.realm,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(self.tokens.signed.certificate),
            }
            return {"auth": {"token": about}}
        return {}


@contextmanager
def running(
    program: str, folder: Path, login: Login, tls: Certificate | None = None
) -> Iterator[int]:
    """A registry with an empty storage. Gives its port."""
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(TRIES):
        port = free_port("127.0.0.1")
        process = _started(program, folder, _settings(port, folder, login, tls))
        if _answers(process, port):
            break
        _ended(process)
    else:
        said = (folder / "log").read_text("utf-8", "replace")
        pytest.fail(f"the registry did not come up:\n{said[-2000:]}")
    try:
        yield port
    finally:
        _ended(process)


def free_port(address: str) -> int:
    """A port that nobody has just now."""
    with socket.create_server((address, 0)) as server:
        return int(server.getsockname()[1])


def _settings(port: int, folder: Path, login: Login, tls: Certificate | None) -> dict[str, object]:
    settings: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": "s"}
        | ({"tls": {"certificate": str(tls.certificate), "key": str(tls.key)}} if tls else {}),
        **login.settings,
    }
    if login.password:
        (folder / "htpasswd").write_text(HTPASSWD, "ascii")
        settings["auth"] = {"htpasswd": {"realm": "r", "path": str(folder / "htpasswd")}}
    return settings


def _started(program: str, folder: Path, settings: dict[str, object]) -> subprocess.Popen[bytes]:
    (folder / "config.yml").write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [program, "serve", str(folder / "config.yml")],
            stdout=log,
            stderr=log,
            env={"OTEL_TRACES_EXPORTER": "none", "PATH": PLACES},
        )


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it takes connections before START seconds are over; not so when it ended."""
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process.poll() is None
    return False


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
