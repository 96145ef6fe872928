"""The wheel has every file of the package; the source distribution has all that tests need."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.samples import ROOT

SOURCE = ROOT / "generator"
DATA = ["components", "profiles", "core/render/tools", "jobs/library/starters", "schemas"]
"""Rooms without which a command fails as soon as it starts."""
FOR_TESTS = ["images.yaml", "images.lock.yaml", "requirements.lock", "Makefile", "docs/ci.md"]


def built(kind: str, folder: Path) -> Path:
    """What hatchling makes of this checkout; nothing is fetched."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (made,) = folder.iterdir()
    return made


def files(root: Path) -> set[str]:
    """The files below a folder, without what Python leaves there."""
    found = (p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(root).as_posix() for p in found}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    return zipfile.ZipFile(built("wheel", tmp_path_factory.mktemp("wheel")))


def test_the_wheel_has_every_file_of_the_package_and_the_schemas(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    schemas = {f"bakestone/schemas/{name}" for name in files(ROOT / "schemas")}
    assert names == files(SOURCE) | schemas
    assert [room for room in DATA if not any(f"bakestone/{room}/" in name for name in names)] == []


def test_the_wheel_gives_the_command_and_one_name_to_import(wheel: zipfile.ZipFile) -> None:
    (points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert "bakestone = bakestone.cli:main" in wheel.read(points).decode()
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bakestone"}


def test_a_command_runs_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "installed")  # noqa: S202 - our own
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import bakestone.cli as cli;"
        "assert cli.__file__.startswith(sys.path[0]), cli.__file__; cli.main()"
    )
    matrix = ["--file", str(ROOT / "images.yaml"), "--output", str(ROOT / "dockerfiles")]
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "installed", "generate", "--check", *matrix],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "up to date" in done.stdout


def test_the_source_distribution_has_the_package_its_tests_and_what_they_read(
    tmp_path: Path,
) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tests = {f"tests/{name}" for name in files(ROOT / "tests")}
    wanted = tests | {f"generator/{name}" for name in files(SOURCE)} | set(FOR_TESTS)
    assert sorted(wanted - names) == []
    assert [name for name in names if name.startswith((".venv", "build", ".git/"))] == []
