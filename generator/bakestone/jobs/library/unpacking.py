"""How a new component's files are unpacked: the install template, and the method's entry."""

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
_FOR_PYTHON = """\
    require: {%spython: [%s]}
    because: the wheels are made for these versions of Python, and for manylinux with its glibc
"""
_UNPACK = {
    "zip": 'unzip -q "$1" -d /tmp/unpacked',
    "tar": 'tar -xf "$1" -C /tmp/unpacked --no-same-owner',
}
_TOOLS: dict[str, dict[str, tuple[str, ...]]] = {
    "tar": {"bzip2": ("bz2", "tbz", "tbz2"), "xz-utils": ("xz", "txz")},
    "zip": {"unzip": ("zip",)},
}
"""Kind -> distro packages that unpack files which end so; tar and gzip are in every base."""
_OLDER = {
    "manylinux1_": "manylinux_2_5_",
    "manylinux2010_": "manylinux_2_12_",
    "manylinux2014_": "manylinux_2_17_",
}
"""Older names of manylinux (PEP 600)."""
_STARTERS = Path(__file__).with_name("starters")
"""Texts to begin with; what stands between two @ in them is filled in."""


@dataclass(frozen=True)
class FileLayout:
    """`kind` is tar, zip, wheel or program, `folder` whether all are in one, `program` its path."""

    kind: str
    folder: bool
    program: str


def method_lines(layout: FileLayout, filenames: Sequence[str]) -> str:
    """The lines of the method in component.yaml: where it is unpacked, where the result works."""
    endings = _TOOLS.get(layout.kind, {})
    names = [name.lower() for name in filenames]
    tools = [tool for tool, of in endings.items() if any(name.endswith(of) for name in names)]
    lines = _BUILDER % ", ".join(tools)
    glibc = max(map(_glibc, filenames)) if layout.kind == "wheel" else ()
    newest = ".".join(map(str, glibc))
    return lines + (_REQUIRE % (newest, newest) if newest else "")


def python_lines(filenames: Sequence[str], pythons: Sequence[str]) -> str:
    """The same for the wheels of a Python package: `pythons` are those that they are for."""
    glibc = max(map(_glibc, filenames))
    newest = f'distro.glibc: ">={".".join(map(str, glibc))}", ' if glibc else ""
    listed = ", ".join(f'"{python}"' for python in pythons)
    return _BUILDER % "" + _FOR_PYTHON % (newest, listed)


def install(layout: FileLayout) -> str:
    """The text of install.METHOD.j2."""
    if layout.kind == "program":
        return started("install.program.j2", program=layout.program)
    if layout.kind == "wheel":
        top = layout.program.partition("/")[0]
        return started("install.wheel.j2", program=layout.program, top=top)
    unpacked = "/tmp/unpacked/*" if layout.folder else "/tmp/unpacked"  # noqa: S108 - of the image
    how = {"unpack": _UNPACK[layout.kind], "unpacked": unpacked, "program": layout.program}
    return started("install.archive.j2", **how)


def started(file: str, /, **values: str) -> str:
    """The text to begin with that has this name, filled in."""
    text = (_STARTERS / file).read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def current(filename: str) -> str:
    """The name of a wheel with the names that manylinux has now."""
    for older, name in _OLDER.items():
        filename = filename.replace(older, name)
    return filename


def _glibc(filename: str) -> tuple[int, ...]:
    """The oldest glibc that a wheel works with, 2.17 of manylinux_2_17; empty for other files."""
    filename = current(filename)
    found = re.findall("manylinux_([0-9]+)_([0-9]+)_", filename)
    return min(((int(major), int(minor)) for major, minor in found), default=())
