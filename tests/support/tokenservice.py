"""A token service on loopback, as registries have one (distribution, spec/auth): it signs tokens
for one account, by password or by refresh token, for the rights that the account has.
"""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from tests.support import certificates
from tests.support.certificates import Certificate
from tests.support.httpserver import Server

ISSUER, SERVICE = "bakestone-tests", "the registry"
USER, PASSWORD, REFRESH = "bakestone", "correct-horse", "refresh-" + "0" * 20
LEEWAY = 60
"""Seconds for which docker-registry takes a token whose life is over."""


@dataclass
class TokenService:
    """`realm` is its URL. `life` is in seconds; `leeway` is what the registry adds to it.

    `rights` is what the account may do with a repository; what is asked beyond is not given.
    `asked` has the scopes of each request, `strangers` the requests with a wrong secret.
    """

    signed: Certificate
    life: float = 300
    leeway: float = LEEWAY
    rights: tuple[str, ...] = ("pull", "push", "delete")
    anonymous: tuple[str, ...] = ()
    asked: list[tuple[str, ...]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    strangers: int = 0
    realm: str = ""

    def token(self, scopes: list[str], rights: tuple[str, ...]) -> str:
        access = []
        for scope in (one for text in scopes for one in text.split()):
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            given = [action for action in actions.split(",") if action in rights]
            access.append({"type": kind, "name": name, "actions": given})
        now = time.time()
        claims = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "nbf": int(now) - 120,
            "iat": int(now) - 120,
            "exp": int(now + self.life - self.leeway),
            "jti": secrets.token_hex(8),
            "access": access,
        }
        chain = [base64.b64encode(self.signed.der).decode()]
        key = self.signed.key.read_text("ascii")
        return jwt.encode(claims, key, algorithm="ES256", headers={"x5c": chain})

    def rights_in(self, token: str, repository: str) -> set[str]:
        """What a token allows, for stand-ins of registries; raises `jwt.PyJWTError`."""
        public = self.signed.public_key()
        claims = jwt.decode(
            token, public, algorithms=["ES256"], audience=SERVICE, leeway=self.leeway
        )
        return {
            action
            for entry in claims["access"]
            if entry["name"] == repository
            for action in entry["actions"]
        }

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request for a token."""
        query = urlsplit(request.path).query
        rights = self.anonymous
        self.methods.append(request.command)
        if request.command == "POST":
            length = int(request.headers["Content-Length"])
            query = request.rfile.read(length).decode()
        words = parse_qs(query)
        scopes = words.get("scope", [])
        self.asked.append(tuple(one for text in scopes for one in text.split()))
        if request.command == "POST":
            # Docker asks so with a password too (OAuth 2, "Resource Owner Password Credentials")
            account = [words.get(name) for name in ("username", "password")]
            known = words.get("refresh_token") == [REFRESH] or account == [[USER], [PASSWORD]]
            rights = self.rights if known else rights
        else:
            known, sent = True, request.headers.get("Authorization")
            if sent is not None:
                basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                known, rights = sent == f"Basic {basic}", self.rights
        if not known:
            self.strangers += 1
        content: dict[str, Any] = {"errors": "who are you?"}
        if known:
            token = self.token(scopes, rights)
            content = {"token": token, "access_token": token, "expires_in": self.life}
        raw = json.dumps(content).encode()
        request.send_response(200 if known else 401)
        request.send_header("Content-Length", str(len(raw)))
        request.end_headers()
        request.wfile.write(raw)


@contextmanager
def serving(folder: Path, tls: Certificate | None = None, host: str = "") -> Iterator[TokenService]:
    """A running service, over TLS under the name `host` when it is given a certificate."""
    service = TokenService(certificates.make(folder / "signer", "signer"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.answer(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    http = Server(Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        http.socket = context.wrap_socket(http.socket, server_side=True)
    scheme = "https" if tls else "http"
    service.realm = f"{scheme}://{host or '127.0.0.1'}:{http.server_port}/token"
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield service
    finally:
        http.shutdown()
        http.server_close()
