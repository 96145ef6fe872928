"""A second registry, which asks for a name and a password, on a port of its own."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests.e2e.certificate_authority import Authority
from tests.e2e.engine import Engine
from tests.support.realregistry import HTPASSWD, START, TRIES, free_port
from tests.support.tokenservice import USER


class PasswordRegistry:
    """`address` is HOST:PORT.

    It runs inside a `with` block, and can be stopped and started again with the same data.

    `authority` makes it speak HTTPS, on the address of this machine that containers see.
    """

    def __init__(self, engine: Engine, folder: Path, authority: Authority | None = None) -> None:
        self.folder = folder
        self.verify = str(authority.certificate) if authority else True
        self._authority = authority
        self._engine = engine
        self._host = engine.gateway if authority else "127.0.0.1"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        (folder / "htpasswd").write_text(HTPASSWD, "utf-8")

    @property
    def address(self) -> str:
        return f"{self._host if self._authority else 'localhost'}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._authority else 'http'}://{self.address}"

    def start(self) -> None:
        """Start it: on a free port the first time, on the same one after that."""
        tries = [self.port] if self.port else [free_port(self._host) for _ in range(TRIES)]
        for self.port in tries:  # somebody else may be quicker at a port that was free
            self._run()
            if self._answers():
                return
            self.stop()
        pytest.fail(
            "the registry did not come up:\n" + (self.folder / "log").read_text("utf-8", "replace")
        )

    def _run(self) -> None:
        """The program, or else the image registry:2."""
        settings = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": {"addr": f"{self._host}:{self.port}"}
            | (self._authority.registry if self._authority else {}),
            "auth": {"htpasswd": {"realm": "bakestone", "path": str(self.folder / "htpasswd")}},
        }
        configuration = self.folder / "registry.yml"
        configuration.write_text(json.dumps(settings), "utf-8")  # JSON is YAML
        mount = f"{self.folder}:{self.folder}"
        container = ["docker", "run", "--rm", "--network", "host", "-v", mount, "registry:2"]
        path = self._engine.environment["PATH"] + ":/usr/sbin"
        program = shutil.which("docker-registry", path=path)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*([program] if program else container), "serve", str(configuration)],
                env=self._engine.environment,
                stdout=log,
                stderr=log,
            )

    def _answers(self) -> bool:
        """Whether it asks for a password before START seconds are over."""
        end = time.monotonic() + START
        while time.monotonic() < end and self._process and self._process.poll() is None:
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                answer = requests.get(f"{self.url}/v2/", timeout=5, verify=self.verify)
                return answer.status_code == 401
            time.sleep(0.1)
        return False

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(START)
            self._process = None

    def __enter__(self) -> PasswordRegistry:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def login(self, password: str) -> dict[str, str]:
        """The environment of somebody who ran `docker login` with this password, or never did when
        it is empty.
        """
        return logged_in(self.folder / secrets.token_hex(4), self.address, password)


def logged_in(config: Path, address: str, password: str) -> dict[str, str]:
    """The environment of somebody whose Docker configuration, in the folder `config`, has the
    account of a registry; it has none without a password.
    """
    config.mkdir()
    token = base64.b64encode(f"{USER}:{password}".encode()).decode()
    auths = {address: {"auth": token}} if password else {}
    (config / "config.json").write_text(json.dumps({"auths": auths}), "utf-8")
    plugins = Path.home() / ".docker" / "cli-plugins"  # where buildx may be
    if plugins.is_dir():
        (config / "cli-plugins").symlink_to(plugins)
    return {"DOCKER_CONFIG": str(config)}
