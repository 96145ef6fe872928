"""The address of this machine as Docker's build steps see it."""

from __future__ import annotations

import ipaddress

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.site.site import Site
from bakestone.errors import ENVIRONMENT, fail


def of_docker() -> str:
    """The gateway of Docker's default bridge.

    Raises `BakestoneError` (exit 3) when Docker does not answer or has none.
    """
    from python_on_whales import DockerException

    client = Engine(Site()).client()
    try:
        configs = (
            client.network.inspect("bridge").ipam.config
            if client.network.inspect("bridge").ipam
            else None
        ) or []
        for config in configs:
            address = str(config.get("Gateway") or "")
            if ipaddress.ip_address(address).version == 4:
                return address
    except (DockerException, ValueError):
        pass
    raise fail(
        "Docker's default network has no gateway address on this machine",
        "give --bind the address of this machine that containers see",
        name="--bind docker",
        code=ENVIRONMENT,
    )
