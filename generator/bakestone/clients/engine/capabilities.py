"""Where a builder puts images: what it can do, and the outputs that ask for it.

An image is brought to its registry by digest, and named when it is whole. Builders of their own
(docker-container, remote, kubernetes) push by digest. Docker's builtin driver does not: "tag does
not exist", or a copy in the engine that conflicts with rewritten times; it exports an OCI layout,
which is pushed from here (jobs/publish/push_layout.py). Docker without the containerd image store
can do neither, and pushes under a tag.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bakestone.core.render.compression import GZIP, Compression
from bakestone.errors import ENVIRONMENT, fail

if TYPE_CHECKING:
    from python_on_whales import DockerClient

BY_DIGEST, LAYOUT, BY_TAG = "by digest", "layout", "by tag"
"""How images come from a builder to a registry."""
_OWN_BUILDER = "use a builder of its own (`docker buildx create`, `builder` in the site file)"


@dataclass(frozen=True)
class Abilities:
    """What a builder can do, and how its images come to a registry.

    `delivery` is one of the three ways.
    """

    delivery: str
    name: str

    @property
    def whole(self) -> bool:
        """Whether it exports OCI layouts and writes attestations: what pushes under tags does
        neither.
        """
        return self.delivery != BY_TAG


def pushed(name: str, compression: Compression = GZIP, *, by_digest: bool, plain_http: bool) -> str:
    """The output that pushes an image: to the repository `name` by its digest, or to a tag."""
    options = {"type": "image", "name": name, "push": "true", **compression.options}
    options |= {"push-by-digest": "true"} if by_digest else {}
    options |= {"registry.insecure": "true"} if plain_http else {}
    return _text(options)


def layout(name: str, folder: Path, compression: Compression = GZIP) -> str:
    """The output that adds an image to an OCI layout; `name` tells it from others there."""
    options = {"type": "oci", "name": name, "dest": str(folder), "tar": "false"}
    return _text(options | compression.options)


def abilities(
    client: DockerClient, builder: str, *, export: bool = False, compression: Compression = GZIP
) -> Abilities:
    """What a builder, or else the one that Docker uses, can do; by its driver.

    `export` says that this site wants images exported, also where the builder could push them.
    Raises `BakestoneError` (exit 3) when there is no builder, or it cannot export, or not with this
    compression.
    """
    driver, name = _driver(client, builder)
    if driver != "docker":
        way = LAYOUT if export else BY_DIGEST
        return Abilities(way, f"the builder {name}")
    if compression.kind == "estargz":
        hint = f"{_OWN_BUILDER}, or another `compression` in the site file"
        raise fail("Docker's builtin builder does not write estargz", hint, code=ENVIRONMENT)
    info = client.info()
    docker = f"Docker {info.server_version or '0'}"
    if "io.containerd.snapshotter" in str(info.driver_status):
        return Abilities(LAYOUT, docker)
    docker += " without the containerd image store"
    if compression != GZIP:
        hint = "use Docker's containerd image store or a builder of its own (docs/reproducible.md)"
        said = f"{docker} compresses layers its own way, not by {compression.said}"
        raise fail(said, f"{hint}, or take `compression` out of the site file", code=ENVIRONMENT)
    if export:
        hint = (
            "use Docker's containerd image store or a builder of its own (docs/reproducible.md), or"
            " take `push` out of the site file"
        )
        said = f"{docker} cannot export images, as `push: export` asks"
        raise fail(said, hint, code=ENVIRONMENT)
    return Abilities(BY_TAG, docker)


def _driver(client: DockerClient, builder: str) -> tuple[str, str]:
    """Driver and name, by `buildx inspect`: python-on-whales lists all, and waits for dead ones."""
    docker = client.client_config.docker_cmd
    command = [*docker, "buildx", "inspect", *([builder] if builder else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = dict(re.findall(r"^(Name|Driver):\s+(\S+)", done.stdout, re.MULTILINE)[:2])
    if done.returncode or "Driver" not in found:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        reason = reason.removeprefix("ERROR: ")
        hint = "`docker buildx ls` shows the builders; the site file names one under `builder`"
        raise fail(f"buildx cannot use the builder: {reason}", hint, name=builder, code=ENVIRONMENT)
    return found["Driver"], found["Name"]


def _text(options: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in options.items())
