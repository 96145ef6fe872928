"""Artifacts that refer to an image, their subject: a registry lists them under it.

OCI distribution specification 1.1, "Pushing Manifests with Subject": a registry that lists them by
itself says so (OCI-Subject). For any other the client keeps the list, an index under the tag
`sha256-HEX` of the subject ("Referrers Tag Schema"), which others write as well.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

from bakestone.clients.registry.client import ImmutableTagError, RefusedError, Registry
from bakestone.clients.registry.manifest import INDEX, MANIFEST, Json, digest_of, document
from bakestone.clients.registry.reference import Reference
from bakestone.errors import ENVIRONMENT, BakestoneError, fail

TAG = re.compile(r"sha256-[0-9a-f]{64}")
"""The tag of a list of referrers."""
TRIES = 5
"""How often a list is written, when others write it at the same time."""
PAUSE = 0.2
"""Seconds before it is read and written again; then twice as many, and so on."""


def push(registry: Registry, repository: str, raw: bytes) -> None:
    """Put a manifest that has a subject, by its digest, and see to it that the registry lists it.

    A list that cannot be written is a warning of the registry: the manifest is there all the same.
    Raises `RefusedError` when the registry takes no such manifest.
    """
    digest, subject = registry.put_manifest(f"{repository}@{digest_of(raw)}", raw, MANIFEST)
    if subject:
        return
    try:
        _enlist(registry, repository, digest, raw)
    except (ImmutableTagError, RefusedError, _ListError) as problem:
        warn(registry, problem)


def warn(registry: Registry, problem: BakestoneError) -> None:
    """Note that attestations are not listed as referrers, and why; once for a registry
    and a kind of reason."""
    for finding in problem.findings:
        said = f"attestations are in the index of each image alone: {finding.message}"
        hint = "`docker buildx imagetools inspect` finds them; `oras discover` and regctl do not"
        told = replace(finding, message=said, hint=hint, severity="warning")
        registry.warnings.setdefault((finding.name, type(problem)), told)


def tag(subject: str) -> str:
    """The tag under which clients keep the list of what refers to a digest."""
    return subject.replace(":", "-")


class _ListError(BakestoneError):
    """A list that is none, or that others write all the time."""


def _enlist(registry: Registry, repository: str, digest: str, raw: bytes) -> None:
    """Add a manifest to the list of its subject; what is in it stays."""
    entry = _entry(digest, raw)
    reference = f"{repository}:{tag(document(raw)['subject']['digest'])}"
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        listed = _listed(registry, reference)
        entries = listed.get("manifests", [])
        if any(one["digest"] == digest for one in entries):
            return
        whole = listed | {"manifests": [*entries, entry]}
        registry.push_manifest(reference, json.dumps(whole, separators=(",", ":")).encode(), INDEX)
        # the specification leaves conditional requests open: who came in between is seen here
        if any(one["digest"] == digest for one in _listed(registry, reference)["manifests"]):
            return
    raise _not_a_list(reference, "is written by others all the time")


def _entry(digest: str, raw: bytes) -> Json:
    """A manifest's descriptor as a list has it: with its type and its annotations."""
    data = document(raw)
    about = {"mediaType": MANIFEST, "digest": digest, "size": len(raw)}
    about["artifactType"] = data.get("artifactType") or data["config"]["mediaType"]
    return about | ({"annotations": data["annotations"]} if data.get("annotations") else {})


def _listed(registry: Registry, reference: str) -> Json:
    """The list that is there; an empty one where there is none."""
    found = registry.manifest(reference)
    if found is None:
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    if found.media_type != INDEX:
        raise _not_a_list(reference, "is on something that is no list of referrers")
    return found.data


def _not_a_list(reference: str, why: str) -> BakestoneError:
    place = Reference.parse(reference)
    return _ListError(fail(f"the tag {place.path} {why}", name=place.host).findings, ENVIRONMENT)
