"""A site's mirror on loopback with everything that a matrix needs: registry, files, package index,
snapshots, a vendor's repository.

Files are as long as the library says, and hold nothing: what the doctor asks for is their beginning
and their length.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import yaml

from bakestone.clients.apt.lists import AptSource
from bakestone.clients.registry.client import INDEX_TYPES, MANIFEST_TYPES
from bakestone.core.library.catalog import Library
from bakestone.core.lock import lockfile, survey
from bakestone.core.lock.lock import Lock
from bakestone.project import Project
from tests.support import team
from tests.support.keys import KEYS
from tests.support.samples import made_up, made_up_lock
from tests.support.webserver import Answer, WebServer, body, status

FIRST, SECOND = (
    "78ACE6C15A8269FBC7F2EB53FB03670C5D2EF165",
    "6E152A2C16651BBC95D96638562E9B64B5539178",
)
"""Fingerprints of recorded/keys/first.asc and second.asc, as gpg tells them."""
SECRET = "a-password-nobody-sees"

MATRIX = """\
version: 1
registry: {host}/base
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: cpu
    axes:
      distro: [ubuntu@22.04, ubuntu@24.04]
      mpi: [openmpi@4.1.8, openmpi@5.0.10]
      conda: [miniforge@26.3.2-3, miniconda@py313_26.5.3-1]
    methods: {{openmpi: source}}
    exclude:
      - {{distro: ubuntu@24.04, mpi: openmpi@4.1.*, because: the old MPI stays on the old distro}}
      - {{distro: ubuntu@22.04, conda: miniconda, because: Miniconda is for the new one}}
  - name: gpu
    platforms: [linux/amd64, linux/arm64]
    axes:
      distro: [debian@12]
      mpi: [openmpi@5.0.10]
      gpu:
        - {{cuda: "13.0.2", cudnn: "9.14.0.64", nccl: "2.27.7"}}
        - {{cuda: "13.0.2", cudnn: "9.14.0.64"}}
    name_slots: [cuda, cudnn, nccl, mpi, distro]
    methods: {{openmpi: wheel}}
  - name: vendor
    axes: {{distro: [ubuntu@22.04], acme: ["1.0"]}}
    name_slots: [acme, distro]
"""
OLD_MPI = "openmpi4.1.8-ubuntu22.04-miniforge26.3.2-3"
UBUNTU_22 = [OLD_MPI, "openmpi5.0.10-ubuntu22.04-miniforge26.3.2-3"]
UBUNTU_24 = [
    "openmpi5.0.10-ubuntu24.04-miniforge26.3.2-3",
    "openmpi5.0.10-ubuntu24.04-miniconda26.5.3-py313",
]
WITH_NCCL, WITHOUT_NCCL = (
    "cuda13.0.2-cudnn9-nccl2.27.7-openmpi5.0.10-debian12",
    "cuda13.0.2-cudnn9-openmpi5.0.10-debian12",
)
GPU = [WITH_NCCL, WITHOUT_NCCL]
VENDOR = "acme1.0-ubuntu22.04"
EVERY = [*UBUNTU_22, *UBUNTU_24, *GPU, VENDOR]


def of_size(
    size: int, start: bytes = b"\x1f\x8b", kind: str = "application/octet-stream"
) -> Answer:
    """A file of so many bytes, of which the first are `start` and the others are nothing: for HEAD
    and ranges.
    """

    def answer(request: BaseHTTPRequestHandler) -> None:
        part = request.headers.get("Range", "").removeprefix("bytes=0-")
        sent = (
            b""
            if request.command == "HEAD"
            else start.ljust(min(int(part) + 1 if part else size, size), b"\0")
        )
        request.send_response(206 if part else 200)
        if part:
            request.send_header("Content-Range", f"bytes 0-{len(sent) - 1}/{size}")
        request.send_header("Content-Length", str(len(sent) if part else size))
        request.send_header("Content-Type", kind)
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(sent)

    return answer


def upload(request: BaseHTTPRequestHandler) -> None:
    """A registry that begins an upload for whoever asks, and gives it up again."""
    request.send_response(202 if request.command == "POST" else 204)
    if request.command == "POST":
        request.send_header("Location", f"{request.path}one")
    request.send_header("Content-Length", "0")
    request.send_header("Connection", "close")
    request.end_headers()


@dataclass
class Mirror:
    """`project` is a team's folder that is locked to what the server has.

    The other fields say where a thing is served.
    """

    server: WebServer
    project: Project
    lock: Lock
    manifests: dict[tuple[str, str], str] = field(default_factory=dict)
    """(base, platform) -> path; the index has an empty platform."""
    files: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    """Project of the package index -> path of its page."""
    listed: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.server.url.removeprefix("http://").rstrip("/")

    def copy(self, folder: Path) -> Mirror:
        """The same, in a folder of its own; the server forgets it when `answers` are put back."""
        shutil.copytree(self.project.matrix_path.parent, folder)
        project = Project(
            folder / "images.yaml",
            folder / "images.lock.yaml",
            folder / "dockerfiles",
            folder / "site.yaml",
        )
        project.matrix = self.project.matrix
        return Mirror(
            self.server,
            project,
            self.lock,
            self.manifests,
            self.files,
            self.pages,
            deepcopy(self.listed),
        )

    def set(self, path: str, answer: Answer) -> None:
        """Answer in another way."""
        assert path in self.server.answers, f"the mirror has no {path}"
        self.server.answers[path] = answer

    def lose(self, path: str) -> None:
        """Have it no longer."""
        self.set(path, status(404))

    def serve_page(self, name: str) -> None:
        """The index's page of a project, as `listed` has it."""
        self.server.answers[self.pages[name]] = body(
            json.dumps(self.listed[name]).encode(), "application/vnd.pypi.simple.v1+json"
        )


def make(folder: Path, server: WebServer) -> Mirror:
    """A mirror of everything that `MATRIX` needs, with the project that is locked to it."""
    host = server.url.removeprefix("http://").rstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    vendor_component(folder)
    (folder / "images.yaml").write_text(MATRIX.format(host=host), "utf-8")
    (folder / "pip.conf").write_text(
        f"[global]\nindex-url = http://reader:{SECRET}@{host}/simple\n", "utf-8"
    )
    library = Library.beside(folder)
    project = Project(
        folder / "images.yaml",
        folder / "images.lock.yaml",
        folder / "dockerfiles",
        folder / "site.yaml",
    )
    variants = project.matrix.variants
    lock = made_up_lock(variants, library, {"debian@12": "snapshot"})
    mirror = Mirror(server, project, lock)
    for ref in lock.bases:
        _base(mirror, ref)
    urls: dict[str, str] = {}
    wanted = survey.collect(variants, library)
    for url, artifact in lock.artifacts.items():
        prefix = url.rpartition("/")[0] + "/"
        place = urls.setdefault(prefix, f"{server.url}files{len(urls)}/")
        mirror.files[url] = _path(server, place + url.rpartition("/")[2])
        start = (
            b"#!/bin/sh\n"
            if url.endswith(".sh")
            else {"z2": b"BZh", "xz": b"\xfd7zXZ\0"}.get(url[-2:], b"\x1f\x8b")
        )
        lock.artifacts[url] = replace(
            artifact, size=artifact.size or 1_000_000
        )  # the library does not know every size
        server.answers[mirror.files[url]] = of_size(lock.artifacts[url].size, start)
    for wheel in wanted.wheels.values():
        _wheel(mirror, wheel.name, list(dict(wheel.files).values()))
    urls |= _archives(mirror) | _vendor(mirror)
    for family in ("cpu", "gpu", "vendor"):
        for end in ("", "one"):
            server.answers[f"/v2/base/{family}/blobs/uploads/{end}"] = upload
    registries = {"docker.io/library": f"{host}/hub/library"}
    site = {"version": 1, "mirrors": {"registries": registries, "urls": urls}, "pip": "pip.conf"}
    (folder / "site.yaml").write_text(yaml.safe_dump(site), "utf-8")
    lockfile.write(lock, project.lock_path)
    project.generate()
    return mirror


def _path(server: WebServer, url: str) -> str:
    return "/" + url.removeprefix(server.url)


def vendor_component(folder: Path) -> None:
    """A team's component that is a package of its vendor."""
    repository = {
        "line": "https://apt.acme.test/ubuntu jammy main",
        "key": {"url": "https://apt.acme.test/acme.asc", "fingerprint": FIRST},
        "source": "made up",
    }
    packages = {
        "when": {"distro": "ubuntu@22.04"},
        "repositories": ["acme"],
        "install": {"acme-tool": "1.0-1"},
        "source": "made up",
    }
    about = team.tool(
        "acme",
        "acme",
        {"apt": {"summary": "the vendor's package"}},
        repositories={"acme": repository},
    )
    team.write(folder, about, {"1.0": {"methods": {"apt": {"packages": [packages]}}}})


def _base(mirror: Mirror, ref: str) -> None:
    repository = "hub/" + ref.removeprefix("docker.io/").rpartition(":")[0]
    locked = mirror.lock.bases[ref]
    entries: list[dict[str, Any]] = []
    for platform in locked.platforms:
        os, architecture = platform.split("/")
        made = datetime.fromtimestamp(locked.epoch, UTC).isoformat()
        about = json.dumps({"os": os, "architecture": architecture, "created": made}).encode()
        config = {"digest": f"sha256:{hashlib.sha256(about).hexdigest()}", "size": len(about)}
        path = f"/v2/{repository}/blobs/{config['digest']}"
        mirror.server.answers[path] = body(about, "application/json")
        layer = {"digest": f"sha256:{made_up(ref, platform)}", "size": 50_000_000}
        raw = json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode()
        digest = _manifest(mirror, ref, platform, repository, raw, MANIFEST_TYPES[0])
        entries.append({"digest": digest, "platform": {"os": os, "architecture": architecture}})
    raw = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    digest = _manifest(mirror, ref, "", repository, raw, INDEX_TYPES[0])
    platforms = {
        f"{e['platform']['os']}/{e['platform']['architecture']}": e["digest"] for e in entries
    }
    mirror.lock.bases[ref] = replace(
        locked, digest=digest, platforms=platforms, resolved_from="registry"
    )


def _manifest(
    mirror: Mirror, ref: str, platform: str, repository: str, raw: bytes, kind: str
) -> str:
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    path = mirror.manifests[ref, platform] = f"/v2/{repository}/manifests/{digest}"
    mirror.server.answers[path] = body(raw, kind)
    return digest


def _wheel(mirror: Mirror, name: str, wheels: list[tuple[str, str, int]]) -> None:
    page = mirror.listed.setdefault(
        name, {"meta": {"api-version": "1.0"}, "name": name, "files": []}
    )
    for filename, sha256, size in dict.fromkeys(wheels):
        path = f"/wheels/{filename}"
        mirror.server.answers[path] = of_size(size or 1000, b"PK")
        page["files"].append({"filename": filename, "url": path, "hashes": {"sha256": sha256}})
    mirror.pages[name] = f"/simple/{name}/"
    mirror.serve_page(name)


def _archives(mirror: Mirror) -> dict[str, str]:
    """The signed lists of the snapshots; gives the mirrors of their services."""
    library, urls = mirror.project.matrix.library, {}
    for packages in mirror.lock.packages.values():
        name, _, version = packages.distro.partition("@")
        component = library.get(name)
        assert component is not None
        for line in component.data["snapshot"]["sources"]:
            text = line.replace("{{ time }}", packages.snapshot).replace(
                "{{ codename }}", component.versions[version].data["codename"]
            )
            folder = AptSource.parse(text).folder
            prefix = "/".join(folder.split("/")[:3]) + "/"
            urls[prefix] = f"{mirror.server.url}{name}-snapshots/"
            path = _path(mirror.server, urls[prefix] + folder.removeprefix(prefix) + "/InRelease")
            mirror.server.answers[path] = of_size(50_000, b"-----BEGIN PGP SIGNED MESSAGE-----\n")
    return urls


def _vendor(mirror: Mirror) -> dict[str, str]:
    listed = "Package: acme-tool\nVersion: 1.0-1\n\nPackage: acme-tool\nVersion: 1.1-1\n"
    mirror.server.answers["/acme/ubuntu/dists/jammy/main/binary-amd64/Packages.gz"] = body(
        gzip.compress(listed.encode())
    )
    mirror.server.answers["/acme/acme.asc"] = body((KEYS / "first.asc").read_bytes())
    return {"https://apt.acme.test/": f"{mirror.server.url}acme/"}
