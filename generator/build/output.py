"""Where a builder puts images: what it can do, and the outputs that ask for it.

Measured: Docker 28.5 with the containerd image store rewrites times when no copy is kept (`store=false`), and gives the
same digests as a BuildKit 0.32 of its own. With a copy, "rewrite-timestamp conflicts with unpack". Docker 26 fails
without a copy ("tag does not exist"), so it cannot rewrite what it pushes; exports as OCI layouts it can.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from generator.errors import ENVIRONMENT, fail
from generator.render.bakefile import Form

if TYPE_CHECKING:
    from python_on_whales import DockerClient

FIRST_WITHOUT_COPY = 28
"""The first Docker that pushes without keeping a copy."""


@dataclass(frozen=True)
class Abilities:
    """What a builder can do: write the whole `form` when it pushes, push without a `copy`, export OCI layouts."""

    form: Form
    copy: bool
    layouts: bool
    name: str

    def push(self, image: str, form: Form, *, plain_http: bool) -> str:
        """The output that pushes an image under a reference."""
        options = {"type": "image", "name": image, "push": "true", **form.output}
        options |= {} if self.copy else {"store": "false"}
        options |= {"registry.insecure": "true"} if plain_http else {}
        return _text(options)


def layout(name: str, folder: Path) -> str:
    """The output that adds an image to an OCI layout, times rewritten; `name` tells it from others there."""
    return _text({"type": "oci", "name": name, "dest": str(folder), "tar": "false", **Form().output})


def abilities(client: DockerClient, builder: str) -> Abilities:
    """What a builder can do, or the one that Docker uses when `builder` is empty. Raises `BakestoneError` (exit 3) when there is none."""
    driver, name = _driver(client, builder)
    if driver != "docker":
        return Abilities(Form(), copy=True, layouts=True, name=f"the builder {name}")
    info = client.info()
    version = str(info.server_version or "0")
    major = version.partition(".")[0]
    containerd = "io.containerd.snapshotter" in str(info.driver_status)
    without_copy = containerd and major.isdigit() and int(major) >= FIRST_WITHOUT_COPY
    name = f"Docker {version}" + ("" if containerd else " without the containerd image store")
    return Abilities(Form() if without_copy else Form(rewrite=False, attest=False), copy=not without_copy, layouts=containerd, name=name)


def _driver(client: DockerClient, builder: str) -> tuple[str, str]:
    """Driver and name of a builder, as `buildx inspect` tells them; python-on-whales lists all builders, and waits for dead ones."""
    command = [*client.client_config.docker_cmd, "buildx", "inspect", *([builder] if builder else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = dict(re.findall(r"^(Name|Driver):\s+(\S+)", done.stdout, re.MULTILINE)[:2])
    if done.returncode or "Driver" not in found:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix("ERROR: ")
        hint = "`docker buildx ls` shows the builders; the site file names one under `builder`"
        raise fail(f"buildx cannot use the builder: {reason}", hint, name=builder, code=ENVIRONMENT)
    return found["Driver"], found["Name"]


def _text(options: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in options.items())
