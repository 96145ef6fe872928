"""Exact package versions of several bases, asked of apt in one build: what goes wrong on one of
them leaves the others, and is told.
"""

from __future__ import annotations

import difflib
from typing import Any

import yaml

from tests.e2e.workspace import Workspace

OLD, NEW = "docker.io/library/debian:12", "docker.io/library/debian:13"
PARTIAL = ".images.lock.yaml.partial"


def _families(*packages: str) -> list[dict[str, Any]]:
    """One family on each Debian; the packages are for the newer one."""
    first: dict[str, Any] = {"name": "old", "axes": {"distro": ["debian@12"]}}
    return [first, {"name": "new", "axes": {"distro": ["debian@13"]}, "packages": list(packages)}]


def test_what_one_base_lacks_is_named_and_the_others_need_not_be_asked_again(
    workspace: Workspace,
) -> None:
    workspace.lock.unlink()
    workspace.images(*_families("less", "no-such-package"))
    said = workspace.bakestone("lock", code=1).err
    assert f"{NEW}: there is no package no-such-package for {NEW} (linux/amd64)" in said
    assert f"what was resolved is kept in {PARTIAL}" in said
    assert not workspace.lock.exists()
    kept = yaml.safe_load((workspace.folder / PARTIAL).read_text("utf-8"))
    assert set(kept["bases"]) == {OLD, NEW}
    assert set(kept["packages"]) == {OLD}

    workspace.images(*_families("less"))
    said = workspace.bakestone("lock").err
    assert "2 base images are as an unfinished run found them" in said
    assert f"{OLD}: resolving" not in said
    assert f"{NEW}: resolving" in said
    assert not (workspace.folder / PARTIAL).exists()
    lock = yaml.safe_load(workspace.lock.read_text("utf-8"))
    assert lock["packages"][OLD] == kept["packages"][OLD]
    assert {p["from"] for p in lock["packages"].values()} == {"image"}
    brought = {
        name
        for one in lock["packages"][NEW]["platforms"]["linux/amd64"]
        for name in one["versions"]
    }
    assert {"less", "libtinfo6"} & brought

    before = workspace.lock.read_text("utf-8")
    workspace.bakestone("lock", "--update", "debian@13")
    lines = [
        line
        for line in difflib.ndiff(
            before.splitlines(), workspace.lock.read_text("utf-8").splitlines()
        )
        if line[:1] in "+-"
    ]
    assert lines
    assert all("resolved: " in line for line in lines), (
        "the archive is the same within a minute, and the other base is left alone"
    )
    assert len(lines) == 4, "when the base and its packages were asked for"
    assert "fits images.yaml" in workspace.bakestone("lock", "--check").out
