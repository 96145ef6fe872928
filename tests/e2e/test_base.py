"""A base image made twice from the same packages is the same image, byte for byte, and one that
runs.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.engine import Engine
from tests.e2e.oci import Repository
from tests.e2e.workspace import Workspace


@pytest.fixture
def place(engine: Engine, prefix: str) -> str:
    if not engine.mirror:
        pytest.skip("this machine reaches no Debian mirror, or has no mmdebstrap")
    return f"{prefix}/bases/debian"


def test_made_twice_it_has_one_digest_and_runs(engine: Engine, place: str, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "team", engine, place)
    first = workspace.bakestone("base", "debian@12", "--to", place)
    reference = first.out.strip()
    assert reference.startswith(f"{place}:12@sha256:")
    again = workspace.bakestone("base", "debian@12", "--to", place)
    assert again.out == first.out
    assert "is there already, nothing to do" in again.err

    forced = workspace.bakestone(
        "base", "debian@bookworm", "--to", f"{place}:again", "--keep", "root.tar"
    )
    assert forced.out.strip().rpartition("@")[2] == reference.rpartition("@")[2]
    assert (workspace.folder / "root.tar").stat().st_size > 50_000_000

    stored = Repository(place)
    config = json.loads(stored.blob(stored.manifest("12")["config"]["digest"]))
    assert (config["architecture"], config["config"]["Cmd"]) == ("amd64", ["bash"])
    said = engine.run(
        reference,
        "cat /etc/debian_version; ls /dev/null /usr/sbin/policy-rc.d; ls /var/lib/apt/lists"
        " /etc/hostname 2>&1 || true",
    )
    assert said.startswith("12.")
    assert "Packages" not in said
