"""What the gate lists of an image is what syft lists of it, and osv-scanner reads both alike."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.render import packagelist
from bakestone.jobs.publish.attest import publish
from bakestone.jobs.publish.found import FoundPlatform
from tests.support import sbomtools
from tests.support.builder import GPU, inventory
from tests.support.realregistry import ROOT
from tests.support.samples import MANY, locked, made_up

SCRIPT = ROOT / "generator" / "bakestone" / "core" / "render" / "tools" / "packages.sh"
STATUS = """\
Package: bash
Status: install ok installed
Architecture: amd64
Maintainer: Nobody <nobody@example.com>
Version: 5.2.15-2+b13
Description: a shell

Package: libc6
Status: install ok installed
Architecture: amd64
Maintainer: Nobody <nobody@example.com>
Source: glibc
Version: 2.36-9+deb12u13
Description: a library

Package: git
Status: install ok installed
Architecture: amd64
Maintainer: Nobody <nobody@example.com>
Version: 1:2.39.5-0+deb12u3
Description: with an epoch

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Maintainer: Nobody <nobody@example.com>
Version: 1.0
Description: no more than its configuration
"""
THEIRS_ALONE = {("deb", "gone", "1.0")}
"""syft lists what was removed while its configuration stays; dpkg does not call it installed."""
FILES = {
    "etc/os-release": 'PRETTY_NAME="Debian 12"\nID=debian\nVERSION_ID="12"\n',
    "var/lib/dpkg/status": STATUS,
    "usr/lib/python3/dist-packages/pip-26.1.2.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: pip\nVersion: 26.1.2\n\ntext\n"
    ),
    "opt/x/site-packages/Foo_Bar.baz-1.0.post1.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: Foo_Bar.baz\nVersion: 1.0.post1\n\nName: not this\n"
    ),
    "opt/x/site-packages/old-0.1.egg-info/PKG-INFO": "Name: old\nVersion: 0.1\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a small image's files."""
    root = tmp_path / "root"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (root / "var/lib/dpkg/info").mkdir()
    return root


@pytest.fixture
def ours(root: Path, tmp_path: Path) -> sbomtools.Json:
    """Bakestone's own SBOM of it."""
    script = SCRIPT.read_text("utf-8")
    assert script.count("find / -xdev") == 1
    done = subprocess.run(
        ["sh", "-c", script.replace("find / -xdev", 'find "$ROOT" -xdev')],
        env={**os.environ, "ROOT": str(root), "DPKG_ADMINDIR": str(root / "var/lib/dpkg")},
        capture_output=True,
        check=True,
        timeout=sbomtools.TIMEOUT,
    )
    project = locked(tmp_path / "project", MANY, library=Library(BUILT_IN))
    plan = project.plan(project.select([GPU]))
    (variant,) = plan.variants
    listed = packagelist.parse(done.stdout)
    image = FoundPlatform(f"sha256:{made_up('i')}", 1, inventory(variant.variant), listed)
    return publish.sbom(plan, variant, "linux/amd64", image)


def test_syft_lists_what_the_gate_lists(root: Path, ours: sbomtools.Json, tmp_path: Path) -> None:
    theirs = sbomtools.packages(sbomtools.syft(f"dir:{root}", tmp_path / "syft.json"))
    assert sbomtools.packages(ours, prefix="SPDXRef-package-") == theirs - THEIRS_ALONE
    assert theirs > THEIRS_ALONE
    names = {"bash", "libc6", "git", "pip", "foo-bar-baz", "old"}
    assert {name for _, name, _ in theirs - THEIRS_ALONE} == names


def test_osv_scanner_finds_the_same_in_both(
    root: Path, ours: sbomtools.Json, tmp_path: Path
) -> None:
    theirs = sbomtools.syft(f"dir:{root}", tmp_path / "syft.json")
    wrong = [("deb", "bash", "5.2.15-2+b13"), ("pypi", "pip", "26.1.2")]
    sbomtools.database(tmp_path, "Debian:12", wrong)
    found = sbomtools.advisories(ours, tmp_path, "ours")
    assert found == {("bash 5.2.15-2+b13", "TEST-deb-bash"), ("pip 26.1.2", "TEST-pypi-pip")}
    assert found == sbomtools.advisories(theirs, tmp_path, "theirs")
