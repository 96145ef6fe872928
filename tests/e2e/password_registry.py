"""A second registry, which asks for a name and a password (htpasswd), on a loopback port of its
own.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests.e2e.certificate_authority import Authority
from tests.e2e.engine import Engine

USER, PASSWORD = "bakestone", "correct-horse"
HTPASSWD = f"{USER}:$2b$05$LLd6DBu83LP384fLsl3Bbe2FVfFCJNyzr8iUCkAveB4zI0DKGjnj2\n"
"""The line that `htpasswd -B` makes for USER and PASSWORD."""


class GuardedRegistry:
    """`address` is HOST:PORT.

    It runs inside a `with` block, and can be stopped and started again with the same data.

    `authority` makes it speak HTTPS, on the address of this machine that containers see.
    """

    def __init__(self, engine: Engine, folder: Path, authority: Authority | None = None) -> None:
        self.folder = folder
        host = engine.gateway if authority else "localhost"
        self.port = free_port(engine.gateway if authority else "127.0.0.1")
        self.address = f"{host}:{self.port}"
        self.url = f"{'https' if authority else 'http'}://{self.address}"
        self.verify = str(authority.certificate) if authority else True
        self._engine = engine
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "htpasswd").write_text(HTPASSWD, "utf-8")
        settings = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": (
                {"addr": self.address.replace("localhost", "127.0.0.1")}
                | (authority.registry if authority else {})
            ),
            "auth": {"htpasswd": {"realm": "bakestone", "path": str(folder / "htpasswd")}},
        }
        (folder / "registry.yml").write_text(json.dumps(settings), "utf-8")  # JSON is YAML

    def start(self) -> None:
        """By the registry program that `scripts/engine` installs, or by the image registry:2."""
        program = shutil.which(
            "docker-registry", path=self._engine.environment["PATH"] + ":/usr/sbin"
        )
        container = [
            "docker",
            "run",
            "--rm",
            "--network",
            "host",
            "-v",
            f"{self.folder}:{self.folder}",
            "registry:2",
        ]
        command = [
            *([program] if program else container),
            "serve",
            str(self.folder / "registry.yml"),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._engine.environment, stdout=log, stderr=log
            )
        end = time.monotonic() + 30
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if (
                    requests.get(f"{self.url}/v2/", timeout=5, verify=self.verify).status_code
                    == 401
                ):
                    return
            except requests.ConnectionError:
                time.sleep(0.1)
        pytest.fail(
            "the guarded registry did not come"
            f" up:\n{(self.folder / 'log').read_text('utf-8', 'replace')}"
        )

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def __enter__(self) -> GuardedRegistry:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def login(self, password: str) -> dict[str, str]:
        """The environment of somebody who ran `docker login` with this password, or never did when
        it is empty.
        """
        config = self.folder / secrets.token_hex(4)
        config.mkdir()
        token = base64.b64encode(f"{USER}:{password}".encode()).decode()
        auths = {self.address: {"auth": token}} if password else {}
        (config / "config.json").write_text(json.dumps({"auths": auths}), "utf-8")
        plugins = Path.home() / ".docker" / "cli-plugins"  # where buildx may be
        if plugins.is_dir():
            (config / "cli-plugins").symlink_to(plugins)
        return {"DOCKER_CONFIG": str(config)}


def free_port(address: str = "127.0.0.1") -> int:
    with socket.create_server((address, 0)) as server:
        port: int = server.getsockname()[1]
        return port
