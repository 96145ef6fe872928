"""What apt has newer than the lock and the base image is told, and what of it is a security update,
in apt's own words.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import plain_docker
from tests.e2e.engine import Engine
from tests.e2e.workspace import Workspace

SMALL: dict[str, Any] = {"name": "small", "axes": {"distro": ["debian@12"], "git": ["2.39.5"]}}
REF = "docker.io/library/debian:12"

_ASK = """\
FROM {base} AS ask
RUN --mount=type=secret,id=ca <<'EOF'
set -eu
if [ -f /run/secrets/ca ]; then set -- -o Acquire::https::CaInfo=/run/secrets/ca; fi
apt-get -qq "$@" update
mkdir /out
apt-cache madison {packages} > /out/madison
EOF

FROM scratch
COPY --from=ask /out/ /
"""
_STALE = """\
FROM {base}
RUN --mount=type=secret,id=ca <<'EOF'
set -eu
if [ -f /run/secrets/ca ]; then set -- -o Acquire::https::CaInfo=/run/secrets/ca; fi
apt-get -qq "$@" update
export DEBIAN_FRONTEND=noninteractive
apt-get -qq "$@" install --yes --no-install-recommends {package}={version}
rm -rf /var/lib/apt/lists/*
EOF
"""
LIBRARIES = (
    "libxml2",
    "libtasn1-6",
    "libwebp7",
    "libopenjp2-7",
    "libarchive13",
    "libtiff6",
    "libsndfile1",
    "libpng16-16",
)
"""Packages that git does not need, of which Debian 12 had security updates."""

Madison = dict[str, dict[str, set[str]]]


def madison(engine: Engine, packages: list[str], folder: Path) -> Madison:
    """Package -> version -> the suites that have it, as `apt-cache madison` lists them in the base
    image today.
    """
    text = _ASK.format(base=_debian(engine), packages=" ".join(packages))
    engine.docker(
        "buildx",
        "build",
        "--no-cache",
        *plain_docker.build_secrets(),
        "--output",
        f"type=local,dest={folder}",
        "-",
        stdin=text,
    )
    found: Madison = {}
    for line in (folder / "madison").read_text("utf-8").splitlines():
        package, version, place = (part.strip() for part in line.split("|"))
        found.setdefault(package, {}).setdefault(version, set()).add(
            place.split()[1].partition("/")[0]
        )
    return found


def test_a_lock_with_older_packages_is_outdated_and_security_is_what_apt_says(
    engine: Engine, prefix: str, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "team", engine, f"{prefix}/outdated/base")
    workspace.images(SMALL)
    workspace.bakestone("lock")
    assert outdated(workspace, "--only", "package", "--exit-code")["rows"] == [], (
        "what was locked a moment ago is not outdated"
    )

    lock = yaml.safe_load(workspace.lock.read_text("utf-8"))
    (entry,) = lock["packages"][REF]["platforms"]["linux/amd64"]
    today = dict(line.split(" ") for line in entry["versions"].splitlines())
    entry["versions"] = "".join(f"{name} 0~older\n" for name in today)
    workspace.lock.write_text(yaml.safe_dump(lock, sort_keys=False), "utf-8")

    said = madison(engine, sorted(today), tmp_path / "said")
    secure = {
        name
        for name, versions in said.items()
        if any(_security(suites) for suites in versions.values())
    }
    assert secure, "of some fifty packages some had security updates"
    assert secure < set(today)

    found = outdated(workspace, "--only", "package")
    assert {row["what"]: (row["pinned"], row["newest"]) for row in found["rows"]} == {
        n: ("0~older", v) for n, v in today.items()
    }
    assert {row["what"] for row in found["rows"] if row["security"]} == secure
    assert all(
        row["base"] == REF and row["move"] == f"bakestone lock --update {REF}"
        for row in found["rows"]
    )
    assert {
        row["what"]
        for row in outdated(workspace, "--only", "security", "--exit-code", code=1)["rows"]
    } == secure


def test_a_security_update_of_what_the_base_image_has_is_told(
    engine: Engine, prefix: str, tmp_path: Path
) -> None:
    package, old, new = _with_two_versions(madison(engine, list(LIBRARIES), tmp_path / "said"))
    base, fresh = f"{prefix}/stale/debian:12", _debian(engine)
    text = _STALE.format(base=fresh, package=package, version=old)
    engine.docker(
        "buildx", "build", *plain_docker.build_secrets(), "--push", "--tag", base, "-", stdin=text
    )

    workspace = Workspace(tmp_path / "team", engine, f"{prefix}/stale-base/base")
    workspace.site(registries={"docker.io/library": f"{prefix}/stale"})
    workspace.images(SMALL)
    workspace.bakestone("lock")
    (row,) = outdated(workspace, "--only", "security", "--exit-code", code=1)["rows"]
    assert (row["what"], row["pinned"], row["newest"], row["move"]) == (package, old, new, "")
    assert (
        row["note"]
        == f"in the base image, and there is no newer one: `packages: [{package}]` in images.yaml"
        " brings it"
    )

    # what the note says helps: the lock then holds the package at its newest version
    workspace.images(SMALL | {"packages": [package]})
    workspace.bakestone("lock")
    assert outdated(workspace, "--only", "security", "--exit-code")["rows"] == []
    workspace.images(SMALL)
    workspace.bakestone("lock")

    # a newer base image comes out, and is what moves it
    engine.docker("buildx", "imagetools", "create", "--tag", base, fresh)
    found = outdated(workspace, "--only", "security", "--only", "base")
    assert [(row["kind"], row["what"]) for row in found["rows"]] == [
        ("base", REF),
        ("package", package),
    ]
    assert {row["move"] for row in found["rows"]} == {f"bakestone lock --update {REF}"}
    workspace.bakestone("lock", "--update")
    assert outdated(workspace, "--only", "security", "--only", "base", "--exit-code")["rows"] == []


def outdated(workspace: Workspace, *arguments: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        workspace.bakestone("outdated", "--format", "json", *arguments, code=code).out
    )
    return found


def _debian(engine: Engine) -> str:
    return f"{engine.mirror or 'docker.io/library'}/debian:12"


def _security(suites: set[str]) -> bool:
    return any(suite.endswith("-security") for suite in suites)


def _later(left: str, right: str) -> bool:
    return (
        subprocess.run(["dpkg", "--compare-versions", left, "gt", right], check=False).returncode
        == 0
    )


def _with_two_versions(said: Madison) -> tuple[str, str, str]:
    """A package that the archive has without a security fix, and at a later version with it."""
    for package, versions in said.items():
        for newest, suites in versions.items():
            older = [v for v in versions if _later(newest, v)]
            if _security(suites) and older and len(older) == len(versions) - 1:
                return package, older[0], newest
    pytest.skip("Debian's archive has none of these packages at two versions today")
