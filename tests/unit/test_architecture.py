"""The house has one direction: import-linter reads it off the folders, by the contracts in
pyproject.toml; and each contract is seen to break where one import is turned round.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import forkserver
from tests.support.samples import ROOT

PACKAGE = ROOT / "generator" / "bakestone"
CLOCKS = {"now", "utcnow", "today", "getenv", "Path.home"}
"""Calls that answer differently tomorrow, or elsewhere."""
IN_FUNCTION = "def _f() -> None:\n    {}\n"
FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {}\n"

TURNED = [
    ("house", "errors", "from bakestone import files"),
    ("house", "files", "import bakestone.core.documents.yaml"),
    ("house", "core/lock/lock", "from bakestone.clients.site import site"),
    ("house", "core/lock/lock", IN_FUNCTION.format("import bakestone.project")),
    ("house", "clients/site/site", FOR_TYPES.format("from bakestone.project import Project")),
    ("house", "project", IN_FUNCTION.format("from bakestone.jobs import explain")),
    ("house", "jobs/explain", FOR_TYPES.format("from bakestone.cli import terminal")),
    ("house", "surprise", '"""A module on no floor."""'),
    ("core-order", "core/documents/yaml", "from bakestone.core.library import catalog"),
    ("core-order", "core/lock/lock", IN_FUNCTION.format("import bakestone.core.render.frames")),
    ("core-order", "core/surprise", '"""A module on no floor."""'),
    ("clients-order", "clients/site/site", "from bakestone.clients.http import session"),
    ("clients-order", "clients/engine/events", "import bakestone.clients.registry.client"),
    ("clients-order", "clients/http/session", "from bakestone.clients.index import page"),
    ("core-pure", "core/render/frames", "import subprocess"),
    ("core-pure", "core/render/frames", IN_FUNCTION.format("import urllib.request")),
    ("core-pure", "errors", FOR_TYPES.format("import random")),
    ("core-environment", "core/lock/needs", "from os import environ"),
    ("network", "jobs/explain", IN_FUNCTION.format("import requests")),
    ("network", "jobs/archive/catalog", "from http import server"),
    ("network", "project", FOR_TYPES.format("from urllib3 import Retry")),
    ("terminal", "jobs/explain", "from rich.table import Table"),
    ("terminal", "clients/engine/events", IN_FUNCTION.format("import click")),
    ("jobs", "jobs/explain", "import bakestone.jobs.lock.resolve"),
    ("jobs", "jobs/publish/order", IN_FUNCTION.format("import bakestone.jobs.reproduce.layers")),
    ("circles", "core/documents/suggest", "from bakestone.core.documents import schema"),
    ("circles", "jobs/lock/snapshot", FOR_TYPES.format("import bakestone.jobs.lock.resolve")),
]
"""Contract, module, and what is added to it."""


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """Python with import-linter, which takes longer to import than to run."""
    with (
        tempfile.TemporaryDirectory(prefix="lint") as folder,  # sockets need a short name
        forkserver.program(Path(folder) / "python3", "lint-imports", "--help") as made,
    ):
        yield made


def broken(source_root: Path, python: Path) -> dict[str, str]:
    """Each broken contract with what import-linter says about it."""
    config = ROOT / "pyproject.toml"
    told = subprocess.run(
        [python, "lint-imports", "--no-logo", "--no-cache", "--config", config],
        cwd=source_root,
        env={**os.environ, "PYTHONPATH": str(source_root), "COLUMNS": "500", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    _, _, report = told.stdout.partition("Broken contracts\n")
    assert told.returncode == bool(report), told.stdout + told.stderr
    parts = re.split(r"\n(\S.*)\n-{3,}\n", report)
    return {ids()[name]: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def ids() -> dict[str, str]:
    """The names of contracts, and what pyproject.toml calls them."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    found = re.findall(r'^id = "(.*)"\nname = "(.*)"$', text, re.MULTILINE)
    return {name: short for short, name in found}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source root with a copy of the package's Python."""
    root = tmp_path_factory.mktemp("copy")
    data = shutil.ignore_patterns("components", "__pycache__")
    shutil.copytree(PACKAGE, root / "bakestone", ignore=data)
    return root


def test_the_house_has_one_direction(python: Path) -> None:
    assert broken(ROOT / "generator", python) == {}


@pytest.mark.parametrize(
    ("contract", "module", "added"),
    TURNED,
    ids=[f"{c}-{m}-{n}" for n, (c, m, _) in enumerate(TURNED)],
)
def test_an_import_that_is_turned_round_breaks_the_contract(
    contract: str, module: str, added: str, copy: Path, python: Path
) -> None:
    path = copy / "bakestone" / f"{module}.py"
    assert path.exists() == (path.stem != "surprise")
    before = path.read_text("utf-8") if path.exists() else None
    path.write_text(f"{before or ''}\n{added}\n", "utf-8")
    try:
        found = broken(copy, python)
    finally:
        path.unlink() if before is None else path.write_text(before, "utf-8")
    assert contract in found
    wing = "bakestone." + ".".join(module.split("/")[:-1] if contract == "circles" else [module])
    assert wing.replace("/", ".").rstrip(".") in found[contract]


def test_every_contract_is_seen_to_break() -> None:
    assert sorted(set(ids().values())) == sorted({contract for contract, _, _ in TURNED})


def clocks(text: str) -> list[int]:
    """The lines that ask what day it is, or where and for whom a program runs."""
    found = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Attribute))
    names = ((node.lineno, node.attr, ast.unparse(node)) for node in found)
    return sorted(line for line, last, whole in names if {last, whole} & CLOCKS)


def test_the_core_asks_no_clock_and_no_environment() -> None:
    files = sorted((PACKAGE / "core").rglob("*.py"))
    asked = {
        str(path.relative_to(ROOT)): clocks(path.read_text("utf-8"))
        for path in files
        if "programs" not in path.parts
    }
    assert {path: lines for path, lines in asked.items() if lines} == {}


@pytest.mark.parametrize(
    "text",
    [
        "import datetime\ndatetime.datetime.now(datetime.UTC)",
        "from datetime import date\nmade = [date.today]",
        "from pathlib import Path\nPath.home()",
    ],
)
def test_a_clock_is_found(text: str) -> None:
    assert clocks(text) == [2]
