"""How a new component's files are unpacked: its install template, and what `component.yaml` says of
the method.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_BUILDER = """\
    builder: debian@12   # unpacked there, whatever the variant's distro: one layer for all
    packages: {debian: [%s]}
"""
_REQUIRE = """\
    require: {distro.glibc: ">=%s"}
    because: the wheel is made for manylinux, which stands for glibc %s or later
"""
_STARTERS = Path(__file__).with_name("starters")
"""Texts to begin with; what stands between two @ in them is filled in."""


@dataclass(frozen=True)
class FileLayout:
    """How the files lie: `kind` is tar, zip, wheel or program, `folder` whether all are in one
    folder, `program` its path below the prefix.
    """

    kind: str
    folder: bool
    program: str


def method_lines(layout: FileLayout, filenames: Sequence[str]) -> str:
    """The lines of the method in component.yaml: where it is unpacked, with which packages, and
    where the result works.
    """
    lines = _BUILDER % ", ".join(_tools(layout.kind, filenames))
    glibc = [_glibc(name) for name in filenames] if layout.kind == "wheel" else []
    newest = max((version for version in glibc if version), default=None)
    return lines + (_REQUIRE % ((".".join(map(str, newest)),) * 2) if newest else "")


def install(layout: FileLayout) -> str:
    """The text of install.METHOD.j2."""
    if layout.kind == "program":
        return started("install.program.j2", program=layout.program)
    if layout.kind == "wheel":
        top = layout.program.partition("/")[0]
        return started("install.wheel.j2", program=layout.program, top=top)
    unpack = (
        'unzip -q "$1" -d /tmp/unpacked'
        if layout.kind == "zip"
        else 'tar -xf "$1" -C /tmp/unpacked --no-same-owner'
    )
    unpacked = "/tmp/unpacked/*" if layout.folder else "/tmp/unpacked"  # noqa: S108 - of the image
    return started("install.archive.j2", unpack=unpack, unpacked=unpacked, program=layout.program)


def started(file: str, /, **values: str) -> str:
    """The text to begin with that has this name, filled in."""
    text = (_STARTERS / file).read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _tools(kind: str, filenames: Sequence[str]) -> list[str]:
    """The distro packages that unpack such files; tar and gzip are in every base."""
    wanted = {"unzip"} if kind == "zip" else set()
    for ending, package in ((("xz", "txz"), "xz-utils"), (("bz2", "tbz", "tbz2"), "bzip2")):
        if kind == "tar" and any(name.lower().endswith(ending) for name in filenames):
            wanted.add(package)
    return sorted(wanted)


def _glibc(filename: str) -> tuple[int, ...] | None:
    """The oldest glibc that a wheel says it works with: 2.17 of manylinux_2_17 (PEP 600), and of
    its older name manylinux2014.
    """
    found = [
        (int(major), int(minor))
        for major, minor in re.findall(r"manylinux_([0-9]+)_([0-9]+)_", filename)
    ]
    found += [
        version
        for old, version in (
            ("manylinux1_", (2, 5)),
            ("manylinux2010_", (2, 12)),
            ("manylinux2014_", (2, 17)),
        )
        if old in filename
    ]
    return min(found, default=None)
