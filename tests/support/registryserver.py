"""A stand-in for a registry: images of no content, served over HTTP on loopback, by the server of
webserver.py.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from bakestone.clients.registry.client import INDEX_TYPES, MANIFEST_TYPES
from tests.support.webserver import Answer, WebServer, body

CREATED = "2026-11-20T00:00:00Z"
EPOCH = 1795132800


class RegistryServer:
    """`address` is HOST:PORT; every image that is put there has a manifest and a configuration for
    each platform.
    """

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.address = server.url.removeprefix("http://").rstrip("/")

    def site(self, *, pins: str = "{debian: frozen, ubuntu: frozen}", more: str = "") -> str:
        """A site file with this registry as the mirror of Docker Hub; with these pins, no engine is
        needed.
        """
        return (
            f"version: 1\nmirrors:\n  registries: {{docker.io: {self.address}}}\n{more}pins:"
            f" {pins}\n"
        )

    def put(
        self,
        repository: str,
        tag: str,
        platforms: Iterable[str] = ("linux/amd64", "linux/arm64"),
        mark: str = "",
    ) -> str:
        """Serve an image; `mark` makes it another one. Gives the digest of its index."""
        entries = []
        for platform in platforms:
            system, architecture = platform.split("/")
            config = self.blob(
                repository,
                {
                    "architecture": architecture,
                    "os": system,
                    "created": CREATED,
                    "mark": f"{repository}:{tag}{mark}",
                },
            )
            manifest = {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPES[0],
                "config": {"digest": config},
                "layers": [],
            }
            digest = self.manifest(repository, manifest, MANIFEST_TYPES[0])
            entries.append(
                {"digest": digest, "platform": {"os": system, "architecture": architecture}}
            )
        attestation = {
            "digest": f"sha256:{'a' * 64}",
            "platform": {"os": "unknown", "architecture": "unknown"},
        }
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPES[0],
            "manifests": [*entries, attestation],
        }
        return self.manifest(repository, index, INDEX_TYPES[0], tag)

    def put_all(self, refs: Iterable[str]) -> None:
        """Serve an image for each reference to Docker Hub."""
        for ref in refs:
            repository, _, tag = ref.removeprefix("docker.io/").partition(":")
            self.put(repository, tag)

    def manifest(
        self, repository: str, data: dict[str, Any], media_type: str, tag: str = ""
    ) -> str:
        """Serve a manifest under its digest, and under a tag. Gives the digest."""
        raw = json.dumps(data).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        for name in (digest, tag) if tag else (digest,):
            self.server.answers[f"/v2/{repository}/manifests/{name}"] = body(raw, media_type)
        return digest

    def blob(self, repository: str, data: dict[str, Any]) -> str:
        """Serve a JSON blob. Gives its digest."""
        raw = json.dumps(data).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self.server.answers[f"/v2/{repository}/blobs/{digest}"] = body(raw)
        return digest

    def on(self, repository: str, tag: str, answer: Answer) -> Answer:
        """Answer a request for a tag in another way. Gives the answer there was."""
        path = f"/v2/{repository}/manifests/{tag}"
        before = self.server.answers[path]
        self.server.answers[path] = answer
        return before

    def counts(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(self.server.asked)
