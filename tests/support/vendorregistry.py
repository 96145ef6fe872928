"""A registry on loopback that keeps what is pushed to it, with the manners of a vendor."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import jwt

from tests.support.httpserver import Server
from tests.support.tokenservice import PASSWORD, SERVICE, USER, TokenService

_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|uploads|referrers)/(?P<rest>.+)?")
INDEX = "application/vnd.oci.image.index.v1+json"
NEEDS = {"GET": {"pull"}, "HEAD": {"pull"}, "DELETE": {"delete"}}


@dataclass(frozen=True)
class Manners:
    """How a vendor differs from the specification, or uses the room that it leaves.

    `absent` is the answer for a repository that is not there, `head` that to each HEAD (0: as the
    specification has it), `fixed` that to the second PUT of a tag with `words`, `index` that to
    the PUT of an index, `put` that to every PUT of a manifest, `post` that to the start of an
    upload to a repository that is not there, `artifacts` that to a manifest with a subject (0: it
    is taken). A registry that `lists` has the API of referrers. `location` is how an upload's
    place is given.
    `challenge` has {realm}, {service} and {scope}; several lines are several headers.
    """

    login: str = ""
    challenge: str = 'Bearer realm="{realm}",service="{service}",scope="{scope}"'
    absent: int = 404
    head: int = 0
    fixed: int = 0
    words: str = ""
    index: int = 0
    put: int = 201
    post: int = 202
    location: str = "absolute"
    deletes: int = 202
    limit: int = 0
    artifacts: int = 0
    lists: bool = False


@dataclass
class VendorRegistry:
    """`address` is HOST:PORT. `asked` has each request, `secrets` each Authorization that came,
    `encodings` the Transfer-Encoding of each upload.

    `elsewhere` is another host that takes uploads and gives blobs, when the manners say so.
    """

    manners: Manners
    tokens: TokenService | None = None
    elsewhere: VendorRegistry | None = None
    address: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    repositories: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    encodings: list[str | None] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    registry: VendorRegistry

    def answer(self) -> None:
        registry, manners = self.registry, self.registry.manners
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        registry.asked.append(f"{self.command} {self.path}")
        if "Authorization" in self.headers:
            registry.secrets.append(self.headers["Authorization"])
        parts = urlsplit(self.path)
        match = _PATH.fullmatch(parts.path.replace("/blobs/uploads/", "/uploads/"))
        if match is None and parts.path.endswith("/blobs/uploads/"):
            match = _PATH.fullmatch(parts.path.removesuffix("blobs/uploads/") + "uploads/")
        if match is None:
            self.say(404)
            return
        name, kind, rest = match["name"], match["kind"], match["rest"] or ""
        if not self.is_let_in(name):
            return
        if self.command == "HEAD" and manners.head:
            self.say(manners.head)
        elif self.command in ("GET", "HEAD") and name not in registry.repositories:
            self.say(manners.absent)
        elif kind == "uploads":
            self.upload(name, parts.query, content)
        elif kind == "blobs":
            self.give("application/octet-stream", registry.blobs.get(rest))
        elif kind == "referrers":
            self.referrers(name, rest)
        elif self.command == "PUT":
            self.put(name, rest, content)
        elif self.command == "DELETE":
            if manners.deletes == 202:
                registry.manifests.pop((name, rest), None)
            self.say(manners.deletes)
        else:
            self.give(*registry.manifests.get((name, rest), ("", None)))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    def is_let_in(self, name: str) -> bool:
        """Whether the request has the right login; answers it when not."""
        registry, needs = self.registry, NEEDS.get(self.command, {"pull", "push"})
        if "/uploads/" in self.path and self.command == "DELETE":
            needs = {"push"}
        login, sent = registry.manners.login, self.headers.get("Authorization", "")
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        good = not login or ("basic" in login and sent == f"Basic {basic}")
        if registry.tokens and "bearer" in login and sent.startswith("Bearer "):
            with contextlib.suppress(jwt.PyJWTError):
                good = needs <= registry.tokens.rights_in(sent.removeprefix("Bearer "), name)
        if not good:
            words = {
                "realm": registry.tokens.realm if registry.tokens else "r",
                "service": SERVICE,
                "scope": f"repository:{name}:{','.join(sorted(needs))}",
            }
            lines = registry.manners.challenge.format(**words).splitlines()
            self.say(401, *(("WWW-Authenticate", line) for line in lines))
        return good

    def upload(self, name: str, query: str, content: bytes) -> None:
        registry, manners = self.registry, self.registry.manners
        if self.command == "POST":
            if name not in registry.repositories and manners.post != 202:
                self.say(manners.post, content=b'{"errors":[{"code":"NAME_UNKNOWN"}]}')
                return
            other = registry.elsewhere.address if registry.elsewhere else registry.address
            place = {
                "absolute": f"http://{registry.address}/v2/{name}/blobs/uploads/1",
                "relative": "1",
                "rooted": f"/v2/{name}/blobs/uploads/1",
                "query": f"/v2/{name}/blobs/uploads/1?state=a%2Fb%3D%3D",
                "elsewhere": f"http://{other}/v2/{name}/blobs/uploads/1?signed=yes",
            }.get(manners.location)
            self.say(202, *([("Location", place)] if place else []))
            return
        if self.command == "DELETE":
            self.say(204)
            return
        registry.encodings.append(self.headers["Transfer-Encoding"])
        words = parse_qs(query)
        stated = words.get("digest", [""])[0]
        kept = manners.location != "query" or words.get("state") == ["a/b=="]
        good = kept and stated == f"sha256:{hashlib.sha256(content).hexdigest()}"
        if good:
            registry.repositories.add(name)
            registry.blobs[stated] = content
        self.say(201 if good else 400)

    def put(self, name: str, tag: str, content: bytes) -> None:
        registry, manners, kind = self.registry, self.registry.manners, self.headers["Content-Type"]
        data = json.loads(content)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        needed = [*data.get("layers", []), *([data["config"]] if "config" in data else [])]
        if manners.fixed and ":" not in tag and (name, tag) in registry.manifests:
            self.say(manners.fixed, content=manners.words.encode())
        elif manners.index and "manifests" in data:
            self.say(manners.index, content=b'{"errors":[{"code":"MANIFEST_INVALID"}]}')
        elif any(blob["digest"] not in registry.blobs for blob in needed):
            self.say(400, content=b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}')
        elif manners.artifacts and "subject" in data:
            self.say(manners.artifacts, content=b'{"errors":[{"code":"MANIFEST_INVALID"}]}')
        elif manners.put != 201:
            self.say(manners.put)
        else:
            registry.repositories.add(name)
            for key in {tag, digest}:
                registry.manifests[name, key] = (kind, content)
            listed = "subject" in data and manners.lists
            subject = [("OCI-Subject", data["subject"]["digest"])] if listed else []
            self.say(201, ("Docker-Content-Digest", digest), *subject)

    def referrers(self, name: str, subject: str) -> None:
        """The list of what has this subject (OCI distribution specification, "Listing
        Referrers").
        """
        if not self.registry.manners.lists:
            self.say(404)
            return
        entries = []
        for (where, digest), (kind, content) in self.registry.manifests.items():
            data = json.loads(content)
            if (where, data.get("subject", {}).get("digest")) == (name, subject) and ":" in digest:
                about = {"mediaType": kind, "digest": digest, "size": len(content)}
                entries.append(about | {"artifactType": data["artifactType"]})
        listed = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        self.say(200, ("Content-Type", INDEX), content=json.dumps(listed).encode())

    def give(self, kind: str, content: bytes | None) -> None:
        if content is None:
            self.say(404)
            return
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.say(200, ("Content-Type", kind), ("Docker-Content-Digest", digest), content=content)

    def say(self, status: int, *headers: tuple[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving(manners: Manners, tokens: TokenService | None = None) -> Iterator[VendorRegistry]:
    """A running registry; with a second one, where its uploads go elsewhere."""
    registry = VendorRegistry(manners, tokens)
    handler = type("Handler", (_Handler,), {"registry": registry})
    http = Server(handler)
    registry.address = f"127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    try:
        if manners.location == "elsewhere":
            with serving(Manners()) as other:
                other.blobs = registry.blobs
                other.repositories = registry.repositories
                registry.elsewhere = other
                yield registry
        else:
            yield registry
    finally:
        http.shutdown()
        http.server_close()
