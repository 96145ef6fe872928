"""`bakestone component python` makes a component of a Python package and all that it needs, from a
requirements file with hashes; nothing is downloaded.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from tests.support import plainyaml, webserver
from tests.support.command import Command
from tests.support.packageindex import Index
from tests.support.samples import locked

SHELLCHECK = Path(sys.executable).parent / "shellcheck"
MATRIX = """\
version: 1
registry: localhost:5000
families:
  - name: solver
    platforms: [{platforms}]
    axes:
      distro: [{distro}]
      solver: ["1.2.0"]
    name_slots: [solver, distro]
    end_of_life: ignore
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index with a package for two Pythons and two platforms, and what it needs."""
    monkeypatch.chdir(tmp_path)
    with webserver.serving() as server:
        index = Index(server, tmp_path)
        for python in ("cp311", "cp313"):
            for machine in ("x86_64", "aarch64"):
                for glibc in ("2_17", "2_34"):
                    tag = f"{python}-{python}-manylinux_{glibc}_{machine}"
                    index.wheel("solver", "1.2.0", "matrices", tag=tag)
        index.wheel("matrices", "3.0", tag="py3-none-any")
        index.wheel("only-x86", "2.0", tag="cp311-cp311-manylinux2014_x86_64")
        yield index


def line(index: Index, name: str, version: str, more: str = "") -> str:
    """A line of a requirements file, with the hashes of all files of a version."""
    start = f"{name.replace('-', '_')}-{version}-"
    hashes = [h for file, h in index.hashes.items() if file.startswith(start)]
    marked = f" ; {more}" if more else ""
    return " \\\n    ".join([f"{name}=={version}{marked}", *(f"--hash=sha256:{h}" for h in hashes)])


def make(bakestone: Command, index: Index, text: str, *more: str) -> Result:
    Path("requirements.txt").write_text(text, "utf-8")
    site = ("--site", str(index.site), "--homepage", "https://vendor.test/")
    return bakestone("component", "python", "solver", "requirements.txt", *site, *more)


def test_a_closure_becomes_a_component_that_is_rendered_for_each_python_and_platform(
    bakestone: Command, index: Index, tmp_path: Path
) -> None:
    text = "\n".join(
        [
            "# made by a program",
            "--index-url https://index.vendor.test/simple",
            line(index, "solver", "1.2.0") + "  # via nobody",
            line(index, "matrices", "3.0"),
            "    # via solver",
            line(index, "only-x86", "2.0", "sys_platform == 'win32'"),
        ]
    )
    before = len(index.server.asked)
    shown = make(bakestone, index, text, "--python", "3.11", "--python", "3.13")
    assert shown.exit_code == 0, shown.output
    assert "whole (1 version" in shown.output
    assert "next: name it in images.yaml, under `axes`:  solver: [solver@1.2.0]" in shown.output
    assert all("/simple/" in path for path in index.server.asked[before:])  # pages, no file
    data = plainyaml.data(tmp_path / "components/solver/versions.yaml")
    wheels = data["versions"]["1.2.0"]["methods"]["wheel"]["wheels"]
    assert [(w["name"], w.get("when"), sorted(w["files"])) for w in wheels] == [
        ("solver", {"python": "3.11"}, ["linux/amd64", "linux/arm64"]),
        ("solver", {"python": "3.13"}, ["linux/amd64", "linux/arm64"]),
        ("matrices", None, ["linux/amd64", "linux/arm64"]),
    ]
    # of two that fit, the one for more distros
    amd64 = wheels[0]["files"]["linux/amd64"]
    assert amd64["filename"] == "solver-1.2.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    assert amd64["sha256"] == index.hashes[amd64["filename"]]
    for distro, python in (("debian@12", "3.11"), ("debian@13", "3.13")):
        images = MATRIX.format(platforms="linux/amd64, linux/arm64", distro=distro)
        project = locked(tmp_path, images)
        (rendered,) = project.dockerfiles.values()
        assert f"/opt/solver/lib/python{python}/site-packages" in rendered
        assert "matrices==3.0" in rendered


def test_an_image_with_another_python_is_refused_with_the_reason(
    bakestone: Command, index: Index, tmp_path: Path
) -> None:
    shown = make(bakestone, index, line(index, "solver", "1.2.0"), "--python", "3.11")
    assert shown.exit_code == 0, shown.output
    Path("images.yaml").write_text(
        MATRIX.format(platforms="linux/amd64", distro="debian@13"), "utf-8"
    )
    refused = bakestone("validate")
    assert refused.exit_code == 1
    assert "the wheels are made for these versions of Python" in refused.output


def test_what_has_wheels_for_one_platform_alone_is_for_that_one(
    bakestone: Command, index: Index, tmp_path: Path
) -> None:
    text = line(index, "solver", "1.2.0") + "\n" + line(index, "only-x86", "2.0")
    shown = make(bakestone, index, text, "--python", "3.11")
    assert shown.exit_code == 0, shown.output
    text = (tmp_path / "components/solver/versions.yaml").read_text("utf-8")
    assert "linux/amd64" in text
    assert "linux/arm64" not in text


@pytest.mark.parametrize(
    ("text", "more", "code", "said"),
    [
        ("solver==1.2.0", (), 1, "there is no --hash=sha256:... behind 'solver==1.2.0'"),
        ("solver>=1 --hash=sha256:" + "0" * 64, (), 1, "solver has no one version (==)"),
        ("-e . --hash=sha256:" + "0" * 64, (), 1, "is no requirement"),
        ("", (), 1, "it names no package"),
        ("other==1.0 --hash=sha256:" + "0" * 64, (), 1, "requirements.txt has no solver"),
        (
            "solver==1.2.0 --hash=sha256:" + "0" * 64,
            (),
            1,
            "solver 1.2.0 has no wheel for Python 3.11 on linux/amd64",
        ),
        ("x", ("--import", "os; os.system('x')"), 2, "--import cannot be"),
        ("x", ("--project", "a b"), 2, "--project cannot be"),
        ("x", ("--python", "3"), 2, "--python cannot be '3'"),
        ("x", ("--slot", "UPPER"), 2, "--slot cannot be"),
    ],
)
def test_what_cannot_become_a_component_is_told_and_nothing_is_written(
    text: str,
    more: tuple[str, ...],
    code: int,
    said: str,
    bakestone: Command,
    index: Index,
    tmp_path: Path,
) -> None:
    shown = make(bakestone, index, text, "--python", "3.11", *more)
    assert shown.exit_code == code, shown.output
    assert said in shown.output
    assert not (tmp_path / "components").exists()


def test_every_line_that_is_wrong_is_told_with_its_number(bakestone: Command, index: Index) -> None:
    shown = make(bakestone, index, "\nfirst==1.0\n\nsecond\n", "--python", "3.11")
    assert "requirements.txt:2:1: there is no --hash" in shown.output
    assert "requirements.txt:4:1: there is no --hash" in shown.output


def test_what_is_made_is_clean_shell_and_imports_the_module(
    bakestone: Command, index: Index, tmp_path: Path
) -> None:
    text = line(index, "solver", "1.2.0")
    shown = make(bakestone, index, text, "--python", "3.11", "--import", "solver.core")
    assert shown.exit_code == 0, shown.output
    script = tmp_path / "components/solver/inventory.sh"
    checked = subprocess.run([SHELLCHECK, script], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    package = tmp_path / "opt/solver"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", "utf-8")
    (package / "core.py").write_text("__version__ = '1.2.0'\n", "utf-8")
    about = tmp_path / "opt/solver-1.2.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: solver\nVersion: 1.2.0\n", "utf-8")
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "opt")}
    measured = subprocess.run(
        ["/bin/sh", script],
        env=environment | {"PREFIX": str(tmp_path / "opt")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert measured.stdout.startswith("version=1.2.0\npython=3."), measured.stderr
    elsewhere = subprocess.run(
        ["/bin/sh", script],
        env=environment | {"PREFIX": "/opt/solver"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert elsewhere.returncode == 1
    assert "cannot import solver.core from /opt/solver" in elsewhere.stderr
