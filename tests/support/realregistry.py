"""Real registries: distribution's program in two versions, as a process on a loopback port."""

from __future__ import annotations

import json
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
PLACES = f"{ROOT}/build/tools/bin:/usr/sbin:/usr/bin:/usr/local/bin"


def debian() -> str:
    """The program of Debian's package docker-registry (distribution 2.8)."""
    return _found("docker-registry", "install the package docker-registry")


def newest() -> str:
    """The program of distribution v3."""
    module = "github.com/distribution/distribution/v3/cmd/registry@v3.1.1"
    return _found("registry", f"GOBIN={ROOT}/build/tools/bin go install {module}")


def _found(name: str, how: str) -> str:
    found = shutil.which(name, path=PLACES)
    if found is None:
        pytest.skip(f"no {name} on this machine: {how}")
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
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
    (folder / "config.yml").write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", str(folder / "config.yml")],
            stdout=log,
            stderr=log,
            env={"OTEL_TRACES_EXPORTER": "none", "PATH": PLACES},
        )
    try:
        _wait(process, port, folder / "log")
        yield port
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the registry did not come up:\n{log.read_text('utf-8', 'replace')[-2000:]}")
