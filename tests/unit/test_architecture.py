"""The house's one rule of direction: imports go down, and the middle is pure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

GENERATOR = Path(__file__).resolve().parents[2] / "generator"
WORLD = {"subprocess", "socket", "requests", "urllib", "python_on_whales", "oras", "time", "random", "secrets"}
"""Modules that reach for processes, the network or the clock."""
WORLDLY = (
    "pins",
    "build",
    "export",
    "registry.py",
    "documents.py",
    "answers.py",
    "blobs.py",
    "cli.py",
    "doctor",
    "archive",
    "bootstrap",
    "reproduce",
)
"""Where that is allowed (the design's section 2)."""
LAYERS = ("spec", "matrix", "needs", "lock", "lockfile", "render", "project")
"""From below to above: none imports what comes after it."""


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules() -> list[Path]:
    return sorted(p for p in GENERATOR.rglob("*.py") if "components" not in p.relative_to(GENERATOR).parts)


@pytest.mark.parametrize("path", [p for p in modules() if p.relative_to(GENERATOR).parts[0] not in WORLDLY], ids=lambda p: p.name)
def test_the_middle_is_pure(path: Path) -> None:
    found = {name for name in imports(path) if not name.startswith("urllib.parse")}  # text only
    assert not {name.partition(".")[0] for name in found} & WORLD


@pytest.mark.parametrize("layer", LAYERS)
def test_nothing_below_knows_anything_above(layer: str) -> None:
    above = {f"generator.{name}" for name in (*LAYERS[LAYERS.index(layer) + 1 :], "pins", "build", "export", "doctor", "registry", "cli")}
    own = GENERATOR / layer
    for path in [own.with_suffix(".py")] if own.with_suffix(".py").is_file() else sorted(own.rglob("*.py")):
        assert not {name for name in imports(path) if any(name == a or name.startswith(f"{a}.") for a in above)}, path


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(GENERATOR)))
def test_no_module_is_long_or_named_after_nothing(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300
    assert path.stem not in {"utils", "util", "helpers", "common", "misc", "manager"}
