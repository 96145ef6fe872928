"""A family's Python packages in the Dockerfile, and the program that measures them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import lockfile, survey
from bakestone.core.lock.lock import LockedEnvironment
from bakestone.core.matrix.content import OwnPython
from bakestone.core.render.frames import program
from bakestone.jobs.explain import explain
from bakestone.project import Project
from tests.support.samples import NOW, locked, made_up
from tests.support.stages import stage_texts

MATRIX = """\
version: 1
registry: localhost:5000
accept: [anaconda-terms]
families:
  - name: serving
    platforms: [linux/amd64, linux/arm64]
    axes:
      distro: [debian@13]
      conda: [none, miniconda@py313_26.5.3-1]
    name_slots: [conda, distro]
    python: {packages: [flask>=3, numpy], owner: user}
"""
PURE = ("flask-3.1.3-py3-none-any.whl", made_up("flask"), 1000)
PIP = ("pip-26.3-py3-none-any.whl", made_up("pip"), 2000)


def numpy(machine: str) -> tuple[str, str, int]:
    name = f"numpy-2.5.0-cp313-cp313-manylinux_2_28_{machine}.whl"
    return name, made_up(name), 3000


LOCKED = LockedEnvironment(
    ("flask>=3", "numpy"),
    "3.13",
    {"linux/amd64": (PURE, numpy("x86_64"), PIP), "linux/arm64": (PURE, numpy("aarch64"), PIP)},
    "index",
    NOW,
)


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    project = locked(tmp_path, MATRIX, library=library)
    lock = lockfile.load(project.lock_path)
    needs = survey.collect(project.matrix.variants, library)
    lock.environments = dict.fromkeys(needs.environments, LOCKED)
    lockfile.write(lock, project.lock_path)
    return replace(project)


def test_wheels_are_fetched_by_hash_and_installed_without_the_network(made: Project) -> None:
    stages = stage_texts(made.dockerfile("debian13"))
    assert (
        f"/x86_64.txt\nflask==3.1.3 --hash=sha256:{PURE[1]}\nnumpy==2.5.0 "
        in stages["environment.pins"]
    )
    fetch = "sh /tools/wheels.sh --fetch 3.13 manylinux_2_28_x86_64 ;;"
    assert fetch in stages["environment.wheels"]
    run = stages["environment"]
    assert run.startswith("FROM debian13.base AS environment\nRUN --network=none ")
    assert "sh /tools/environment.sh /opt/environment /usr/bin/python3.13 10001:10001\n" in run
    assert "COPY --link --from=environment /out/ /\n" in stages["debian13.image"]
    assert 'PATH="/opt/environment/bin:/usr/local/sbin:' in stages["debian13.image"]
    assert 'VIRTUAL_ENV="/opt/environment"' in stages["debian13.image"]
    expected = f"environment environment {family(made).identity} /opt/environment version=3.13\n"
    assert expected in stages["environment.measure"]
    gate = stages["debian13.inventory"]
    assert gate.count("from=environment.measure,target=/measure/environment") == 2
    assert gate.endswith(" distro environment")
    assert "python3" in stages["debian13.base"]


def test_a_source_distribution_becomes_a_wheel_before(library: Library, tmp_path: Path) -> None:
    text = MATRIX.replace("owner: user", "from_source: [FusePy==3.0.1]")
    project = locked(tmp_path, text, library=library)
    lock = lockfile.load(project.lock_path)
    more = ("fusepy-3.0.1.tar.gz", made_up("fusepy"), 10)
    files = {platform: (*files, more) for platform, files in LOCKED.files.items()}
    needs = survey.collect(project.matrix.variants, library)
    sources = ("fusepy==3.0.1",)
    lock.environments = dict.fromkeys(
        needs.environments, replace(LOCKED, files=files, sources=sources)
    )
    lockfile.write(lock, project.lock_path)
    stages = stage_texts(replace(project).dockerfile("debian13"))
    assert f"/sources.txt\nfusepy==3.0.1 --hash=sha256:{more[1]}\n" in stages["environment.pins"]
    assert "fusepy" not in stages["environment.pins"].partition("/sources.txt")[0]
    assert stages["environment.wheels"].rstrip().endswith("sh /tools/sources.sh")
    whole = replace(project).families["serving"].text
    parsed = subprocess.run(
        [Path(sys.executable).parent / "hadolint", "--no-fail", "--format", "json", "-"],
        input=whole,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "DL1000" not in parsed.stdout, parsed.stdout[:2000]
    assert any("python3-setuptools" in text for name, text in stages.items() if "builder" in name)
    assert "fusepy==3.0.1\n" in stages["environment.measure"]
    assert "/opt/environment /usr/bin/python3.13 0:0\n" in stages["environment"]


def family(made: Project) -> OwnPython:
    (one,) = made.matrix.spec.families
    assert one.content.python
    return one.content.python


def test_conda_s_python_is_taken_where_the_image_has_it(made: Project) -> None:
    (name,) = [v.name for v in made.matrix.variants if "conda" in v.slots]
    stages = stage_texts(made.dockerfile(name))
    run = stages["environment-miniconda"]
    assert "COPY --from=miniconda /out/ /\nRUN --network=none" in run
    assert "/opt/environment /opt/miniconda/bin/python3.13 10001:10001\n" in run
    path = 'PATH="/opt/environment/bin:/opt/miniconda/bin:'
    assert path in stages[f"{name}.image"]


def test_what_is_asked_for_and_what_is_locked_count_for_the_fingerprint(made: Project) -> None:
    before = made.fingerprint(made.matrix.variants[0])
    lock = lockfile.load(made.lock_path)
    other = replace(
        LOCKED,
        files={
            p: (*f[:2], ("pip-26.4-py3-none-any.whl", made_up("x"), 1))
            for p, f in LOCKED.files.items()
        },
    )
    lock.environments = dict.fromkeys(lock.environments, other)
    lockfile.write(lock, made.lock_path)
    assert replace(made).fingerprint(made.matrix.variants[0]) != before


def test_explain_says_what_is_asked_for_and_what_is_locked(made: Project) -> None:
    _, lines = explain(made, "debian13")
    said = [(line.topic, line.pin) for line in lines if line.topic in ("python", "environment")]
    assert said == [
        ("python", "flask>=3\nnumpy"),
        ("environment", "3 wheels for Python 3.13 on linux/amd64"),
        ("environment", "3 wheels for Python 3.13 on linux/arm64"),
    ]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real environment of this Python, with its pip."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    remove = ["-m", "pip", "uninstall", "--quiet", "--yes", "setuptools"]
    subprocess.run([folder / "bin" / "python", *remove], check=True)
    return folder


def install(environment: Path, name: str, code: str = "", *asks: str) -> None:
    """A package, as pip leaves it."""
    (site,) = environment.glob("lib/python*/site-packages")
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(exist_ok=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
    lines += [f"Requires-Dist: {text}" for text in asks]
    (about / "METADATA").write_text("\n".join([*lines, ""]), "utf-8")
    (about / "RECORD").write_text(f"{name}/__init__.py,,\n", "utf-8")
    (site / name).mkdir(exist_ok=True)
    (site / name / "__init__.py").write_text(code, "utf-8")


def measure(
    environment: Path, folder: Path, locked_ones: list[str], asked: list[str]
) -> subprocess.CompletedProcess[str]:
    """What the gate's program says of an environment."""
    python = environment / "bin" / "python"
    pip = subprocess.run(
        [python, "-m", "pip", "--version"], capture_output=True, text=True, check=True
    )
    version = pip.stdout.split()[1]
    wanted = [*locked_ones, f"pip=={version}"]
    (folder / f"{os.uname().machine}.txt").write_text("\n".join(wanted) + "\n", "utf-8")
    (folder / "asked.txt").write_text("\n".join(asked) + "\n", "utf-8")
    (folder / "environment.py").write_text("\n".join(program("environment.py")), "utf-8")
    command = [str(python), "-B", str(folder / "environment.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_environment_is_measured(environment: Path, tmp_path: Path) -> None:
    install(environment, "good", "print('noise')\n")
    install(environment, "optional", "import nothing_like_this\n")
    install(environment, "crash", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n")
    there = ["good==1.0", "optional==1.0", "crash==1.0"]
    done = measure(environment, tmp_path, there, ["good"])
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert done.stdout == f"version={version}\npackages=4\nimports=2\n", done.stderr
    assert "not imported: optional of optional: ModuleNotFoundError" in done.stderr
    assert "not imported: crash of crash: it ends the interpreter" in done.stderr
    for asked, said in {
        "optional": "optional cannot be imported: optional: ModuleNotFoundError",
        "crash": "crash cannot be imported: crash: it ends the interpreter",
    }.items():
        done = measure(environment, tmp_path, there, ["good", asked])
        assert done.returncode == 1
        assert said in done.stderr.splitlines()[-1]
    done = measure(environment, tmp_path, [*there[1:], "good==01.0"], ["good"])
    assert done.returncode == 0, done.stderr
    done = measure(environment, tmp_path, there[:2], ["good"])
    assert done.stderr == "locked and not there: none; there and not locked: crash==1.0\n"
    done = measure(environment, tmp_path, [*there, "more==2"], ["good"])
    assert done.stderr == "locked and not there: more==2; there and not locked: none\n"
    install(environment, "good", "", "missing>=2")
    done = measure(environment, tmp_path, there, ["good"])
    assert done.returncode == 1
    assert done.stderr.startswith("pip check: good 1.0 requires missing")
