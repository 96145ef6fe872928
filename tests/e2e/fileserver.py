"""A small HTTP server on this machine that stands in for a vendor's: what it serves can be altered,
or held back.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.e2e.engine import Engine
from tests.support.httpserver import Server


class FileServer:
    """`files` maps a path to bytes; `asked` lists the paths asked for.

    With `login`, every request must have this header `Authorization`; with `tls`, the server speaks
    HTTPS.
    """

    def __init__(self, address: str, *, login: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self._held: dict[str, Hold] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def _answer(self, *, body: bool) -> None:
                server.asked.append(self.path)
                hold = server._held.get(self.path)
                if hold:
                    hold.reached.set()
                    hold.free.wait(300)
                content = server.files.get(self.path)
                if login and self.headers.get("Authorization") != login:
                    self._refuse()
                    return
                with contextlib.suppress(ConnectionError):
                    self.send_response(404 if content is None else 200)
                    kind = "text/html" if self.path.endswith("/") else "application/octet-stream"
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(content or b"")))
                    self.end_headers()
                    if body and content:
                        self.wfile.write(content)

            def _refuse(self) -> None:
                with contextlib.suppress(ConnectionError):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="files"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._http = Server(Handler, address)
        if tls:
            # the handshake is the handler's: a client that is slow at it keeps nobody else waiting
            self._http.socket = tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if tls else 'http'}://{address}:{self._http.server_port}/"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for hold in self._held.values():
            hold.free.set()
        self._http.shutdown()
        self._http.server_close()

    @contextmanager
    def hold(self, path: str) -> Iterator[Hold]:
        """Keep whoever asks for a path waiting, inside the `with` block."""
        held = self._held[path] = Hold()
        try:
            yield held
        finally:
            del self._held[path]
            held.free.set()


def at_gateway(engine: Engine, *, login: str = "", tls: ssl.SSLContext | None = None) -> FileServer:
    """A server for build steps that run in containers: they see this machine as their gateway.

    The test is skipped where Docker runs in another machine.
    """
    try:
        return FileServer(engine.gateway, login=login, tls=tls)
    except OSError:
        pytest.skip(
            f"this Docker runs in another machine: its gateway {engine.gateway} is not an address"
            " of this one"
        )


class Hold:
    """`reached` is set once somebody waits; `free` lets everybody go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.free = threading.Event()
