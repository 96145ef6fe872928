"""Others' programs that read images and SBOMs: syft lists packages, osv-scanner finds advisories.

Nothing is asked over the network: the advisories are in a small database of the test's own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packageurl import PackageURL

from tests.support.realregistry import tool

TIMEOUT = 300
"""Seconds that a program may take on two loaded cores."""
KINDS = ("deb", "rpm", "pypi")
"""The types of packages that are compared. syft guesses others from programs that it knows, and
none of its versions in the Python package index reads conda's own database.
"""
CATALOGERS = "dpkg-db-cataloger,rpm-db-cataloger,python-installed-package-cataloger"

Package = tuple[str, str, str]
"""Type, name and version."""
Json = dict[str, Any]


def syft(source: str, out: Path) -> Json:
    """The SPDX document that syft writes of a folder (`dir:...`) or of an image in a registry
    without TLS (`registry:...`).
    """
    environment = {**os.environ, "SYFT_REGISTRY_INSECURE_USE_HTTP": "true"}
    environment["SYFT_CHECK_FOR_APP_UPDATE"] = "false"
    command = [tool("syft"), "scan", source, "--quiet", "--output", f"spdx-json={out}"]
    command += ["--override-default-catalogers", CATALOGERS]
    subprocess.run(command, check=True, timeout=TIMEOUT, env=environment)
    document: Json = json.loads(out.read_text("utf-8"))
    return document


def packages(document: Json, *, prefix: str = "") -> set[Package]:
    """The packages of an SPDX document by their Package URLs; `prefix` is that of their ids."""
    found = set()
    for entry in document["packages"]:
        for ref in entry.get("externalRefs", []):
            if ref["referenceType"] == "purl" and entry["SPDXID"].startswith(prefix):
                purl = PackageURL.from_string(ref["referenceLocator"])
                # Python's own rule (PEP 503), which syft does not follow for dots
                name = re.sub(r"[-_.]+", "-", purl.name) if purl.type == "pypi" else purl.name
                if purl.type in KINDS:
                    found.add((purl.type, name, str(purl.version or "")))
    return found


def database(folder: Path, ecosystem: str, found: Iterable[Package]) -> None:
    """Write advisories on these packages where osv-scanner looks for them without a network."""
    for kind, name, version in found:
        known, exact = {"deb": ("Debian", ecosystem), "pypi": ("PyPI", "PyPI")}[kind]
        advisory = {
            "schema_version": "1.6.0",
            "id": f"TEST-{kind}-{name}",
            "modified": "2026-01-01T00:00:00Z",
            "affected": [{"package": {"ecosystem": exact, "name": name}, "versions": [version]}],
        }
        path = folder / "osv-scalibr" / known / "all.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{advisory['id']}.json", json.dumps(advisory))


def advisories(document: Json, folder: Path, name: str) -> set[tuple[str, str]]:
    """The packages of an SPDX document that osv-scanner finds in a database, with the advisory."""
    path = folder / f"{name}.spdx.json"
    path.write_text(json.dumps(document), "utf-8")
    command = [tool("osv-scanner"), "scan", "source", "--offline", "--offline-vulnerabilities"]
    done = subprocess.run(
        [*command, "--format", "json", "--lockfile", str(path)],
        env={**os.environ, "XDG_CACHE_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode in (0, 1), done.stderr  # 1: it found something
    return {
        (f"{found['package']['name']} {found['package']['version']}", advisory["id"])
        for result in json.loads(done.stdout)["results"]
        for found in result["packages"]
        for advisory in found["vulnerabilities"]
    }
