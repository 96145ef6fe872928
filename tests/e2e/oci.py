"""The registry as any client sees it: plain HTTP requests, none of Bakestone's code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import requests
from requests.auth import AuthBase

_KINDS = "index.v1", "manifest.v1"
ACCEPT = ", ".join(
    [f"application/vnd.oci.image.{kind}+json" for kind in _KINDS]
    + [
        f"application/vnd.docker.distribution.{kind}+json"
        for kind in ("manifest.v2", "manifest.list.v2")
    ]
)


@dataclass(frozen=True)
class Repository:
    """`name` is HOST:PORT/PATH."""

    name: str
    login: tuple[str, str] | AuthBase | None = None

    def get(self, path: str) -> requests.Response:
        """What the registry answers for a path below the repository's own."""
        host, _, repository = self.name.partition("/")
        return requests.get(
            f"http://{host}/v2/{repository}/{path}",
            headers={"Accept": ACCEPT},
            auth=self.login,
            timeout=60,
        )

    @property
    def tags(self) -> set[str]:
        answer = self.get("tags/list")
        return set(answer.json()["tags"] or ()) if answer.status_code == 200 else set()

    @property
    def fingerprints(self) -> set[str]:
        """The tags that images are pushed under, before any floating tag moves."""
        return {t for t in self.tags if t.startswith("fp-")}

    @property
    def floating(self) -> dict[str, str]:
        """The tags of images that move, and the digest behind each. Under `sha256-HEX` is what
        refers to an image, where the registry keeps no such list itself.
        """
        others = ("fp-", "sha256-")
        return {t: self.digest(t) for t in self.tags if not t.startswith(others)}

    def digest(self, tag: str) -> str:
        """Of the bytes that the registry gives out: what it says of them is not asked."""
        answer = self.get(f"manifests/{tag}")
        assert answer.status_code == 200, f"{self.name}:{tag}: {answer.status_code} {answer.text}"
        return "sha256:" + hashlib.sha256(answer.content).hexdigest()

    def manifest(self, reference: str) -> dict[str, Any]:
        """The image manifest behind a tag or digest; of an index, the one for this machine's
        platform.
        """
        found: dict[str, Any] = self.get(f"manifests/{reference}").json()
        if "manifests" in found:
            images = [
                entry
                for entry in found["manifests"]
                if "vnd.docker.reference.type" not in entry.get("annotations", {})
            ]
            assert len(images) == 1, "the suite builds for one platform only"
            return self.manifest(images[0]["digest"])
        return found

    def put(self, tag: str, raw: bytes, media_type: str) -> None:
        """Push a manifest or index as it is."""
        host, _, repository = self.name.partition("/")
        url = f"http://{host}/v2/{repository}/manifests/{tag}"
        assert (
            requests.put(
                url, data=raw, headers={"Content-Type": media_type}, auth=self.login, timeout=60
            ).status_code
            == 201
        )

    def blob(self, digest: str) -> bytes:
        return self.get(f"blobs/{digest}").content

    def layer(self, reference: str, instruction: str) -> dict[str, Any]:
        """The layer of an instruction such as `COPY /out/ /`, by the image's own history."""
        manifest = self.manifest(reference)
        history = json.loads(self.blob(manifest["config"]["digest"]))["history"]
        made = [entry for entry in history if not entry.get("empty_layer")]
        assert len(made) == len(manifest["layers"])
        found: list[dict[str, Any]] = [
            layer
            for entry, layer in zip(made, manifest["layers"], strict=True)
            if entry.get("created_by", "").startswith(instruction)
        ]
        assert len(found) == 1, [entry.get("created_by") for entry in made]
        return found[0]
