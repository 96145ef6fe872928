"""`init`: what it writes is right, and nothing that is there is lost."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
import yaml

from bakestone.cli.app import main
from bakestone.cli.begin import SCHEMAS, STARTERS
from bakestone.core.lock import lockfile
from bakestone.jobs.begin import begin
from bakestone.project import Project
from tests.support.command import Command
from tests.support.samples import ROOT, made_up_lock

EVERY = ["nvidia-eula", "intel-eula", "anaconda-terms"]


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("starter", begin.STARTERS)
def test_each_beginning_is_rendered_without_a_warning(starter: str, tmp_path: Path) -> None:
    """But of support that ends, which nobody can write beforehand."""
    begin.begin(tmp_path, starter, "registry.example.com/base", EVERY)
    project = Project(tmp_path / "images.yaml", tmp_path / "lock", tmp_path / "dockerfiles")
    assert project.warnings() == []
    lockfile.write(made_up_lock(project.matrix.variants, project.matrix.library), project.lock_path)
    assert project.drift()
    project.generate()
    assert project.drift() == []
    assert project.registry == "registry.example.com/base"


def test_what_there_is_to_begin_with_is_told_in_words() -> None:
    assert tuple(STARTERS) == begin.STARTERS


def test_terms_are_accepted_by_a_person_and_no_others_are_written(
    bakestone: Command, tmp_path: Path
) -> None:
    refused = bakestone("init", "--template", "cuda")
    assert refused.exit_code == 2
    assert "say `--accept nvidia-eula`" in refused.output
    assert list(tmp_path.iterdir()) == []
    assert bakestone("init", "--template", "cuda", "--accept", "nvidia").exit_code == 2
    arguments = [f"--accept={name}" for name in EVERY]
    assert bakestone("init", "--template", "cuda", *arguments).exit_code == 0
    assert yaml.safe_load((tmp_path / "images.yaml").read_text())["accept"] == ["nvidia-eula"]
    assert bakestone("validate").exit_code == 0


def test_nothing_that_is_there_is_lost(bakestone: Command, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log", "utf-8")
    (tmp_path / ".gitattributes").write_text("dockerfiles/** linguist-generated eol=lf\n", "utf-8")
    shown = bakestone("init")
    assert shown.exit_code == 0
    assert (tmp_path / ".gitignore").read_text("utf-8").splitlines()[0] == "*.log"
    assert ".*.lock.yaml.*" in (tmp_path / ".gitignore").read_text("utf-8").splitlines()
    attributes = (tmp_path / ".gitattributes").read_text("utf-8").splitlines()
    assert attributes.count("dockerfiles/** linguist-generated eol=lf") == 1
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = bakestone("init")
    assert again.exit_code == 2
    assert "there is an images.yaml already" in again.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "images.yaml").unlink()
    once_more = bakestone("init")
    assert ".gitignore has what is needed" in once_more.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_registry_that_is_none_writes_nothing(bakestone: Command, tmp_path: Path) -> None:
    assert bakestone("init", "--registry", "Not A Registry").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_commands_find_images_yaml_in_a_folder_above(
    bakestone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "bakestone init" in bakestone("validate").output
    begin.begin(tmp_path, "cpu", "localhost:5000/base", [])
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    shown = bakestone("list", "--format", "json")
    assert shown.exit_code == 0
    assert len(json.loads(shown.output)["variants"]) == 2
    (tmp_path / "a" / ".git").mkdir()  # another repository: not its own
    assert bakestone("list").exit_code == 1


def test_the_images_yaml_of_somebody_else_is_left_alone(
    bakestone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that all may write, such as /tmp, anybody could put one."""
    begin.begin(tmp_path, "cpu", "localhost:5000/base", [])
    below = tmp_path / "a"
    below.mkdir()
    monkeypatch.chdir(below)
    assert bakestone("validate").exit_code == 0
    matrix = tmp_path / "images.yaml"
    if os.geteuid() == 0:
        os.chown(matrix, 4242, 4242)
    else:  # what it leads to is root's
        matrix.unlink()
        matrix.symlink_to("/etc/passwd")
    assert bakestone("validate").exit_code == 1


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_printed_as_it_is(name: str, bakestone: Command) -> None:
    text = (ROOT / "schemas" / f"{name}.schema.json").read_text("utf-8")
    assert bakestone("schema", name).output == text


def test_every_schema_can_be_printed() -> None:
    there = {path.name.removesuffix(".schema.json") for path in (ROOT / "schemas").iterdir()}
    assert set(SCHEMAS) == there


def test_pre_commit_calls_commands_that_there_are() -> None:
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")):
        program, name, *words = shlex.split(hook["entry"])
        assert (program, hook["pass_filenames"]) == ("bakestone", False)
        options = [one for each in main.commands[name].params for one in each.opts]
        assert set(words) <= set(options)
