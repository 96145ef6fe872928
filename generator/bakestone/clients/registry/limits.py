"""What registries take, as far as it can be said before anything is built. Pure.

Sources: docs/registries.md.
"""

from __future__ import annotations

import re

from bakestone.clients.registry.reference import Reference

MAX_NAME = 255
"""Characters of HOST/REPOSITORY: distribution's reference grammar; other clients refuse more."""
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
"""A part of a repository's name (OCI distribution specification, "Pulling manifests")."""
_HUB_LEVELS = 2
_ECR = re.compile(r"[0-9]{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?")
_ARTIFACT_REGISTRY = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev")
_ARTIFACT_LEVELS = 3


def limit(registry: str, family: str) -> str | None:
    """Why there can be no repository `registry`/`family`; None when nothing is known against it."""
    name = f"{registry}/{family}"
    place = Reference.parse(name)
    parts = place.repository.split("/")
    if any(part != part.lower() for part in parts):
        return f"a repository's name is in lower case: {place.repository.lower()}"
    wrong = next((part for part in parts if not _COMPONENT.fullmatch(part)), None)
    if wrong is not None:
        return f"`{wrong}` is no part of a repository's name"
    if len(name) > MAX_NAME:
        return f"the name has {len(name)} characters, registries take {MAX_NAME}"
    if place.host in ("docker.io", "index.docker.io") and len(parts) != _HUB_LEVELS:
        return f"Docker Hub has two levels, NAMESPACE/REPOSITORY, and this has {len(parts)}"
    if _ARTIFACT_REGISTRY.fullmatch(place.host) and len(parts) < _ARTIFACT_LEVELS:
        return "Artifact Registry has three levels or more, PROJECT/REPOSITORY/IMAGE"
    return None


def missing(reference: Reference) -> str:
    """What to do when a registry has no such repository and takes no upload to it."""
    if _ECR.fullmatch(reference.host):
        command = f"aws ecr create-repository --repository-name {reference.repository}"
        return f"Amazon ECR makes no repository by itself: `{command}`, or a creation template"
    return "is the path right? Some registries want the repository (or project) created first"
