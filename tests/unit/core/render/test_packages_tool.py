"""What the gate lists of an image's packages: tools/packages.sh, run over a folder."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from bakestone.core.render.frames import tool
from bakestone.core.render.packagelist import MeasuredPackage, parse

DPKG = """\
installed\\tdeb\\tlibc6\\t2.36-9\\tamd64\\tglibc 2.36-9\\t
config-files\\tdeb\\tgone\\t1\\tall\\tgone 1\\t
not-installed\\tdeb\\tnever\\t\\t\\tnever \\t
triggers-pending\\tdeb\\tman-db\\t2.11\\tamd64\\tman-db 2.11\\t
"""
RPM = """\
rpm\\tbash\\t5.1.8-9.el9\\tx86_64\\tbash-5.1.8-9.el9.src.rpm\\tGPLv3+
rpm\\tdbus\\t1:1.12.20-8.el9\\tx86_64\\t(none)\\tGPLv2+ and MIT
rpm\\tgpg-pubkey\\t350d275d-6279464b\\t(none)\\t(none)\\tpubkey
"""
SITE = "opt/tool/lib/python3.11/site-packages"


def program(folder: Path, name: str, prints: str, code: int = 0) -> None:
    """A stand-in for a program that is asked for packages."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\nprintf '{prints}'\nexit {code}\n", "utf-8")
    path.chmod(0o755)


def put(folder: Path, name: str, content: str | bytes) -> None:
    """A file of the image."""
    path = folder / "root" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def run(folder: Path) -> subprocess.CompletedProcess[bytes]:
    """The tool in an image whose files are in root/, and whose programs in bin/."""
    (folder / "root").mkdir(exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    for name in ("sh", "mktemp", "rm", "sed", "find", "xargs", "sort", "grep", "cat", "cut", "wc"):
        if not (folder / "bin" / name).exists():
            (folder / "bin" / name).symlink_to(f"/usr/bin/{name}")
    return subprocess.run(
        ["/bin/sh", "-c", tool("packages.sh").replace("find / ", f"find {folder}/root ")],
        env={"PATH": str(folder / "bin"), "TMPDIR": str(folder), "LANG": "C.UTF-8"},
        capture_output=True,
        check=False,
    )


def listed(folder: Path) -> tuple[MeasuredPackage, ...]:
    """What it lists, as it is read."""
    program(folder, "dpkg-query", "installed\\tdeb\\tbase-files\\t12\\tall\\tbase-files 12\\t\\n")
    done = run(folder)
    assert (done.returncode, done.stderr) == (0, b"")
    found = parse(done.stdout)
    assert [p.name for p in found if p.type == "deb"] == ["base-files"]
    return tuple(p for p in found if p.type != "deb")


def metadata(folder: Path, content: str | bytes) -> MeasuredPackage:
    """What it says of a Python package with these metadata."""
    put(folder, f"{SITE}/x-1.dist-info/METADATA", content)
    (package,) = listed(folder)
    return package


def test_dpkg_is_asked_for_what_is_installed(tmp_path: Path) -> None:
    program(tmp_path, "dpkg-query", DPKG)
    assert parse(run(tmp_path).stdout) == (
        MeasuredPackage("deb", "libc6", "2.36-9", "amd64", "glibc 2.36-9", ""),
        MeasuredPackage("deb", "man-db", "2.11", "amd64", "man-db 2.11", ""),
    )


def test_rpm_is_asked_for_packages_and_not_for_keys(tmp_path: Path) -> None:
    program(tmp_path, "rpm", RPM)
    source = "bash-5.1.8-9.el9.src.rpm"
    assert parse(run(tmp_path).stdout) == (
        MeasuredPackage("rpm", "bash", "5.1.8-9.el9", "x86_64", source, "GPLv3+"),
        MeasuredPackage("rpm", "dbus", "1:1.12.20-8.el9", "x86_64", "", "GPLv2+ and MIT"),
    )


def test_an_rpm_without_a_database_does_not_matter_on_debian(tmp_path: Path) -> None:
    program(tmp_path, "dpkg-query", DPKG)
    program(tmp_path, "rpm", "", 1)
    assert len(parse(run(tmp_path).stdout)) == 2


@pytest.mark.parametrize(
    ("name", "prints", "code"),
    [
        ("dpkg-query", DPKG, 2),
        ("rpm", "", 1),
        ("dpkg-query", "", 0),
        ("nothing", "", 0),
        ("dpkg-query", "installed\\tdeb\\ta b\\t1\\tall\\ta 1\\t\\n", 0),
        ("rpm", "rpm\\tx\\t1\\tx86_64\\tx\\tMIT\\nand more\\n", 0),
    ],
)
def test_what_cannot_be_listed_fails_the_gate(
    name: str, prints: str, code: int, tmp_path: Path
) -> None:
    program(tmp_path, name, prints, code)
    done = run(tmp_path)
    assert done.returncode != 0
    assert done.stdout == b""


CONDA = """\
{
  "build": "h1_0",
  "files": [
    "name",
    "lib/x.so"
  ],
  "license": "BSD-3-Clause",
  "link": {
    "source": "/opt/conda/pkgs/x",
    "type": 1
  },
  "name": "x",
  "subdir": "linux-64",
  "url": "https://conda.anaconda.org/conda-forge/linux-64/x-1-h1_0.conda",
  "version": "1"
}"""
URL = "https://conda.anaconda.org/conda-forge/linux-64/x-1-h1_0.conda"


@pytest.mark.parametrize(
    "content",
    [
        CONDA,
        CONDA.replace("\n  ", "\n    "),  # as mamba indents
        CONDA.replace("\n", "\r\n"),
        CONDA + "\n",
        CONDA.replace("https://", "https://me:password@"),
        CONDA.replace(".org/", ".org/t/me-12345678-token/"),
    ],
)
def test_a_conda_package_is_known_by_its_record_without_a_login(
    content: str, tmp_path: Path
) -> None:
    put(tmp_path, "opt/conda/conda-meta/x-1-h1_0.json", content)
    put(tmp_path, "opt/conda/conda-meta/history", "==> 2026-11-22 <==\n")
    assert listed(tmp_path) == (
        MeasuredPackage("conda", "x", "1", "linux-64", URL, "BSD-3-Clause"),
    )


FULL = "License: MIT License\n" + "        Permission is hereby granted, free of charge\n" * 20
LICENCES = {
    "License: MIT": "MIT",
    "License: MIT\nLicense-Expression: Apache-2.0": "Apache-2.0",
    "License: UNKNOWN": "",
    "License:": "",
    "License: ": "",
    "License: BSD 3-Clause\n or\n\tMIT": "BSD 3-Clause or MIT",
    "License: one\ttwo\x1b[31m\x00": "one two?[31m",
    "License: Licence Libre du Qu\u00e9bec": "Licence Libre du Qu??bec",
    f"{FULL}Classifier: License :: OSI Approved :: MIT License": "MIT License",
    "Classifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: BSD License\n"
    "Classifier: License :: Public Domain\nClassifier: Topic :: Software": (
        "BSD License, Public Domain"
    ),
    f"License-Expression: {'x' * 3000}": None,
}


@pytest.mark.parametrize(("header", "licence"), LICENCES.items(), ids=[k[:50] for k in LICENCES])
def test_a_python_package_s_licence_is_what_its_metadata_say(
    header: str, licence: str | None, tmp_path: Path
) -> None:
    content = f"Metadata-Version: 2.4\nName: x\nVersion: 1\n{header}\n\nLicense: of the text\n"
    if licence is None:
        put(tmp_path, f"{SITE}/x-1.dist-info/METADATA", content)
        program(tmp_path, "dpkg-query", DPKG)
        assert run(tmp_path).returncode != 0
        return
    assert metadata(tmp_path, content) == MeasuredPackage("pypi", "x", "1", "", "", licence)


NAMES = {
    "Name: x\nVersion: 1": ("x", "1"),
    "Name: x\r\nVersion: 1\r\n\r\nName: y": ("x", "1"),
    "Name: x\nVersion: 1\nName: y\nVersion: 2": ("x", "1"),
    "Name:\n x\nVersion:   1  ": ("x", "1"),
    "Name: Foo Bar\t(old)\nVersion: 1 beta": ("Foo-Bar-old-", "1-beta"),
    "Name: zope.interface\nVersion: 1!2.0+local_1": ("zope.interface", "1!2.0+local_1"),
    "Name: x": ("x", ""),
    "Summary: a\n Name: y\nName: x\nVersion: 1": ("x", "1"),
}


@pytest.mark.parametrize(("header", "found"), NAMES.items(), ids=list(NAMES))
def test_a_python_package_has_the_first_name_and_version_of_its_header(
    header: str, found: tuple[str, str], tmp_path: Path
) -> None:
    package = metadata(tmp_path, header)
    assert (package.name, package.version) == found


def test_bytes_that_are_no_utf_8_are_question_marks(tmp_path: Path) -> None:
    assert metadata(tmp_path, b"Name: x\nVersion: 1\nLicense: f\xfcr alle\n").licence == "f?r alle"


def test_every_way_of_metadata_is_found_and_each_package_once(tmp_path: Path) -> None:
    put(tmp_path, f"{SITE}/a b\n-1.dist-info/METADATA", "Name: a\nVersion: 1\n\n" + "text\n" * 999)
    put(tmp_path, "root/env/a-1.dist-info/METADATA", "Name: a\nVersion: 1\n\nanother\n")
    put(tmp_path, f"{SITE}/b.egg-info/PKG-INFO", "Name: b\nVersion: 1\n")
    put(tmp_path, "usr/lib/python3/dist-packages/c-1.egg-info", "Name: c\nVersion: 1")
    put(tmp_path, f"{SITE}/nameless.dist-info/METADATA", "Version: 1\n")
    put(tmp_path, f"{SITE}/empty.dist-info/METADATA", "")
    put(tmp_path, f"{SITE}/d.dist-info/RECORD", "Name: d\n")
    assert [(p.type, p.name, p.version) for p in listed(tmp_path)] == [
        ("pypi", name, "1") for name in "abc"
    ]


def test_it_takes_no_time_and_leaves_nothing(tmp_path: Path) -> None:
    for number in range(400):
        text = f"Name: x{number}\nVersion: 1\n\n" + "text of a description\n" * 200
        put(tmp_path, f"{SITE}/x{number}.dist-info/METADATA", text)
    before = set(os.listdir(tmp_path))
    began = time.monotonic()
    assert len(listed(tmp_path)) == 400
    assert time.monotonic() - began < 10, "a process for each package is too much"
    assert set(os.listdir(tmp_path)) == before | {"bin"}
