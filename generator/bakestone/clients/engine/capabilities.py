"""Where a builder puts images: what it can do, and the outputs that ask for it.

Measured: Docker 28.5 with the containerd image store rewrites times when no copy is kept
(`store=false`), and gives the same digests as a BuildKit 0.32 of its own. With a copy,
"rewrite-timestamp conflicts with unpack". Docker 26 fails without a copy ("tag does not exist"), so
it cannot rewrite what it pushes; exports as OCI layouts it can, and those are then pushed from here
(export.py).
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bakestone.core.render.bakefile import WHOLE, Form
from bakestone.errors import ENVIRONMENT, fail

if TYPE_CHECKING:
    from python_on_whales import DockerClient

FIRST_WITHOUT_COPY = 28
"""The first Docker that pushes without keeping a copy."""


@dataclass(frozen=True)
class Abilities:
    """What a builder can do, and how its images come to a registry.

    `form` is how it can write them, `copy` whether it pushes only what it keeps a copy of,
    `layouts` whether it exports OCI layouts. With `export` it does not push: each image is
    exported, and pushed from here.
    """

    form: Form
    copy: bool
    layouts: bool
    name: str
    export: bool = False

    def push(self, image: str, form: Form, *, plain_http: bool) -> str:
        """The output that pushes an image under a reference."""
        options = {"type": "image", "name": image, "push": "true", **form.output}
        options |= {} if self.copy else {"store": "false"}
        options |= {"registry.insecure": "true"} if plain_http else {}
        return _text(options)


def layout(name: str, folder: Path, form: Form = WHOLE) -> str:
    """The output that adds an image to an OCI layout; `name` tells it from others there."""
    return _text({"type": "oci", "name": name, "dest": str(folder), "tar": "false", **form.output})


def choose(
    driver: str, name: str, version: str = "", *, containerd: bool = False, export: bool = False
) -> Abilities:
    """What the builder `name` can do, by its driver. Pure.

    `version` and `containerd` (its image store) are those of Docker, and count for the driver
    `docker` alone. `export` says that this site wants images exported, also where the builder could
    push them.
    """
    if driver != "docker":
        return Abilities(Form(), copy=True, layouts=True, name=f"the builder {name}", export=export)
    if not containerd:
        return Abilities(
            Form(rewrite=False, attest=False),
            copy=True,
            layouts=False,
            name=f"Docker {version} without the containerd image store",
        )
    major = version.partition(".")[0]
    without_copy = major.isdigit() and int(major) >= FIRST_WITHOUT_COPY
    return Abilities(
        Form(),
        copy=not without_copy,
        layouts=True,
        name=f"Docker {version}",
        export=export or not without_copy,
    )


def abilities(client: DockerClient, builder: str, *, export: bool = False) -> Abilities:
    """What a builder can do, or the one that Docker uses when `builder` is empty.

    Raises `BakestoneError` (exit 3) when there is none.
    """
    driver, name = _driver(client, builder)
    if driver != "docker":
        return choose(driver, name, export=export)
    info = client.info()
    containerd = "io.containerd.snapshotter" in str(info.driver_status)
    found = choose(
        driver, name, str(info.server_version or "0"), containerd=containerd, export=export
    )
    if export and not found.export:
        hint = (
            "use Docker's containerd image store or a builder of its own (docs/reproducible.md), or"
            " take `push` out of the site file"
        )
        raise fail(
            f"{found.name} cannot export images, as `push: export` asks", hint, code=ENVIRONMENT
        )
    return found


def _driver(client: DockerClient, builder: str) -> tuple[str, str]:
    """Driver and name of a builder, as `buildx inspect` tells them; python-on-whales lists all
    builders, and waits for dead ones.
    """
    command = [
        *client.client_config.docker_cmd,
        "buildx",
        "inspect",
        *([builder] if builder else []),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = dict(re.findall(r"^(Name|Driver):\s+(\S+)", done.stdout, re.MULTILINE)[:2])
    if done.returncode or "Driver" not in found:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix(
            "ERROR: "
        )
        hint = "`docker buildx ls` shows the builders; the site file names one under `builder`"
        raise fail(f"buildx cannot use the builder: {reason}", hint, name=builder, code=ENVIRONMENT)
    return found["Driver"], found["Name"]


def _text(options: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in options.items())
