"""The fixed parts of a Dockerfile: templates, and programs that run inside images."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def frame(name: str) -> str:
    """The text of a template."""
    return (Path(__file__).parent / "templates" / name).read_text("utf-8")


@cache
def program(name: str) -> list[str]:
    """The lines of a shell or Python program, as they stand in a script."""
    folder = Path(__file__).parent / "packages" / "programs"
    return (folder / name).read_text("utf-8").splitlines()


def pairs(values: dict[str, str], instruction: str) -> str:
    """KEY="value" lines of an ENV or LABEL instruction."""
    indent = " " * (len(instruction) + 1)
    return f" \\\n{indent}".join(f'{key}="{value}"' for key, value in values.items())
