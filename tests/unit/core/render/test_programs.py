"""Programs that run inside images or ask a package manager are files of their language."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from bakestone.core.library.component import BUILT_IN
from bakestone.core.render import frames
from bakestone.core.render.frames import program, tool
from bakestone.core.render.packages import apt, dnf

PROGRAMS = Path(apt.__file__).parent / "programs"
TOOLS = sorted((Path(frames.__file__).parent / "tools").glob("*"))
OURS = "SC1091,SC2153"
"""/etc/os-release is the image's, and the inventory is given VERSION."""


@pytest.mark.parametrize(
    "path", [*TOOLS, *BUILT_IN.rglob("*.sh")], ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_shell_is_clean(path: Path) -> None:
    checker = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run(
        [checker, "-s", "sh", "-e", OURS, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_tools_are_written_as_they_stand_but_for_the_program_in_one() -> None:
    assert [path.suffix for path in TOOLS] == [".sh"] * len(TOOLS)
    for path in TOOLS:
        text = path.read_text("utf-8").rstrip("\n")
        mark = "@MIRRORS@"
        assert (mark in text) == (path.name == "dnf.sh")
        assert tool(path.name) == text.replace(mark, "\n".join(program("mirrors.py")))


@pytest.mark.parametrize("path", list(PROGRAMS.glob("*.py")), ids=lambda p: p.name)
def test_python_runs_on_the_python_of_version_8(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), feature_version=(3, 6))


def test_the_places_that_programs_and_callers_share_are_the_same() -> None:
    for name in ("closure.py", "mirrors.py"):
        assert dnf.REPOSITORIES in "\n".join(program(name)), name
    assert dnf.REPOSITORIES in tool("dnf.sh").partition("PYTHON\n")[0]
    assert dnf.REPOSITORIES in tool("dnf.sh").rpartition("clean()")[2]


def test_what_is_newer_is_asked_for_only_where_that_is_wanted() -> None:
    short, whole = dnf.resolver(), dnf.resolver(updates=True)
    assert "upgrade_all" not in short
    assert "upgrade_all" in whole
    for text in (short, whole):
        ast.parse(text)
        assert "of the updates" not in text, "the marks are for this file alone"
