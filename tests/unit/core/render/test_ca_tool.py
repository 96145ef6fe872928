"""tools/ca.sh: certificates come into the store, and into the bundle that programs read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bakestone.core.render.frames import tool

LINE = "A" * 64
PEM = f"-----BEGIN CERTIFICATE-----\n{LINE}\n{'B' * 64}\n==\n-----END CERTIFICATE-----\n"
STORES = {
    "apt": ("usr/local/share/ca-certificates", "etc/ssl/certs/ca-certificates.crt"),
    "dnf": ("etc/pki/ca-trust/source/anchors", "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
}


def run(root: Path, manager: str, does: str) -> subprocess.CompletedProcess[str]:
    """The tool in a folder that stands for an image; `does` is what updates its store."""
    folder, bundle = STORES.get(manager, ("", "x"))
    (root / bundle).parent.mkdir(parents=True, exist_ok=True)
    (root / bundle).write_text("others\n", "utf-8")
    (root / "certificates").mkdir()
    (root / "certificates" / "ours-1.crt").write_text(PEM, "utf-8")
    (root / "bin").mkdir()
    for name in ("update-ca-certificates", "update-ca-trust"):
        program = root / "bin" / name
        program.write_text(f"#!/bin/sh\n{does}\n".replace("FROM", str(root / folder)), "utf-8")
        program.write_text(program.read_text("utf-8").replace("TO", str(root / bundle)), "utf-8")
        program.chmod(0o755)
    text = tool("ca.sh")
    for place in ("/usr/local/share", "/etc/ssl", "/etc/pki", "/certificates/"):
        text = text.replace(f"={place}", f"={root}{place}").replace(f" {place}", f" {root}{place}")
    text = text.replace("-o 0 -g 0", "")
    return subprocess.run(
        ["sh", "-c", text, "ca", manager],
        env={"PATH": f"{root / 'bin'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("manager", STORES)
def test_what_is_in_the_bundle_is_trusted(manager: str, tmp_path: Path) -> None:
    done = run(tmp_path, manager, "cat FROM/*.crt >>TO")
    assert (done.returncode, done.stderr) == (0, "")
    folder, bundle = STORES[manager]
    placed = tmp_path / folder / "ours-1.crt"
    assert (placed.read_text("utf-8"), placed.stat().st_mode & 0o777) == (PEM, 0o644)
    assert (tmp_path / bundle).read_text("utf-8") == f"others\n{PEM}"


@pytest.mark.parametrize("manager", STORES)
def test_what_the_store_leaves_out_ends_the_build(manager: str, tmp_path: Path) -> None:
    done = run(tmp_path, manager, "true")
    assert done.returncode == 1
    assert done.stderr.startswith("bakestone: ca: ours-1.crt is not in ")


def test_another_kind_of_distro_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, "apk", "true")
    assert (done.returncode, done.stderr) == (
        1,
        "bakestone: ca: nobody knows the trust store of a distro with apk\n",
    )
