"""A package index on loopback (PEP 691, PEP 700): wheels that ask for what a test says, or files
that are names and checksums alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import yaml

from tests.support import webserver
from tests.support.webserver import Answer, WebServer

_KIND = "application/vnd.pypi.simple.v1+json"
TORCH = (
    "nvidia-cuda-runtime-cu12==12.8.90; platform_system == 'Linux'",
    "nvidia-cudnn-cu12==9.10.2.21; platform_system == 'Linux'",
    "nvidia-nccl-cu12==2.27.5; platform_system == 'Linux'",
    "nvidia-nccl-cu11==2.14.3; platform_system == 'Windows'",
    "sympy>=1.13",
)
"""What torch 2.9.1 asks for, in part, and what does not count on Linux."""


class Index:
    """`projects` maps a project to its files by name, as the index lists them; `hashes` has the
    checksums of whole wheels by name; `site` is the site file that names it.
    """

    def __init__(self, server: WebServer, folder: Path) -> None:
        self.server = server
        self.projects: dict[str, dict[str, dict[str, Any]]] = {}
        self.hashes: dict[str, str] = {}
        site = {"version": 1, "indexes": {"pip": {"url": f"{server.url}simple/"}}}
        self.site = folder / "site.yaml"
        self.site.write_text(yaml.safe_dump(site), "utf-8")

    def wheel(
        self,
        name: str,
        version: str,
        *asks: str,
        tag: str = "",
        metadata: bool = True,
        yanked: str = "",
    ) -> str:
        """A wheel that asks for something; without `metadata` that is in the wheel alone."""
        tag = tag or "cp312-cp312-manylinux_2_28_x86_64"
        file = f"{name.replace('-', '_')}-{version}-{tag}.whl"
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += ["Requires-Python: >=3.10", *(f"Requires-Dist: {text}" for text in asks)]
        text = "\n".join([*lines, "", ""]).encode()
        if metadata:
            self.server.file(f"files/{file}.metadata", text)
        with io.BytesIO() as whole:
            with zipfile.ZipFile(whole, "w") as archive:
                archive.writestr(f"{name}/_vendor/old-1.0.dist-info/METADATA", "Name: old\n")
                archive.writestr(f"{name}/library.so", bytes(3 * 2**20))
                archive.writestr(f"{file.partition('-cp')[0]}.dist-info/METADATA", text)
            self.server.on(f"files/{file}", parts(whole.getvalue()))
            self.hashes[file] = hashlib.sha256(whole.getvalue()).hexdigest()
        self.put(name, file, self.hashes[file], yanked=yanked or False)
        self.show()
        return f"/files/{file}"

    def put(self, project: str, filename: str, sha256: str = "", **more: object) -> str:
        """One more file, by name and checksum; gives that. `show` puts it on the server."""
        checksum = sha256 or hashlib.sha256(filename.encode()).hexdigest()
        url = f"{self.server.url}files/{filename}"
        about = {"filename": filename, "url": url, "hashes": {"sha256": checksum}, **more}
        self.projects.setdefault(project, {})[filename] = about
        return checksum

    def copy(self, versions: Mapping[str, Any]) -> None:
        """The wheels of a versions.yaml, as the index must have listed them."""
        for wheel in wheels(versions):
            for file in wheel["files"].values():
                size, day = file.get("size", 1), "2026-01-02T03:04:05.678900Z"
                more = {"size": size, "upload-time": day}
                self.put(wheel["name"], file["filename"], file["sha256"], **more)

    def show(self) -> None:
        """Serve it as it is now."""
        for project, files in self.projects.items():
            page = {"meta": {"api-version": "1.1"}, "name": project, "files": list(files.values())}
            answer = webserver.body(json.dumps(page).encode(), _KIND)
            self.server.on(f"simple/{project}/", answer)


def wheels(versions: Mapping[str, Any]) -> Iterable[Any]:
    """Every wheel of a versions.yaml."""
    for data in versions.values():
        yield from data.get("methods", {}).get("wheel", {}).get("wheels", [])


def parts(content: bytes) -> Answer:
    """Gives the part that `Range` names, or all, as file servers do."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        if "Range" not in request.headers:
            request.send_response(200)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            if request.command == "GET":
                request.wfile.write(content)
            return
        first, last = request.headers["Range"].removeprefix("bytes=").split("-")
        part = content[int(first) : int(last) + 1]
        request.send_response(206)
        request.send_header("Content-Length", str(len(part)))
        request.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        request.end_headers()
        request.wfile.write(part)

    return answer
