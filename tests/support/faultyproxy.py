"""A proxy on loopback in front of a real registry: it counts the requests, and does harm to one of
them, or to all from one on.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.httpserver import Server

PAUSE = 0.3
"""Seconds before a slow answer, and in its middle."""
_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")


@dataclass
class Exchange:
    """A request that came, and how it is answered."""

    handler: BaseHTTPRequestHandler
    port: int
    body: bytes

    def ask(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the registry answers: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {k: v for k, v in self.handler.headers.items() if k.lower() not in _HOP}
        headers["Content-Length"] = str(len(self.body))
        with contextlib.closing(connection):
            connection.request(self.handler.command, self.handler.path, self.body, headers)
            with connection.getresponse() as got:
                raw = got.read()
                kept = [(k, v) for k, v in got.getheaders() if k.lower() not in _HOP]
                length = got.getheader("Content-Length", "0")
        size = length if self.handler.command == "HEAD" else str(len(raw))
        return got.status, [*kept, ("Content-Length", size)], raw

    def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.handler.send_response(status)
        for name, value in headers:
            if name.lower() not in ("date", "server"):  # the handler has its own
                self.handler.send_header(name, value)
        self.handler.end_headers()

    def end(self, *, reset: bool = False) -> None:
        """No more comes on this connection."""
        self.handler.close_connection = True
        if reset:
            now = struct.pack("ii", 1, 0)
            self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            self.handler.connection.close()


Harm = Callable[[Exchange], None]


def whole(exchange: Exchange) -> None:
    """No harm."""
    status, headers, raw = exchange.ask()
    exchange.head(status, headers)
    exchange.handler.wfile.write(raw)


def answer(status: int, **more: str) -> Harm:
    """An error instead of the registry's answer; `Retry_After="1"` is a header."""

    def instead(exchange: Exchange) -> None:
        raw = b'{"errors":[{"code":"UNKNOWN","message":"harm was done"}]}'
        headers = [(name.replace("_", "-"), value) for name, value in more.items()]
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(raw)))]
        exchange.head(status, headers)
        exchange.handler.wfile.write(b"" if exchange.handler.command == "HEAD" else raw)

    return instead


def reset(exchange: Exchange) -> None:
    """The registry never hears of it."""
    exchange.end(reset=True)


def unheard(exchange: Exchange) -> None:
    """The registry does it, and its answer is lost."""
    exchange.ask()
    exchange.end(reset=True)


def torn(exchange: Exchange) -> None:
    """The answer ends in the middle of its body, or of its headers where it has none."""
    status, headers, raw = exchange.ask()
    if raw:
        exchange.head(status, headers)
        exchange.handler.wfile.write(raw[: len(raw) // 2])
    else:
        exchange.handler.wfile.write(f"HTTP/1.1 {status} So\r\nContent-Le".encode())
    exchange.handler.wfile.flush()
    exchange.end()


def slow(exchange: Exchange) -> None:
    """It comes, with pauses."""
    time.sleep(PAUSE)
    status, headers, raw = exchange.ask()
    exchange.head(status, headers)
    exchange.handler.wfile.write(raw[: len(raw) // 2])
    exchange.handler.wfile.flush()
    time.sleep(PAUSE if raw else 0)
    exchange.handler.wfile.write(raw[len(raw) // 2 :])


@dataclass
class FaultyProxy:
    """`port` is its own; `harm` is done to the request of number `at`, counted from 1, and with
    `stays` to all that follow. `asked` has every request since `plan` was called.
    """

    port: int
    asked: list[str] = field(default_factory=list)
    harm: Harm = whole
    at: int = 0
    stays: bool = False
    done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def plan(self, harm: Harm = whole, at: int = 0, *, stays: bool = False) -> None:
        """What is done from now on; counted anew."""
        with self._lock:
            self.harm, self.at, self.stays, self.done = harm, at, stays, 0
            self.asked.clear()

    def next(self, what: str) -> Harm:
        """What is done with a request."""
        with self._lock:
            self.asked.append(what)
            number = len(self.asked)
            if number == self.at or (self.stays and number > self.at > 0):
                self.done += 1
                return self.harm
            return whole


@contextmanager
def proxying(registry: int) -> Iterator[FaultyProxy]:
    """A proxy in front of the registry at that port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            harm = proxy.next(f"{self.command} {self.path.partition('?')[0]}")
            with contextlib.suppress(ConnectionError):
                harm(Exchange(self, registry, body))

        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = Server(Handler)
    proxy = FaultyProxy(server.server_port)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
