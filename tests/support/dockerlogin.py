"""Docker's configuration, as somebody has it who ran `docker login`."""

from __future__ import annotations

import base64
import json
from pathlib import Path


def basic(user: str, password: str) -> str:
    """The value of `auth`."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def write(folder: Path, **content: object) -> Path:
    """A config.json with this content. Gives its folder, for DOCKER_CONFIG."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content), "utf-8")
    return folder


def helper(folder: Path, name: str, script: str) -> Path:
    """A credential helper docker-credential-NAME in sh. Gives the folder, for PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    return folder
