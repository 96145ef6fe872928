"""The workflows under .github do what docs/ci.md promises, with no more rights than they need."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bakestone.cli.app import main

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))

PINNED = {
    "actions/checkout": ("v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    "actions/setup-python": ("v7.0.0", "5fda3b95a4ea91299a34e894583c3862153e4b97"),
    "actions/upload-artifact": ("v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    "docker/login-action": ("v4.1.0", "4907a6ddec9925e35a0a9e82d7399ccc52663121"),
    "docker/setup-buildx-action": ("v4.3.0", "37fe631027851001ddb9b187196cc803df7f5f0e"),
    "docker/setup-qemu-action": ("v4.2.0", "96fe6ef7f33517b61c61be40b68a1882f3264fb8"),
    "peter-evans/create-pull-request": ("v8.1.1", "5f6978faf089d4d20b00c7766989d076bb2fc7f1"),
}
"""The one list of actions that may run, each with its tag and the commit that the tag named when it
was reviewed.
"""

VALUES = {
    "MAX_JOBS": "20",
    "REGISTRY": "registry.example.com/base",
    "variants[@]": "openmpi5.0.10-debian12",
}
"""What the variables in the workflows' command lines stand for."""


def load(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(path)["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    if path in ACTIONS:
        return list(load(path)["runs"]["steps"])
    return [step for job in jobs(path).values() for step in job["steps"]]


def commands(script: str) -> Iterator[list[str]]:
    """The arguments of every `bakestone ...` in a shell script, its variables replaced."""
    joined = script.replace("\\\n", " ")
    for match in re.finditer(
        r"""(?<![\w./-])bakestone((?:[ \t]+(?:"[^"\n]*"|[^\s|&;<>()`'"]+))+)""", joined
    ):
        words = re.sub(
            r"\$(?:\{([^}]+)\}|(\w+))", lambda m: VALUES.get(m[1] or m[2], "value"), match[1]
        )
        yield shlex.split(words)


def file_id(path: Path) -> str:
    return path.relative_to(ROOT / ".github").as_posix()


every_file = pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=file_id)
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=file_id)


def test_the_three_workflows_are_there() -> None:
    assert [p.name for p in WORKFLOWS] == ["main.yml", "pull-request.yml", "weekly.yml"]


@every_file
def test_every_action_is_pinned_by_a_known_commit_with_its_tag_behind_it(path: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses:\s*(.+?)\s*$", path.read_text("utf-8"), re.MULTILINE)
    assert len(used) == sum("uses" in step for step in steps(path))
    for text in used:
        if text.startswith("./"):
            assert (ROOT / text / "action.yml").is_file()
            continue
        name = text.partition("@")[0]
        tag, commit = PINNED[name]
        assert text == f"{name}@{commit} # {tag}"
        assert re.fullmatch(r"[0-9a-f]{40}", commit)


def test_no_action_is_listed_that_nothing_uses() -> None:
    used = {
        str(step["uses"]).partition("@")[0]
        for path in (*WORKFLOWS, *ACTIONS)
        for step in steps(path)
        if "uses" in step
    }
    assert {name for name in used if not name.startswith("./")} == set(PINNED)


@every_workflow
def test_rights_are_given_job_by_job_and_time_is_limited(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    for job in jobs(path).values():
        assert "permissions" in job
        assert 0 < job["timeout-minutes"] <= 120


def test_only_the_jobs_that_publish_or_open_a_pull_request_may_write() -> None:
    writers = {
        (path.name, name, right)
        for path in WORKFLOWS
        for name, job in jobs(path).items()
        for right, level in job["permissions"].items()
        if level == "write"
    }
    assert writers == {
        ("main.yml", "build", "packages"),
        ("main.yml", "build", "id-token"),
        ("main.yml", "release", "packages"),
        ("main.yml", "release", "id-token"),
        ("weekly.yml", "library", "contents"),
        ("weekly.yml", "library", "pull-requests"),
        ("weekly.yml", "refresh", "contents"),
        ("weekly.yml", "refresh", "pull-requests"),
    }


@every_file
def test_no_checkout_leaves_its_token_behind(path: Path) -> None:
    for step in steps(path):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_file
def test_no_expression_is_pasted_into_a_script(path: Path) -> None:
    """`${{ github.event... }}`, `${{ inputs... }}` and all others reach a script through `env`
    only.
    """
    for step in steps(path):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("path", ACTIONS, ids=file_id)
def test_the_scripts_of_our_own_actions_are_clean(path: Path) -> None:
    """actionlint does this for workflows and not for actions."""
    for step in steps(path):
        if "run" in step:
            assert step["shell"] == "bash"
            shellcheck = Path(sys.executable).with_name("shellcheck")
            found = subprocess.run(
                [shellcheck, "--shell=bash", "-"],
                input=step["run"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert found.stdout == ""
            assert found.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(a, id=f"{file_id(p)}: {' '.join(a)}")
        for p in (*WORKFLOWS, *ACTIONS)
        for s in steps(p)
        for a in commands(s.get("run", ""))
    ],
)
def test_every_command_line_is_one_that_bakestone_takes(arguments: list[str]) -> None:
    command: click.Command = main
    rest, context = list(arguments), click.Context(main, info_name="bakestone")
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no command {rest[0]}"
        command, rest = found, rest[1:]
    command.make_context(
        command.name, rest, parent=context
    )  # parses, runs nothing; wrong options raise UsageError


def test_the_command_lines_are_found() -> None:
    script = (
        'matrix=$(bakestone export github --max-jobs "$MAX_JOBS")\nbakestone build "${variants[@]}"'
        " \\\n  --push && bakestone generate"
    )
    assert list(commands(script)) == [
        ["export", "github", "--max-jobs", "20"],
        ["build", "openmpi5.0.10-debian12", "--push"],
        ["generate"],
    ]


@every_file
def test_every_make_target_is_in_the_makefile(path: Path) -> None:
    targets = set(
        re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    used = {
        name
        for step in steps(path)
        for name in re.findall(r"^\s*make ([a-z-]+)", step.get("run", ""), re.MULTILINE)
    }
    assert used <= targets


def test_pull_requests_are_checked_as_a_person_does_and_publish_nothing() -> None:
    lines = [
        a
        for step in steps(ROOT / ".github/workflows/pull-request.yml")
        for a in commands(step.get("run", ""))
    ]
    assert ["validate"] in lines
    assert ["generate", "--check"] in lines
    assert any(line[:2] == ["export", "github"] and "--changed-since" in line for line in lines)
    assert any(line[0] == "build" for line in lines)
    assert not any("--push" in line for line in lines)


def test_floating_tags_move_in_one_job_after_all_the_others() -> None:
    pushes = {
        name: line
        for name, job in jobs(ROOT / ".github/workflows/main.yml").items()
        for step in job["steps"]
        for line in commands(step.get("run", ""))
        if "--push" in line
    }
    assert set(pushes) == {"build", "release"}
    assert "--no-tags" in pushes["build"]
    assert "--no-tags" not in pushes["release"]
    release = jobs(ROOT / ".github/workflows/main.yml")["release"]
    assert release["needs"] == "build"
    assert "if" not in release  # runs only when every build job has succeeded
    assert "strategy" not in release


@pytest.mark.parametrize("name", ["pull-request.yml", "main.yml"])
def test_an_empty_matrix_skips_the_job(name: str) -> None:
    build = jobs(ROOT / ".github/workflows" / name)["build"]
    assert build["strategy"]["matrix"] == "${{ fromJSON(needs.plan.outputs.matrix) }}"
    assert build["strategy"]["fail-fast"] is False
    assert build["if"] == "fromJSON(needs.plan.outputs.matrix).include[0] != null"


def test_every_setting_is_in_the_guide() -> None:
    guide = (ROOT / "docs/ci.md").read_text("utf-8")
    used = {
        name
        for path in WORKFLOWS
        for name in re.findall(r"\b(?:vars|secrets)\.(\w+)", path.read_text("utf-8"))
    }
    assert used
    assert used == set(re.findall(r"^\| `([A-Z_]+)` \|", guide, re.MULTILINE))
