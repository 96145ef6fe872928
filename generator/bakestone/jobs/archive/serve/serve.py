"""`bakestone archive serve`: a static server of one archive, on loopback and where else one says.

Read only.
"""

from __future__ import annotations

import contextlib
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bakestone import __version__
from bakestone.core.documents.words import Say
from bakestone.errors import ENVIRONMENT, fail
from bakestone.files import open_regular
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.jobs.archive.serve.routes import Reply, Routes

LOOPBACK = "127.0.0.1"
IDLE = 120
"""Seconds without a word after which a connection is closed."""
WAITING = 128
"""Connections that the kernel keeps until they are taken: an engine and apt open many at once, and
Python's own 5 lose some to a timeout of seconds.
"""
LAST_WORDS = 2
"""Seconds that the end waits for a listener."""
TOLD = 200
"""Paths that are named as missing; of more, there is only a count."""
_TLS = b"\x16"
"""The first byte of a TLS handshake; no HTTP request begins with it."""
_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{1,15})?")


class Missed:
    """What was asked for and is not there: each path is told once, the first `TOLD` of them.

    Requests wait for nobody who listens: a terminal that is stopped, or a pipe that nobody reads,
    holds up no answer.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._seen: set[str] = set()
        self._more = 0
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._teller = threading.Thread(target=self._tell, daemon=True)
        self._teller.start()

    def note(self, what: str) -> None:
        """Take what was asked for."""
        shown = "".join(c if c.isprintable() else "?" for c in what)[:300]  # fit for a terminal
        with self._lock:
            if shown in self._seen:
                return
            if len(self._seen) >= TOLD:
                self._more += 1
                return
            self._seen.add(shown)
        self._waiting.put(shown)

    def close(self) -> None:
        """Tell how many more there were, to a listener that listens."""
        if self._more:
            self._waiting.put(f"{self._more} requests for other things")
        self._waiting.put(None)
        self._teller.join(LAST_WORDS)

    def _tell(self) -> None:
        while (what := self._waiting.get()) is not None:
            self._say(what)


class _Handler(BaseHTTPRequestHandler):
    """One request: a blob, a page, or 404.

    Proxies' requests, with a whole URL in the place of a path, are answered alike.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a small answer waits for the acknowledgement of its head
    server_version = f"bakestone-archive/{__version__}"
    sys_version = ""
    routes: Routes
    layout: ArchiveLayout
    missed: Missed

    def handle_one_request(self) -> None:
        """Read and answer a request.

        A client that speaks TLS is told in the clear, so that BuildKit turns to plain HTTP for
        loopback.
        """
        self.close_connection = True
        with contextlib.suppress(OSError):  # silent for too long, or gone
            if self.rfile.peek(1)[:1] != _TLS:  # type: ignore[attr-defined]  # a BufferedReader
                super().handle_one_request()
                return
            self.wfile.write(b"HTTP/1.0 400 Bad Request\r\n\r\nthis is plain HTTP\n")

    def do_CONNECT(self) -> None:
        self.missed.note(self.path)
        self.send_error(405, "this is an archive: it has no way to other hosts")
        self.close_connection = True

    def do_GET(self) -> None:
        found = self.routes.find(self.path)
        with contextlib.suppress(ConnectionError, TimeoutError):
            if found is None:
                if "/by-hash/" not in self.path:
                    self.missed.note(self.path)
                self._text(404, b"not in this archive\n")
            elif not found.digest:
                self._text(200, found.text, found.media_type)
            else:
                self._blob(found)

    do_HEAD = do_GET  # noqa: N815  # its answers have no body then

    def _text(self, code: int, text: bytes, media_type: str = "text/plain") -> None:
        self._head(code, media_type, len(text), {})
        if self.command != "HEAD":
            self.wfile.write(text)

    def _blob(self, found: Reply) -> None:
        try:
            stream = open_regular(self.layout.path(found.digest))
        except OSError:
            self.missed.note(f"{self.path} (its blob {found.digest} cannot be read)")
            self._text(404, b"the blob is gone\n")
            return
        with stream:
            size = stream.seek(0, 2)
            start, end = self._range(size)
            if start >= size > 0:
                self._head(416, found.media_type, 0, {"Content-Range": f"bytes */{size}"})
                return
            whole = (start, end) == (0, size)
            part = {} if whole else {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
            about = {"Docker-Content-Digest": found.digest, "ETag": f'"{found.digest}"'}
            more = part | about | {"Accept-Ranges": "bytes"}
            self._head(200 if whole else 206, found.media_type, end - start, more)
            if self.command != "HEAD" and end > start:
                sent = self.connection.sendfile(stream, start, end - start)
                # cut off below our hands: the reader sees that bytes are missing
                self.close_connection |= sent < end - start

    def _range(self, size: int) -> tuple[int, int]:
        """The bytes asked for, as [start, end); all of them without a range, or with one that is
        not known.
        """
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if not asked or (asked[2] and int(asked[2]) < int(asked[1])):
            return 0, size
        return int(asked[1]), min(size, int(asked[2]) + 1 if asked[2] else size)

    def _head(self, code: int, media_type: str, size: int, more: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": media_type, "Content-Length": size, **more}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is logged but what is missed."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = WAITING

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is no concern of this server."""


@contextmanager
def serving(layout: ArchiveLayout, addresses: Sequence[str], port: int, say: Say) -> Iterator[int]:
    """Serve an archive on each address, in threads, while the block runs.

    Gives the port, a free one for 0. `say` is told what is missed.

    Raises `BakestoneError` (exit 3) when an address or the port cannot be had.
    """
    routes = Routes(layout.catalog())
    with ExitStack() as stack:
        missed = Missed(say)
        stack.callback(missed.close)
        own = {"timeout": IDLE, "routes": routes, "layout": layout, "missed": missed}
        handler = type("Handler", (_Handler,), own)
        for address in dict.fromkeys(addresses):
            try:
                server = _Server((address, port), handler)
            except OSError as problem:
                why = f"cannot listen on {address}:{port}: {problem.strerror or problem}"
                hint = (
                    "take another --port, or an address of this machine for --bind (`docker` is the"
                    " one that build steps see)"
                )
                raise fail(why, hint, name="archive serve", code=ENVIRONMENT) from problem
            stack.callback(server.server_close)
            port = server.server_port
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
            stack.callback(server.shutdown)
        yield port
