"""Exact package versions of several bases, asked of apt in one build: what goes wrong on one of
them leaves the others, and is told. Packages of a snapshot are looked up in its lists.
"""

from __future__ import annotations

import difflib
import re
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import yaml

from bakestone.jobs.base.machine import mirrors
from tests.e2e.workspace import Workspace
from tests.support.webserver import redirect, serving, status

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
        line.partition(" ")[0]
        for one in lock["packages"][NEW]["platforms"]["linux/amd64"]
        for line in one["versions"].splitlines()
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


def test_packages_of_a_snapshot_are_looked_up_in_debian_s_archive(workspace: Workspace) -> None:
    """The archive itself stands for its snapshots, whatever the time."""
    archives = mirrors(lambda _text: None)
    if not {"Debian", "Debian-Security"} <= archives.keys():
        pytest.skip("compares with Debian's own archive: needs a mirror that answers")
    workspace.lock.unlink()

    def answer(request: BaseHTTPRequestHandler) -> None:
        found = re.fullmatch(r"/archive/debian(-security)?/[0-9]{8}T000000Z/(.+)", request.path)
        archive = archives["Debian-Security" if found and found[1] else "Debian"]
        (redirect(f"{archive}/{found[2]}") if found else status(404))(request)

    with serving() as snapshots:
        snapshots.otherwise = answer
        urls = {"http://snapshot.debian.org/": snapshots.url}
        workspace.site(urls=urls, pins={"debian": "snapshot"})
        workspace.images(*_families("less", "no-such-package", "awk"))
        said = " ".join(workspace.bakestone("lock", code=1).err.split())
        assert (
            f"{NEW}: there is no package no-such-package for {NEW} (linux/amd64); family new asks"
            " for it on debian@13" in said
        )
        assert not workspace.lock.exists()

        workspace.images(*_families("less", "awk"))
        workspace.bakestone("lock")
    lock = yaml.safe_load(workspace.lock.read_text("utf-8"))
    assert {(p["from"], p.get("note")) for p in lock["packages"].values()} == {("snapshot", None)}
