"""A component's inventory.sh on this machine: the real script, programs and tools, with small
libraries and commands in the place of what the image would have.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import bakestone
from bakestone.core.library.catalog import Library

TOOLS = Path(bakestone.__file__).parent / "core/render/tools"


def shared(source: str, path: Path, *more: str) -> None:
    """Compiles C to a shared library; `more` are further words for the compiler."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = path.with_suffix(".c")
    code.write_text(source, "utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", code, *more, "-o", path], check=True)


def measured(
    library: Library,
    component: str,
    version: str,
    folder: Path,
    others: Mapping[str, str] = {},
    commands: Mapping[str, str] = {},
) -> str:
    """What the script prints; where it fails, what it says instead.

    `folder` is its prefix, with programs in `bin` and libraries in `libs`; `others` are the
    components of further slots, slot -> version; `commands` are shell scripts in front on PATH.
    """
    found = library.get(component)
    assert found is not None
    work = Path(tempfile.mkdtemp(dir=folder))
    programs = work / "measure" / found.slot
    programs.mkdir(parents=True)
    for file in (found.folder / "programs").glob("*"):
        (programs / file.name).write_bytes(file.read_bytes())
    for slot, number in others.items():
        (work / "measure" / slot).mkdir()
        (work / "measure" / slot / "expected").write_text(f"{slot} {slot} {number} /\n", "utf-8")
    (work / "bin").mkdir()
    for name, script in commands.items():
        (work / "bin" / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (work / "bin" / name).chmod(0o755)
    about = {
        "PATH": f"{work}/bin:{folder}/bin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(folder / "libs"),
        "PREFIX": str(folder),
        "VERSION": version,
        "PROGRAMS": str(programs),
        "ROLE": "devel",
    }
    (work / "here").mkdir()
    if (programs / "build.sh").is_file():
        subprocess.run(
            ["sh", "-eu", programs / "build.sh"], cwd=work / "here", env=about, check=True
        )
    script = (found.inventory or "").replace("/tools/", f"{TOOLS}/")
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=work / "here",
        env=about,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else done.stderr
