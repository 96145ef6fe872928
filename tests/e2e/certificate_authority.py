"""A certificate authority that nobody else trusts, as companies have one."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Authority:
    """Its own certificate, and the key and certificate of a server that it vouches for."""

    certificate: Path
    key: Path
    server: Path

    @property
    def tls(self) -> ssl.SSLContext:
        """For a server of Python's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.key)
        return context

    @property
    def registry(self) -> dict[str, Any]:
        """For the configuration of a registry."""
        return {"tls": {"certificate": str(self.server), "key": str(self.key)}}

    def bundle(self, path: Path, *others: Path) -> Path:
        """A file with this authority and others."""
        path.write_text(
            "".join(
                p.read_text("utf-8") + "\n" for p in (self.certificate, *others) if p.is_file()
            ),
            "utf-8",
        )
        return path


def make(folder: Path, address: str) -> Authority:
    """A new authority, for a server at an IP address."""
    paths = [
        folder / name
        for name in ("ca.pem", "ca.key", "server.pem", "server.key", "request.pem", "names")
    ]
    ca, ca_key, server, key, request, names = map(str, paths)
    paths[5].write_text(f"subjectAltName=IP:{address}\n", "utf-8")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
        [
            "req",
            "-x509",
            *new,
            "-days",
            "2",
            "-subj",
            "/CN=a private authority",
            "-keyout",
            ca_key,
            "-out",
            ca,
        ],
        ["req", *new, "-subj", "/CN=server", "-keyout", key, "-out", request],
        [
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            ca,
            "-CAkey",
            ca_key,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            names,
            "-out",
            server,
        ],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return Authority(paths[0], paths[3], paths[2])
