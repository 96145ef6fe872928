"""Wheels of an environment: chosen as pip does, in the lock as lines, doubted and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from bakestone.core.lock import demand, lockfile, survey, trust
from bakestone.core.lock.differences import differences
from bakestone.core.lock.environments import choose, pins, project_and_version
from bakestone.core.lock.lock import Lock, LockedEnvironment
from bakestone.project import Project
from tests.support.samples import NOW, locked, made_up, stale

NAMES = [
    "numpy-2.5.0-cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    "numpy-2.5.0-cp313-cp313-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
    "numpy-2.5.0-cp313-cp313-musllinux_1_2_x86_64.whl",
    "numpy-2.5.0-cp313-cp313t-manylinux_2_28_x86_64.whl",
    "numpy-2.5.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    "numpy-2.5.0-cp39-abi3-manylinux2014_x86_64.whl",
    "numpy-2.5.0-py3-none-any.whl",
    "numpy-2.5.0-cp313-cp313-win_amd64.whl",
    "numpy-2.5.0.tar.gz",
]
CHOSEN = [
    ("3.13", "2.41", "linux/amd64", NAMES[0]),
    ("3.13", "2.28", "linux/arm64", NAMES[1]),
    ("3.12", "2.36", "linux/amd64", NAMES[4]),
    ("3.12", "2.17", "linux/amd64", NAMES[5]),
    ("3.11", "2.36", "linux/amd64", NAMES[5]),
    ("3.8", "2.31", "linux/amd64", NAMES[6]),
    ("3.12", "2.36", "linux/arm64", NAMES[6]),
]


@pytest.mark.parametrize(("python", "glibc", "platform", "chosen"), CHOSEN)
def test_a_wheel_is_chosen_as_pip_would(
    python: str, glibc: str, platform: str, chosen: str
) -> None:
    assert choose(NAMES, python, glibc, platform) == chosen
    assert choose(NAMES[::-1], python, glibc, platform) == chosen


def test_the_later_build_wins_and_what_does_not_fit_is_not_taken() -> None:
    builds = [f"x-1-{n}-py3-none-any.whl" for n in ("2", "10", "9a")] + ["x-1-py3-none-any.whl"]
    assert choose(builds, "3.12", "2.36", "linux/amd64") == "x-1-10-py3-none-any.whl"
    assert choose([NAMES[2], NAMES[7]], "3.13", "2.41", "linux/amd64") == ""


def test_names_are_pip_s() -> None:
    found = project_and_version("Zope.Interface_x-1.0_cu12-py3-none-any.whl")
    assert found == ("zope-interface-x", "1.0+cu12")


MATRIX = """\
version: 1
registry: localhost:5000
families:
  - name: serving
    axes: {distro: [debian@13]}
    python: {packages: [flask>=3, numpy]}
"""
KEY = "serving python3.13 glibc2.41"


def wheel(name: str) -> tuple[str, str, int]:
    return name, made_up(name), 1234


FILES = (wheel("flask-3.1.3-py3-none-any.whl"), wheel(NAMES[0]), wheel("pip-26.3-py3-none-any.whl"))
LOCKED = LockedEnvironment(("flask>=3", "numpy"), "3.13", {"linux/amd64": FILES}, "index", NOW)


def made(folder: Path, environment: LockedEnvironment | None = LOCKED) -> Project:
    project = locked(folder, MATRIX)
    lock = lockfile.load(project.lock_path)
    lock.environments = {KEY: environment} if environment else {}
    lockfile.write(lock, project.lock_path)
    return Project(project.matrix_path, project.lock_path, project.output)


def test_each_wheel_is_a_line_of_the_lock(tmp_path: Path) -> None:
    project = made(tmp_path)
    assert project.lock.environments == {KEY: LOCKED}
    text = project.lock_path.read_text("utf-8")
    assert (
        f"      linux/amd64: |\n        flask-3.1.3-py3-none-any.whl {made_up(FILES[0][0])} 1234\n"
        in text
    )
    assert pins(FILES) == {"flask": "3.1.3", "numpy": "2.5.0", "pip": "26.3"}


@pytest.mark.parametrize(
    "line",
    [
        "x-1.whl ab 1",
        f"x-1-py3-none-any.whl {'0' * 64}",
        f"../x-1-py3-none-any.whl {'0' * 64} 1",
        f"x-1-py3-none-any.whl {'0' * 64} 1 --index-url",
        f"-x-1-py3-none-any.whl {'0' * 64} 1",
        f"x-1-py3-none-any.zip {'0' * 64} 1",
    ],
)
def test_a_line_that_is_no_pin_is_refused(line: str, tmp_path: Path) -> None:
    project = made(tmp_path)
    text = project.lock_path.read_text("utf-8")
    first = f"{FILES[0][0]} {FILES[0][1]} 1234"
    assert first in text
    project.lock_path.write_text(text.replace(first, line), "utf-8")
    with pytest.raises(Exception, match="wheel, its SHA-256 and its size"):
        lockfile.load(project.lock_path)


STALE: dict[str, tuple[LockedEnvironment | None, str]] = {
    "missing": (None, f"the environment {KEY} is not in it"),
    "another requirement": (
        replace(LOCKED, requirements=("flask>=2", "numpy")),
        f"of the environment {KEY} flask>=3 is not in it",
    ),
    "another source": (
        replace(LOCKED, sources=("fusepy==3.0.1",)),
        f"of the environment {KEY} fusepy==3.0.1 from source is no longer asked for",
    ),
    "another platform": (
        replace(LOCKED, files={"linux/arm64": FILES}),
        f"the environment {KEY} is in it for linux/arm64, and not for linux/amd64",
    ),
}


@pytest.mark.parametrize(("environment", "said"), STALE.values(), ids=list(STALE))
def test_a_lock_without_it_is_stale(
    environment: LockedEnvironment | None, said: str, tmp_path: Path
) -> None:
    project = made(tmp_path, environment)
    needs = survey.collect(project.matrix.variants, project.matrix.library)
    lock = lockfile.load(project.lock_path)
    found = [f.message for f in stale(lock, needs, project.lock_path)]
    assert f"the lock is stale: {said}" in found


def _files(*names: str) -> LockedEnvironment:
    return replace(LOCKED, files={"linux/amd64": tuple(wheel(name) for name in names)})


DOUBTS = {
    "another Python's": (_files(FILES[0][0], NAMES[4]), f"{NAMES[4]} does not fit Python 3.13"),
    "another machine's": (_files(FILES[0][0], NAMES[1]), f"{NAMES[1]} does not fit Python 3.13"),
    "one is missing": (_files(FILES[0][0]), "numpy is asked for, and there is no wheel of it"),
    "twice": (_files(*(f[0] for f in FILES), NAMES[5]), "there are two wheels of numpy"),
    "a source distribution": (
        _files(*(f[0] for f in FILES), "fusepy-3.0.1.tar.gz"),
        "fusepy-3.0.1.tar.gz is a source distribution that `from_source` does not name",
    ),
    "later": (replace(LOCKED, resolved="2999-01-01T00:00:00Z"), "which is yet to come"),
}


@pytest.mark.parametrize(("environment", "said"), DOUBTS.values(), ids=list(DOUBTS))
def test_what_cannot_be_is_doubted(
    environment: LockedEnvironment, said: str, tmp_path: Path
) -> None:
    project = made(tmp_path, environment)
    needs = survey.collect(project.matrix.variants, project.matrix.library)
    lock = lockfile.load(project.lock_path)
    found = trust.doubts(lock, needs, datetime.fromisoformat(NOW), lambda _distro: "")
    assert any(said in doubt.text for doubt in found)
    assert {doubt.entry for doubt in found} == {("environments", KEY)}


CHANGES: dict[str, tuple[Callable[[], LockedEnvironment | None], str]] = {
    "another version": (
        lambda: _files("flask-3.2.0-py3-none-any.whl", *(f[0] for f in FILES[1:])),
        f"flask in {KEY} 3.1.3 -> 3.2.0, 1 variant",
    ),
    "gone": (lambda: _files(*(f[0] for f in FILES[:2])), f"pip in {KEY} 26.3 is gone, 1 variant"),
    "another file": (
        lambda: replace(
            LOCKED,
            files={"linux/amd64": (("flask-3.1.3-py3-none-any.whl", "0" * 64, 1), *FILES[1:])},
        ),
        f"flask for linux/amd64 in {KEY} flask-3.1.3-py3-none-any.whl sha256:",
    ),
    "asked otherwise": (
        lambda: replace(LOCKED, requirements=("flask", "numpy")),
        f"{KEY} flask>=3; numpy -> flask; numpy, 1 variant",
    ),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=list(CHANGES))
def test_two_locks_are_compared_in_words(
    change: Callable[[], LockedEnvironment | None], said: str, tmp_path: Path
) -> None:
    project = made(tmp_path)
    other = change()
    old, new = Lock(environments={KEY: LOCKED}), Lock(environments={KEY: other} if other else {})
    asked = demand.of(list(project.matrix.variants), project.matrix.library)
    (found,) = differences(old, new, asked)
    assert found.text.startswith(said)
