"""A web server on loopback that answers as badly as real ones do."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.support.httpserver import Server

Answer = Callable[[BaseHTTPRequestHandler], None]


class WebServer:
    """`answers` maps a path to what is done with a request for it, `heads` for HEAD;

    `asked` lists the paths asked for, `accounts` the header `Authorization` of each request.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.heads: dict[str, Answer] = {}
        self.otherwise: Answer = status(404)
        self.asked: list[str] = []
        self.accounts: list[str | None] = []
        self.ended = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.accounts.append(self.headers.get("Authorization"))
                self.close_connection = True
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    server.answers.get(self.path, server.otherwise)(self)

            def do_HEAD(self) -> None:
                server.asked.append(f"HEAD {self.path}")
                server.accounts.append(self.headers.get("Authorization"))
                self.close_connection = True
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    server.heads.get(self.path, server.answers.get(self.path, status(404)))(self)

            do_POST = do_DELETE = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = Server(Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"

    def file(self, path: str, content: bytes) -> str:
        """Serve these bytes under a path; gives the URL."""
        self.answers[f"/{path}"] = body(content)
        return self.url + path

    def on(self, path: str, answer: Answer) -> str:
        """Answer in this way; gives the URL."""
        self.answers[f"/{path}"] = answer
        return self.url + path

    def hang(self) -> Answer:
        """Never answer, while the server is there."""

        def wait(_request: BaseHTTPRequestHandler) -> None:
            self.ended.wait(60)

        return wait

    def trickle(self, content: bytes, pause: float) -> Answer:
        """One byte, a pause of that many seconds, one byte, ..."""

        def drop_by_drop(request: BaseHTTPRequestHandler) -> None:
            _head(request, 200, {"Content-Length": str(len(content))})
            for index in range(len(content)):
                request.wfile.write(content[index : index + 1])
                if self.ended.wait(pause):
                    return

        return drop_by_drop

    def endless(self, start: bytes, again: bytes, pause: float = 0) -> Answer:
        """These bytes as they are, then others again and again, while anybody reads them."""

        def without_end(request: BaseHTTPRequestHandler) -> None:
            request.wfile.write(start)
            while not self.ended.wait(pause):
                request.wfile.write(again)

        return without_end


@contextmanager
def serving(folder: Path | None = None) -> Iterator[WebServer]:
    """A running server; with a folder over TLS, with a certificate of its own that is put there as
    ca.pem.
    """
    server = WebServer()
    if folder is not None:
        _encrypt(server, folder)
    thread = threading.Thread(
        target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.http.shutdown()
        server.http.server_close()


def _encrypt(server: WebServer, folder: Path) -> None:
    key, certificate = folder / "key.pem", folder / "ca.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    server.url = f"https://localhost:{server.http.server_port}/"


def _head(request: BaseHTTPRequestHandler, code: int, headers: dict[str, str]) -> None:
    request.send_response(code)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Connection", "close")
    request.end_headers()


def body(content: bytes, kind: str = "application/octet-stream") -> Answer:
    """The whole file, with its length."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, 200, {"Content-Length": str(len(content)), "Content-Type": kind})
        if request.command != "HEAD":
            request.wfile.write(content)

    return answer


def raw(content: bytes) -> Answer:
    """These bytes as they are, headers and all; then the connection ends."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(content)

    return answer


def status(code: int, **headers: str) -> Answer:
    """An error; `Retry_After="1"` is a header."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: _head(request, code, {"Content-Length": "0"} | more)


def redirect(target: str) -> Answer:
    """Somewhere else."""
    return lambda request: _head(request, 302, {"Location": target, "Content-Length": "0"})


def first(*answers: Answer) -> Answer:
    """One after the other; the last one again and again."""
    left = list(answers)

    def answer(request: BaseHTTPRequestHandler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(request)

    return answer


def cut(content: bytes, after: int) -> Answer:
    """A length that is not kept: the connection ends in the middle."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, 200, {"Content-Length": str(len(content))})
        request.wfile.write(content[:after])

    return answer


def chunked(content: bytes, *, whole: bool = True) -> Answer:
    """In pieces and without a length; not `whole` ends before the last piece."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, 200, {"Transfer-Encoding": "chunked"})
        for start in range(0, len(content), 100):
            piece = content[start : start + 100]
            request.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if whole:
            request.wfile.write(b"0\r\n\r\n")

    return answer


def until_the_end(content: bytes) -> Answer:
    """Without a length: the file is what comes until the connection ends."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, 200, {})
        request.wfile.write(content)

    return answer
