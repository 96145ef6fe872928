"""Small components of a team, written beside a matrix: what the tests of the library's format are
made of.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.support.samples import made_up

DISTRO: dict[str, Any] = {
    "component": "smallos", "slot": "distro", "title": "Small OS",
    "homepage": "https://os.example.com/", "licence": "MIT",
    "label": "smallos{{ version }}", "prefix": "/usr",
    "methods": {"image": {"summary": "an image"}},
}  # fmt: skip


def write(
    folder: Path, data: dict[str, Any], versions: dict[str, Any] | None = None, **files: str
) -> None:
    """A component's folder below `folder`/components;

    `files` are further texts by name, with _ for a dot.
    """
    own = folder / "components" / data["component"]
    own.mkdir(parents=True, exist_ok=True)
    (own / "component.yaml").write_text(yaml.safe_dump(data, sort_keys=False), "utf-8")
    if versions is not None:
        (own / "versions.yaml").write_text(yaml.safe_dump({"versions": versions}), "utf-8")
    (own / "inventory.sh").write_text("echo version=1\n", "utf-8")
    for name, text in files.items():
        (own / name.replace("_", ".")).write_text(text, "utf-8")


def fewer(text: str, *kept: str) -> str:
    """A versions.yaml with some of its versions alone; each line of theirs, and the head, stays."""
    head, *blocks = re.split(r'^(?=  "[^"]+":$)', text, flags=re.MULTILINE)
    return head + "".join(block for block in blocks if block.split('"')[1] in kept)


def distro(folder: Path, **versions: dict[str, str]) -> None:
    """The distro smallos; `v1={"glibc": "2.28"}` is a version 1 with that measure."""
    write(folder, DISTRO, {
        name.removeprefix("v"): {
            "codename": "small", "image": f"registry.example.com/smallos:{name.removeprefix('v')}",
            "pins": "versions",
            "digest": f"sha256:{made_up(name)}", "measure": measure, "facts": {"python": "3.11"},
        }
        for name, measure in versions.items()
    })  # fmt: skip


def tool(name: str, slot: str, methods: dict[str, Any], **more: Any) -> dict[str, Any]:
    """component.yaml of a tool."""
    return {
        "component": name, "slot": slot, "title": name.capitalize(),
        "homepage": "https://tool.example.com/", "licence": "MIT",
        "prefix": f"/opt/{name}", "methods": methods, **more,
    }  # fmt: skip


def artifact(name: str, **more: Any) -> dict[str, Any]:
    """A file with a checksum."""
    return {
        "url": f"https://files.example.com/{name}",
        "sha256": made_up(name),
        "source": "made up",
        **more,
    }


def wheel(name: str, version: str, tag: str = "py3-none-any", **more: Any) -> dict[str, Any]:
    """A wheel for linux/amd64."""
    filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    return {
        "name": name,
        "version": version,
        "files": {"linux/amd64": {"filename": filename, "sha256": made_up(filename)}},
        **more,
    }


def matrix(axes: str, rest: str = "") -> str:
    """images.yaml with one family."""
    return f"version: 1\nregistry: localhost:5000\nfamilies:\n  - name: f\n    axes: {axes}\n{rest}"
