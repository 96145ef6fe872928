"""The HTTP server behind every stand-in: a thread for each client, and room for those that wait."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """On a port of its own; a client that goes away, or does not trust it, is no news."""

    daemon_threads = True
    request_queue_size = 128
    """Connections that may wait. With Python's 5, the steps of one build that all come at once on
    two busy cores are turned away by the kernel, and wait for a minute.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], address: str = "127.0.0.1") -> None:
        super().__init__((address, 0), handler)
        self.handler = handler

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What is wrong with a handler itself is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
