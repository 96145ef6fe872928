"""package.sh: which package brought a file, asked of a wheel's RECORD and of dpkg here."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bakestone.core.render.frames import tool


def wheel(prefix: Path, name: str, version: str, **files: str) -> None:
    """What stays of a wheel: its metadata, with the hashes of its files."""
    about = prefix / "share" / "wheels" / f"{name}-{version}.dist-info"
    about.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: 0\n"
    (about / "METADATA").write_text(text, "utf-8")
    rows = [f"lib/{name},{recorded(content)},{len(content)}\n" for name, content in files.items()]
    (about / "RECORD").write_text("".join(rows), "utf-8")


def recorded(content: str) -> str:
    raw = hashlib.sha256(content.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(raw).decode().rstrip('=')}"


def asked(prefix: Path, *files: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", tool("package.sh"), "sh", *map(str, files)],
        env={"PATH": os.environ["PATH"], "PREFIX": str(prefix)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def libraries(tmp_path: Path) -> list[Path]:
    """Two files, and a link to the first."""
    one, two, link = (tmp_path / name for name in ("one.so.9", "two.so.9", "one.so"))
    one.write_text("one", "utf-8")
    two.write_text("two", "utf-8")
    link.symlink_to(one.name)
    return [one, two, link]


def test_a_file_is_of_the_wheel_that_has_its_hash(tmp_path: Path, libraries: list[Path]) -> None:
    files = {"one.so.9": "one", "two.so.9": "two"}
    wheel(tmp_path, "probe", "9.1.0.70", **files)
    wheel(tmp_path, "other", "1.0", **dict.fromkeys(files, "another"))
    assert asked(tmp_path, *libraries) == "9.1.0.70"


@pytest.mark.parametrize("text", ["0", "1", "2", "3"])
def test_hashes_are_written_as_in_a_record(tmp_path: Path, text: str) -> None:
    """With - and _ in the place of + and /, and nothing that fills up."""
    assert {"-", "_"} & set(recorded(text))
    (tmp_path / "x.so").write_text(text, "utf-8")
    wheel(tmp_path, "probe", "1.2", **{"x.so": text})
    assert asked(tmp_path, tmp_path / "x.so") == "1.2"


def test_files_of_two_packages_are_told(tmp_path: Path, libraries: list[Path]) -> None:
    wheel(tmp_path, "probe", "9.1.0.70", **{"one.so.9": "one"})
    assert asked(tmp_path, *libraries) == "9.1.0.70+unknown"
    wheel(tmp_path, "probe", "9.1.0.69", **{"two.so.9": "two"})
    assert asked(tmp_path, *libraries) == "9.1.0.69+9.1.0.70"


def test_a_file_that_was_altered_is_of_no_package(tmp_path: Path, libraries: list[Path]) -> None:
    wheel(tmp_path, "probe", "9.1.0.70", **{"one.so.9": "one, unaltered"})
    assert asked(tmp_path, libraries[0]) == "unknown"
    assert asked(tmp_path, tmp_path / "nowhere") == "unknown"


@pytest.mark.skipif(
    not shutil.which("dpkg-query"),
    reason="dpkg-query is asked for real, which a distro by rpm has not",
)
def test_a_file_of_the_distro_is_of_its_package(tmp_path: Path) -> None:
    """Without epoch and revision."""
    command = ["dpkg-query", "-W", "-f", "${source:Upstream-Version}", "coreutils"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert asked(tmp_path, Path("/usr/bin/env")) == said
