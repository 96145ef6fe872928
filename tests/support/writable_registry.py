"""A registry on loopback that keeps what is pushed to it in memory, and counts what it is asked."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<key>[^?]+)")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(raw: bytes) -> str:
    """`sha256:...`."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


class WritableRegistry:
    """`contents` is repository -> digest -> bytes, `tags` repository -> tag -> digest.

    `asked` lists METHOD PATH. Tags that `immutable` holds for are put once. A registry that is not
    `deletes` keeps its tags. With `refuses`, that is the status of every answer; with `denies`, of
    those to who would read a repository in which nothing is. One that is not `lists` keeps no
    referrers by itself; with `no_artifacts`, that is the status for a manifest with a subject.
    """

    def __init__(self) -> None:
        self.contents: dict[str, dict[str, bytes]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.immutable: Callable[[str], bool] = lambda _tag: False
        self.deletes = True
        self.lists = True
        self.refuses = self.denies = self.no_artifacts = 0
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 2**16  # an answer in one piece: two wait for each other on loopback
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                registry.answer(self)

            do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"127.0.0.1:{self.http.server_port}"

    def put(self, repository: str, raw: bytes, tag: str = "") -> str:
        """Keep bytes, under a tag as well. Gives their digest."""
        digest = digest_of(raw)
        self.contents.setdefault(repository, {})[digest] = raw
        if tag:
            self.tags.setdefault(repository, {})[tag] = digest
        return digest

    def put_json(self, repository: str, data: object, tag: str = "") -> str:
        """Keep a document."""
        return self.put(repository, json.dumps(data).encode(), tag)

    def written(self) -> list[str]:
        """The tags that were put, in turn."""
        puts = [a.rpartition("/")[2] for a in self.asked if a.startswith("PUT /v2/")]
        return [name for name in puts if not name.startswith("sha256:") and "?" not in name]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Do what a request asks."""
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length) if length else b""
        self.asked.append(f"{request.command} {request.path}")
        status, headers, answer = self._answer(request, body)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(answer)

    def _answer(
        self, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if self.refuses:
            return self.refuses, {}, b""
        if request.command == "POST":
            return 202, {"Location": f"{request.path}session"}, b""
        found = _PATH.fullmatch(request.path.partition("?")[0])
        if found is None:
            return 404, {}, b""
        repository, key = found["name"], found["key"]
        if request.command == "PUT":
            if found["kind"] == "blobs":
                return 201, {"Docker-Content-Digest": self.put(repository, body)}, b""
            there = self.tags.get(repository, {}).get(key)
            if there and self.immutable(key) and there != digest_of(body):
                return 412, {}, b'{"errors":[{"code":"DENIED","message":"tag is immutable"}]}'
            subject = json.loads(body).get("subject", {}).get("digest", "")
            if subject and self.no_artifacts:
                return self.no_artifacts, {}, b'{"errors":[{"code":"MANIFEST_INVALID"}]}'
            tag = "" if key.startswith("sha256:") else key
            headers = {"OCI-Subject": subject} if subject and self.lists else {}
            return 201, headers | {"Docker-Content-Digest": self.put(repository, body, tag)}, b""
        if request.command == "DELETE":
            if not self.deletes:
                return 405, {}, b'{"errors":[{"code":"UNSUPPORTED"}]}'
            self.tags.get(repository, {}).pop(key, None)
            return 202, {}, b""
        digest = self.tags.get(repository, {}).get(key, key)
        raw = self.contents.get(repository, {}).get(digest)
        if self.denies and repository not in self.contents:
            return self.denies, {}, b""
        if raw is None:
            return 404, {}, b""
        kind = "application/octet-stream"
        if found["kind"] == "manifests":
            kind = str(json.loads(raw).get("mediaType", _MANIFEST))
        return 200, {"Docker-Content-Digest": digest, "Content-Type": kind}, raw


@contextmanager
def writable_registry() -> Iterator[WritableRegistry]:
    """A running registry."""
    registry = WritableRegistry()
    thread = threading.Thread(
        target=registry.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield registry
    finally:
        registry.http.shutdown()
        registry.http.server_close()
