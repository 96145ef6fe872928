"""scripts/phase says how each phase of `make test` ended; scripts/tools builds a tool once."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.engine_script import SCRIPTS

GO = """\
#!/bin/sh
echo "$*" >> "$GO_LOG"
if [ -n "${GO_FAILS:-}" ]; then echo no network; exit 1; fi
mkdir -p "$GOBIN"
echo '#!/bin/sh' > "$GOBIN/registry"
chmod 755 "$GOBIN/registry"
"""
"""Stands in for Go: `go install` of a registry."""


def run(command: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={"PATH": "/usr/bin:/bin"} | env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("program", "said"), [("true", "done"), ("false", "FAILED (exit 1)")])
def test_a_phase_says_at_its_end_how_long_it_took_and_how_much_room_is_left(
    program: str, said: str
) -> None:
    done = run([str(SCRIPTS / "phase"), "unit", program])
    assert done.returncode == (program == "false")
    last = rf"== unit: {re.escape(said)} in [0-9]+ s, [0-9.]+ GB free"
    assert re.fullmatch(last, done.stdout.splitlines()[-1])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with scripts/tools, and an environment whose pip reaches nothing."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPTS / "tools", tmp_path / "scripts" / "tools")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    python.chmod(0o755)
    return tmp_path


def go(checkout: Path) -> dict[str, str]:
    """The environment of a machine with Go."""
    program = checkout / "programs" / "go"
    program.parent.mkdir()
    program.write_text(GO, "utf-8")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin", "GO_LOG": str(checkout / "log")}


def test_a_tool_is_built_once_and_said_where_it_is(checkout: Path) -> None:
    env, tools = go(checkout), str(checkout / "scripts" / "tools")
    first = run([tools, "distribution"], **env)
    again = run([tools, "distribution"], **env)
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert first.stdout == again.stdout == f"{checkout}/build/tools/bin/registry\n"
    assert again.stderr == ""
    assert len((checkout / "log").read_text("utf-8").splitlines()) == 1
    elsewhere = run([tools, "distribution"], BAKESTONE_TOOLS=str(checkout / "kept"), **env)
    assert elsewhere.stdout == f"{checkout}/kept/bin/registry\n"


def test_without_go_a_sentence_says_so_and_the_other_tools_are_there(checkout: Path) -> None:
    here = checkout / "programs"
    here.mkdir()
    (here / "cosign").write_text("#!/bin/sh\n", "utf-8")
    (here / "cosign").chmod(0o755)
    done = run(
        [str(checkout / "scripts" / "tools"), "distribution", "cosign"],
        PATH=f"{here}:/usr/bin:/bin",
    )
    assert done.returncode == 3
    assert "there is no Go on this machine to build distribution with" in done.stderr
    assert "hint: install Go" in done.stderr
    assert done.stdout == f"{here}/cosign\n"


def test_a_tool_that_cannot_be_built_says_where_the_whole_log_is(checkout: Path) -> None:
    done = run([str(checkout / "scripts" / "tools"), "distribution"], GO_FAILS="1", **go(checkout))
    assert done.returncode == 3
    assert "no network" in done.stderr
    assert "the whole log: " in done.stderr
    assert done.stdout == ""
