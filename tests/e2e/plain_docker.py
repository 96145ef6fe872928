"""Docker's own command line with a site's mirror and CA bundle: what somebody without Bakestone
types.
"""

from __future__ import annotations

import json

from tests.e2e.engine import CA
from tests.e2e.workspace import Workspace


def source_policy(workspace: Workspace) -> dict[str, str]:
    """The environment that names a mirror to BuildKit."""
    mirror = workspace.engine.mirror
    if not mirror:
        return {}
    selector = {"identifier": "docker-image://docker.io/library/*", "match_type": "WILDCARD"}
    updates = {"identifier": f"docker-image://{mirror}/${{1}}"}
    path = workspace.folder / "policy.json"
    path.write_text(
        json.dumps({"rules": [{"action": "CONVERT", "selector": selector, "updates": updates}]}),
        "utf-8",
    )
    return {"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": str(path)}


def build_secrets() -> list[str]:
    """For `docker buildx build`."""
    return ["--secret", f"id=ca,src={CA}"] if CA.is_file() else []


def bake_secrets() -> list[str]:
    """For `docker buildx bake`, which asks before it reads a file outside the working directory."""
    return (
        ["--set", f"*.secrets=id=ca,src={CA}", "--allow", f"fs.read={CA}"] if CA.is_file() else []
    )
