"""Python packages of a team's own: resolved with all that they bring, installed by hash without the
network, measured, and there for whoever runs the image.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.engine import Engine
from tests.e2e.workspace import MakeWorkspace, Workspace

FAMILY: dict[str, Any] = {
    "name": "serving",
    "axes": {"distro": ["debian@12"]},
    "python": {
        "packages": ["inference-schema>=1.8"],
        "requirements": "requirements.txt",
        "from_source": ["fusepy==3.0.1"],
        "owner": "user",
    },
}
REQUIREMENTS = "# of the Azure Machine Learning SDK\nazureml-defaults>=1.60\n"
KEY = "serving python3.11 glibc2.36"


@pytest.fixture(scope="module")
def team(make: MakeWorkspace) -> Workspace:
    """The family, locked, built and pushed."""
    workspace = make("python")
    (workspace.folder / "requirements.txt").write_text(REQUIREMENTS, "utf-8")
    workspace.images(FAMILY)
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    return workspace


@pytest.fixture(scope="module")
def image(team: Workspace) -> str:
    return f"{team.registry}/serving:debian12"


def locked(path: Path) -> dict[str, str]:
    """Project -> version, as the lock has them."""
    text = yaml.safe_load(path.read_text("utf-8"))["environments"][KEY]["wheels"]["linux/amd64"]
    names = [line.split(" ")[0].removesuffix(".tar.gz").split("-") for line in text.splitlines()]
    return {normal(name): version for name, version, *_ in names}


def normal(name: str) -> str:
    """A project's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_image_has_what_the_lock_says_and_no_more(
    team: Workspace, image: str, engine: Engine
) -> None:
    wanted = locked(team.lock)
    assert {"azureml-defaults", "fusepy", "inference-schema", "pip"} <= wanted.keys()
    assert len(wanted) > 60
    rows = json.loads(engine.run(image, "pip list --format json --disable-pip-version-check"))
    assert {normal(row["name"]): row["version"] for row in rows} == wanted
    said = json.loads(engine.run(image, "cat /usr/share/bakestone/inventory.json"))
    measured = said["components"]["environment"]["measured"]
    assert measured["version"] == "3.11"
    assert int(measured["packages"]) == len(wanted)


@pytest.mark.parametrize("user", ["", "--user=4242:4242"])
def test_programs_and_imports_work_for_any_user(user: str, image: str, engine: Engine) -> None:
    script = (
        "python -c 'import azureml.core, inference_schema, sys;"
        " print(azureml.core.VERSION, sys.prefix)'"
    )
    options = [user] if user else []
    said = engine.run(image, script, *options).splitlines()[-1]
    version, prefix = said.split()
    assert version.startswith("1.6")
    assert prefix == "/opt/environment"


def test_every_package_is_in_the_list_that_the_sbom_is_made_of(
    team: Workspace, image: str, engine: Engine
) -> None:
    rows = engine.run(image, "cat /usr/share/bakestone/packages.tsv").splitlines()
    found = {
        (normal(name), version)
        for kind, name, version, *_ in (row.split("\t") for row in rows)
        if kind == "pypi"
    }
    assert set(locked(team.lock).items()) <= found


def test_what_is_locked_stays_and_the_world_says_the_same(team: Workspace) -> None:
    before = team.lock.read_bytes()
    team.bakestone("lock")
    assert team.lock.read_bytes() == before
    assert "environments 1/1" in team.bakestone("lock", "--verify").text


def test_a_wheel_that_is_another_one_is_refused(team: Workspace) -> None:
    before = team.lock.read_text("utf-8")
    (line,) = [row for row in before.splitlines() if row.strip().startswith("inference_schema-")]
    name, sha256, size = line.split()
    try:
        team.lock.write_text(before.replace(line, f"        {name} {'0' * 64} {size}"), "utf-8")
        verified = team.bakestone("lock", "--verify", code=1)
        assert f"the package index has another {name}: sha256 {sha256[:12]}" in verified.text
        team.bakestone("generate")
        built = team.bakestone("build", code=1)
        assert "THESE PACKAGES DO NOT MATCH THE HASHES" in built.text or name in built.text
    finally:
        team.lock.write_text(before, "utf-8")
        team.bakestone("generate")
