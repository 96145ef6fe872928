"""What the command prints, as a person sees it."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from bakestone.cli.app import main
from bakestone.project import Project
from tests.support.golden import GOLDEN, Compare

DAY = ("--at", "2026-11-22")
"""What has ended is told as of a day: without it a file that is right today is wrong tomorrow."""

OUTPUTS = {
    "help": (0, ["--help"]),
    "validate": (0, ["validate", *DAY]),
    "validate-wrong": (1, ["validate", "-f", "wrong.yaml"]),
    "validate-wrong-json": (1, ["validate", "-f", "wrong.yaml", "--format", "json"]),
    "validate-unknown": (1, ["validate", "-f", "unknown.yaml"]),
    "validate-refused": (1, ["validate", "-f", "refused.yaml"]),
    "validate-missing": (1, ["validate", "-f", "none.yaml"]),
    "list": (0, ["list", *DAY]),
    "list-json": (0, ["list", "family=debian", "--format", "json", *DAY]),
    "list-nothing": (1, ["list", "mpi=opnmpi"]),
    "explain": (0, ["explain", "openmpi3.1.2-ubuntu16.04"]),
    "explain-wheels": (0, ["explain", "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"]),
    "explain-snapshot": (0, ["explain", "openmpi5.0.10-cuda12.8.1-cudnn9-ubuntu22.04"]),
    "explain-vendor": (0, ["explain", "intelmpi2018.3-cuda9.0-cudnn7-ubuntu16.04"]),
    "explain-excluded": (0, ["explain", "openmpi3.1.2-cuda9.0-cudnn7-ubuntu16.04"]),
    "explain-unknown": (1, ["explain", "openmpi3.1-ubuntu16.04"]),
    "outdated": (0, ["outdated", "--only", "version", "--only", "snapshot", "--at", "2026-12-01"]),
    "bump": (0, ["bump", "cuda", "12.9.1", "--from", "12.8.1", "--together", "--dry-run", *DAY]),
    "bump-refused": (1, ["bump", "cuda", "13.0.0", "--from", "12.8.1", *DAY]),
    "bump-which": (2, ["bump", "cuda", "12.9.1", *DAY]),
    "generate-check": (0, ["generate", "--check"]),
    "generate-no-lock": (1, ["generate", "--lock", "none.lock.yaml"]),
    "export-github": (0, ["export", "github"]),
    "export-github-two-jobs": (0, ["export", "github", "--max-jobs", "2"]),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_is_what_it_was(
    name: str, golden: Project, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, arguments = OUTPUTS[name]
    monkeypatch.chdir(GOLDEN)
    monkeypatch.delenv("BAKESTONE_SITE", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "argv", ["bakestone", *arguments])
    assert golden.lock
    shown = CliRunner().invoke(main, arguments, prog_name="bakestone")
    assert shown.exit_code == code, shown.output
    text = "".join(f"{line.rstrip()}\n" for line in shown.output.splitlines())
    compare(GOLDEN / "outputs" / f"{name}.txt", text)
