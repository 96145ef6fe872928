"""The files that components bring: listed where they are built, told together by the gate."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bakestone.core.render.frames import tool


def listed(root: Path) -> subprocess.CompletedProcess[str]:
    script = tool("files.sh").replace("/out", f"{root}/out").replace("/files.tsv", f"{root}/list")
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)


def test_each_file_and_link_is_a_line_sorted_with_its_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "opt" / "x"
    folder.mkdir(parents=True)
    (folder / "b").write_bytes(b"12345")
    (folder / "a b").write_bytes(b"")
    (folder / "link").symlink_to("b")
    assert listed(tmp_path).returncode == 0
    said = (tmp_path / "list").read_text("utf-8")
    assert said == "0\t/opt/x/a b\n5\t/opt/x/b\n0\t/opt/x/link\n"


def test_a_name_with_a_control_character_ends_the_stage(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "opt"
    folder.mkdir(parents=True)
    (folder / "a\nb").write_bytes(b"")
    done = listed(tmp_path)
    assert done.returncode == 1
    assert done.stderr == "bakestone: files: a name has a control character: opt/a?b\n"
