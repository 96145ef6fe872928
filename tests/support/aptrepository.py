"""A vendor's apt repositories on loopback, signed by a key of their own."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from pathlib import Path

from tests.support.webserver import WebServer

ARMORED = "vendor.pub"


class AptRepository:
    """`packages` maps a repository's path to its packages, by name and version: the fields of their
    stanzas. `show` puts them on the server, signed; `fingerprint` is that of the key.
    """

    def __init__(self, server: WebServer, home: Path) -> None:
        self.server = server
        self.home = home
        self.packages: dict[str, dict[tuple[str, str], dict[str, str]]] = {}
        home.mkdir(mode=0o700, exist_ok=True)
        make = ("--passphrase", "", "--quick-generate-key", "vendor@example.com", "ed25519", "sign")
        self._gpg(*make, "never")
        told = self._gpg("--with-colons", "--list-keys").decode()
        self.fingerprint = told.partition("\nfpr:")[2].splitlines()[0].strip(":")
        self.key = self._gpg("--armor", "--export")

    def _gpg(self, *words: str) -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--yes", *words]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def put(self, path: str, name: str, version: str, **more: str) -> str:
        """One more package; gives its checksum."""
        checksum = hashlib.sha256(f"{path} {name} {version}".encode()).hexdigest()
        about = {"Package": name, "Version": version, "Size": "7", "SHA256": checksum, **more}
        self.packages.setdefault(path, {})[name, version] = about
        return about["SHA256"]

    def show(self) -> None:
        """Serve it as it is now."""
        for path, packages in self.packages.items():
            stanzas = [
                "\n".join(f"{field}: {value}" for field, value in about.items())
                for about in packages.values()
            ]
            self.listed(path, "\n\n".join([*stanzas, ""]).encode())

    def listed(self, path: str, content: bytes) -> None:
        """Serve a list, with a signed release that names it and the key beside it."""
        packed = gzip.compress(content, mtime=0)
        self.server.file(f"{path}Packages.gz", packed)
        digest = hashlib.sha256(packed).hexdigest()
        release = f"Origin: vendor\nSHA256:\n {digest} {len(packed)} ./Packages.gz\nDate: today\n"
        self.signed(path, release.encode())

    def signed(self, path: str, release: bytes, *, apart: bool = False) -> None:
        """Serve a release with its signature inside, or `apart` as older repositories have it."""
        plain = self.home / "Release"
        plain.write_bytes(release)
        if apart:
            del self.server.answers[f"/{path}InRelease"]
            self.server.file(f"{path}Release", release)
            how = ("--armor", "--detach-sign")
            self.server.file(f"{path}Release.gpg", self._gpg("--output", "-", *how, str(plain)))
        else:
            text = self._gpg("--output", "-", "--clear-sign", str(plain))
            self.server.file(f"{path}InRelease", text)
        self.server.file(f"{path}{ARMORED}", self.key)
