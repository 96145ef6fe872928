"""libraries.sh: what shared libraries need and do not find, asked of the loader of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bakestone.core.render.frames import tool

pytestmark = pytest.mark.skipif(
    not shutil.which("gcc"),
    reason="needs a C compiler to make the library that is wrong: apt-get install gcc",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "opt" / "lib"
    made.mkdir(parents=True)
    return made


def compiled(path: Path, text: str, *options: str) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path), *options]
    subprocess.run(command, input=text, text=True, check=True)
    return path


def asked(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", tool("libraries.sh"), "sh", str(folder), *words],
        env={"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


NEEDS = "int there(void); int needs(void) { return there(); }"
THERE = "int there(void) { return 1; }"


def test_what_finds_all_that_it_needs_is_fine(folder: Path) -> None:
    compiled(folder / "libthere.so", THERE)
    compiled(folder / "libneeds.so.1", NEEDS, f"-L{folder}", "-lthere")
    (folder / "script.so").write_text("INPUT(libthere.so)\n", "utf-8")
    done = asked(folder)
    assert done.returncode == 0, done.stderr


def test_a_library_that_is_missing_is_told(folder: Path) -> None:
    compiled(folder / "libthere.so", THERE)
    library = compiled(folder / "libneeds.so", NEEDS, f"-L{folder}", "-lthere")
    (folder / "libthere.so").unlink()
    assert asked(folder).stderr == f"not found: libthere.so of {library}\n"
    assert asked(folder, "libthere.so").returncode == 0, "it comes with the host"


def test_a_symbol_that_nothing_has_is_told(folder: Path) -> None:
    """As where two releases of a library were mixed: each file is there, by its right name."""
    compiled(folder / "libthere.so", THERE)
    library = compiled(folder / "libneeds.so", NEEDS, f"-L{folder}", "-lthere")
    compiled(folder / "libthere.so", "int another(void) { return 1; }")
    done = asked(folder)
    assert done.returncode == 1
    assert done.stderr == f"not found: there of {library}\n"


def test_a_version_of_a_library_that_is_too_old_is_told(folder: Path) -> None:
    versions = folder.parent / "versions"
    versions.write_text("NEW_2 { global: there; };\n", "utf-8")
    script = f"-Wl,--version-script={versions}"
    compiled(folder / "libthere.so", THERE, script)
    library = compiled(folder / "libneeds.so", NEEDS, f"-L{folder}", "-lthere")
    versions.write_text("OLD_1 { global: there; };\n", "utf-8")
    compiled(folder / "libthere.so", THERE, script)
    done = asked(folder)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"not found: NEW_2 of {library}"


def test_a_plugin_finds_the_symbols_of_what_loads_it(folder: Path) -> None:
    """Open MPI's libucm.so.0 asks for functions of libucs.so.0, and is not linked with it."""
    library = compiled(folder / "plugins" / "plugin.so", NEEDS)
    assert asked(folder).stderr == f"not found: there of {library}\n"
    compiled(folder / "libhost.so", THERE)
    done = asked(folder)
    assert done.returncode == 0, done.stderr


def test_the_symbols_of_a_library_of_the_host_cannot_be_asked(folder: Path) -> None:
    compiled(folder / "libcuda.so.1", THERE, "-Wl,-soname,libcuda.so.1")
    compiled(folder / "libneeds.so", NEEDS, f"-L{folder}", "-l:libcuda.so.1")
    (folder / "libcuda.so.1").unlink()
    done = asked(folder)
    assert done.returncode == 0, done.stderr
