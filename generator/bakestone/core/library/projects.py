"""Projects of a package index that stand for a slot (`nvidia-cudnn-cu12` for cudnn), and which of
their versions a version of the library is.
"""

from __future__ import annotations

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bakestone.core.library.version import Version

SLOTS = {
    "cuda": re.compile(r"cuda-toolkit|nvidia-cuda-runtime(-cu[0-9]+)?"),
    "cudnn": re.compile(r"nvidia-cudnn-cu[0-9]+"),
    "nccl": re.compile(r"nvidia-nccl-cu[0-9]+"),
}
"""Slot -> the projects on the index that stand for it; the first that is asked for counts."""


def slot_of(wanted: Requirement) -> str:
    """The slot that a requirement is about; empty for other projects."""
    name = canonicalize_name(wanted.name)
    return next((slot for slot, known in SLOTS.items() if known.fullmatch(name)), "")


def shown(wanted: Requirement) -> str:
    """A requirement without its extras and its marker: `nvidia-cudnn-cu12==9.10.2.21`."""
    return f"{canonicalize_name(wanted.name)}{wanted.specifier}"


def cuda_major(wanted: Requirement) -> str:
    """The major version of CUDA in a project's name: 12 of nvidia-cudnn-cu12; or empty."""
    found = re.search(r"-cu([0-9]+)$", canonicalize_name(wanted.name))
    return found[1] if found else ""


def number(slot: str, wanted: Requirement, version: Version) -> str:
    """The version that a version of the library has of the wanted project; empty when none.

    For CUDA that of its runtime: in its wheels, or in its packages (cuda-cudart-12-8=12.8.90-1).
    """
    name = canonicalize_name(wanted.name)
    wheels = version.methods.get("wheel", {}).get("wheels", [])
    if slot != "cuda":
        there = "apt" in version.methods or any(wheel["name"] == name for wheel in wheels)
        return version.version if there else ""
    if name == "cuda-toolkit":
        return version.version
    if cuda_major(wanted) and version.major != cuda_major(wanted):
        return ""
    for wheel in wheels:
        if SLOTS["cuda"].fullmatch(wheel["name"]):
            return str(wheel["version"])
    for entry in version.methods.get("apt", {}).get("packages", []):
        for package, pin in entry["install"].items():
            if re.fullmatch(r"cuda-cudart-[0-9]+-[0-9]+", package):
                return str(pin).partition("-")[0]
    return ""
