"""What the repository tells other tools: git, editors, pre-commit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.samples import ROOT

ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
GENERATED = [
    "dockerfiles/docker-bake.json",
    "dockerfiles/debian/Dockerfile",
    "images.lock.yaml",
    "requirements.lock",
    "tests/golden/images.lock.yaml",
]
BY_HAND = ["images.yaml", "README.md", "generator/bakestone/errors.py"]


def test_a_commit_is_checked_by_make_lint() -> None:
    path = ROOT / ".pre-commit-config.yaml"
    (repository,) = yaml.safe_load(path.read_text("utf-8"))["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]
    tool = Path(sys.executable).with_name("pre-commit")
    subprocess.run([tool, "validate-config", path], check=True)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_generated_files_are_marked_and_others_are_not() -> None:
    told = subprocess.run(
        ["git", "check-attr", "linguist-generated", "--", *GENERATED, *BY_HAND],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert [line.rpartition(": ")[0::2] for line in told] == [
        (f"{path}: linguist-generated", "set" if path in GENERATED else "unspecified")
        for path in (*GENERATED, *BY_HAND)
    ]


def test_decisions_are_numbered_and_each_is_named_by_the_picture_of_the_house() -> None:
    assert [path.name[:4] for path in ADRS] == [f"{n:04}" for n in range(1, len(ADRS) + 1)]
    picture = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert [path.name for path in ADRS if f"(adr/{path.name})" not in picture] == []


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_says_what_why_and_what_it_costs_on_one_page(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert all(f"\n**{part}.** " in text for part in ("Decided", "Why", "What it costs"))
    assert len(text.splitlines()) <= 40
