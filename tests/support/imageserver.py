"""A registry on loopback: the few requests of the OCI distribution API with which a client asks for
images.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.httpserver import Server

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class RegistryServer:
    """`name` is HOST:PORT; what was asked is in `asked`; a repository in `denied` is nobody's to
    read.
    """

    def __init__(self) -> None:
        self.content: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []
        self.denied: set[str] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self, *, body: bool) -> None:
                server.asked.append(f"{self.command} {self.path}")
                repository = self.path.removeprefix("/v2/").partition("/manifests/")[0]
                kind, content = server.content.get(self.path, ("text/plain", b""))
                self.send_response(
                    403
                    if repository in server.denied
                    else 200
                    if self.path in server.content
                    else 404
                )
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Docker-Content-Digest", digest(content))
                self.end_headers()
                if body:
                    self.wfile.write(content)

            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = Server(Handler)
        self.name = f"127.0.0.1:{self.http.server_port}"

    def image(
        self,
        repository: str,
        tag: str,
        *platforms: str,
        created: str = "2026-11-20T00:00:00Z",
        note: str = "",
    ) -> str:
        """Put an image for these platforms behind a tag; gives the digest of its index.

        `note` makes it another index of the same images.
        """
        entries = []
        for platform in platforms:
            os_, architecture = platform.split("/")
            config = self.put(
                repository, "blobs", {"os": os_, "architecture": architecture, "created": created}
            )
            manifest = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"digest": config[0], "size": config[1]},
                "layers": [],
            }
            found, size = self.put(repository, "manifests", manifest, MANIFEST)
            about = {"os": os_, "architecture": architecture}
            entries.append(
                {"mediaType": MANIFEST, "digest": found, "size": size, "platform": about}
            )
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries} | (
            {"annotations": {"note": note}} if note else {}
        )
        found, _ = self.put(repository, "manifests", index, INDEX)
        self.content[f"/v2/{repository}/manifests/{tag}"] = self.content[
            f"/v2/{repository}/manifests/{found}"
        ]
        return found

    def put(
        self, repository: str, what: str, data: Any, kind: str = "application/json"
    ) -> tuple[str, int]:
        content = json.dumps(data).encode()
        self.content[f"/v2/{repository}/{what}/{digest(content)}"] = (kind, content)
        return digest(content), len(content)

    def platforms(self, repository: str, tag: str) -> dict[str, str]:
        """Platform -> digest of the image behind a tag."""
        index = json.loads(self.content[f"/v2/{repository}/manifests/{tag}"][1])
        return {
            f"{m['platform']['os']}/{m['platform']['architecture']}": m["digest"]
            for m in index["manifests"]
        }


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@contextmanager
def serving() -> Iterator[RegistryServer]:
    """A running registry."""
    server = RegistryServer()
    threading.Thread(
        target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    ).start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
