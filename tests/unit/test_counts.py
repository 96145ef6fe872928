"""What commands do, counted: seconds differ from machine to machine, these do not.

A number that grows is a change to look at: is something read, parsed or compiled twice, or for
nothing? One that shrank is written down here, so that it stays so.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest

from bakestone.core.documents import template
from bakestone.core.library import catalog, component
from bakestone.core.library.component import BUILT_IN, Component
from bakestone.project import Project

ROOT = Path(__file__).parents[2]
_opened: list[str] | None = None


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    """Notes files of the library that are opened, and connections; a hook cannot be taken away."""
    if _opened is None:
        return
    # mode: `open` that is given an opener is told twice
    if event == "open" and arguments[1] and str(arguments[0]).startswith(str(BUILT_IN)):
        _opened.append(str(arguments[0]))
    elif event == "socket.connect":
        _opened.append("a connection")


sys.addaudithook(_hook)


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Counter[str]]]:
    """What was done so far, by kind; nothing is known from another test."""
    global _opened
    found: Counter[str] = Counter()
    for known in vars(template).values():  # what was compiled before
        if hasattr(known, "cache_clear"):
            known.cache_clear()
    compiled, read = jinja2.Environment.compile, component.read

    def compiling(*arguments: object, **options: object) -> object:
        found["templates compiled"] += 1
        return compiled(*arguments, **options)  # type: ignore[call-overload]

    def reading(*arguments: Any) -> Component:
        found["components parsed"] += 1
        return read(*arguments)

    monkeypatch.setattr(jinja2.Environment, "compile", compiling)
    monkeypatch.setattr(catalog, "read", reading)
    opened: list[str] = []
    _opened = opened

    def counted() -> Counter[str]:
        files = [path for path in opened if path != "a connection"]
        twice = sum(
            number > 1 for path, number in Counter(files).items() if "component.y" not in path
        )
        found["files of the library read"] = len(set(files))
        found["files read twice"] = twice
        found["connections"] = len(opened) - len(files)
        return found

    yield counted
    _opened = None


def committed() -> Project:
    """The project of this repository; nothing of it is read yet."""
    return Project(ROOT / "images.yaml", ROOT / "images.lock.yaml", ROOT / "dockerfiles")


MATRIX = {
    "files of the library read": 42,
    "files read twice": 0,
    "components parsed": 15,
    "templates compiled": 2,
    "connections": 0,
}
"""Of the committed images.yaml: the outline of each component, and component.yaml and versions.yaml
of those that it names, or that a bare version could mean.
"""
GENERATED = MATRIX | {"files of the library read": 85, "templates compiled": 16}
"""The same, with scripts, programs and templates."""


def test_a_matrix_is_expanded_with_few_files_and_templates(
    counts: Callable[[], Counter[str]],
) -> None:
    assert len(committed().matrix.variants) > 30
    assert counts() == MATRIX


def test_dockerfiles_are_compared_with_few_files_and_templates(
    counts: Callable[[], Counter[str]],
) -> None:
    assert committed().drift() == []
    assert counts() == GENERATED
