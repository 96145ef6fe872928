"""The command: how it ends, what it says when it fails, what shells complete."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from bakestone import __version__
from bakestone.cli.app import main
from bakestone.project import Project
from tests.support.command import Command
from tests.support.samples import FIRST, ROOT

COMMANDS = [
    "validate",
    "list",
    "explain",
    "lock",
    "generate",
    "dockerfile",
    "build",
    "export",
    "completion",
]


def test_help_names_every_command_and_shows_examples(bakestone: Command) -> None:
    shown = bakestone("--help")
    assert shown.exit_code == 0
    assert all(re.search(rf"^  {name} ", shown.output, re.MULTILINE) for name in COMMANDS)
    assert "Examples:" in shown.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, bakestone: Command) -> None:
    shown = bakestone(command, "--help")
    assert shown.exit_code == 0
    assert "Usage: bakestone" in shown.output


@pytest.mark.parametrize("command", [c for c in COMMANDS if c != "export"])
def test_help_of_every_command_has_examples(command: str, bakestone: Command) -> None:
    assert "Examples:" in bakestone(command, "--help").output


def test_the_version_is_told(bakestone: Command) -> None:
    assert bakestone("--version").output == f"bakestone, version {__version__}\n"


def test_help_loads_no_more_than_it_needs() -> None:
    code = "import sys; from bakestone.cli import app; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "generator")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "click" in loaded
    assert not loaded & {"jinja2", "jsonschema", "requests", "rich", "yaml", "bakestone.project"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, bakestone: Command) -> None:
    shown = bakestone("completion", shell)
    assert shown.exit_code == 0
    assert "_BAKESTONE_COMPLETE" in shown.output


def wrong(tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(
        FIRST.replace("openmpi@5.0.10", "opnmpi@1").replace("22.04", "22.05"), "utf-8"
    )


def test_wrong_input_ends_with_1_and_all_findings(bakestone: Command, tmp_path: Path) -> None:
    wrong(tmp_path)
    shown = bakestone("validate")
    assert shown.exit_code == 1
    assert shown.output.splitlines()[0] == "images.yaml:6:16: ubuntu has no version 22.05"
    assert "images.yaml:7:13: unknown component 'opnmpi'" in shown.output
    assert shown.output.splitlines()[-1] == "2 errors"
    assert "Traceback" not in shown.output


def test_wrong_input_for_programs_is_json_on_standard_output(
    bakestone: Command, tmp_path: Path
) -> None:
    wrong(tmp_path)
    shown = bakestone("validate", "--format", "json")
    assert shown.exit_code == 1
    findings = json.loads(shown.stdout)["findings"]
    assert [(f["severity"], f["file"], f["line"], f["column"]) for f in findings] == [
        ("error", "images.yaml", 6, 16),
        ("error", "images.yaml", 7, 13),
    ]
    assert all(f["message"] and f["hint"] for f in findings)


WRONG_USAGE = [
    "nonsense",
    "validate --nonsense",
    "explain",
    "list --format xml",
    "build --push --load",
    "build --jobs 0",
    "build --jobs 101",
    "completion tcsh",
    "export github --max-jobs 257",
]


@pytest.mark.parametrize("command", WRONG_USAGE)
def test_wrong_usage_ends_with_2(command: str, bakestone: Command, tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(FIRST, "utf-8")
    shown = bakestone(*command.split())
    assert shown.exit_code == 2
    assert "Traceback" not in shown.output


@pytest.mark.usefixtures("made")
def test_an_environment_that_fails_ends_with_3(bakestone: Command, tmp_path: Path) -> None:
    shown = bakestone("generate", "--output", "/proc/none/here")
    assert shown.exit_code == 3, shown.output
    assert "cannot write" in shown.output


@pytest.mark.parametrize(
    "command", ["validate", "generate", "lock --check", "build", "doctor", "outdated"]
)
def test_a_missing_matrix_ends_with_1_and_is_named_first(command: str, bakestone: Command) -> None:
    shown = bakestone(*command.split())
    assert shown.exit_code == 1
    assert shown.output.startswith("images.yaml: the matrix not found")


@pytest.mark.usefixtures("made")
def test_the_site_comes_from_the_environment_too(
    bakestone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.yaml").write_text("version: 1\nregistry: here.example.com/x\n", "utf-8")
    monkeypatch.setenv("BAKESTONE_SITE", str(tmp_path / "site.yaml"))
    assert (
        json.loads(bakestone("list", "--format", "json").output)["registry"] == "here.example.com/x"
    )


WITH_A_SITE = [
    "validate",
    "list",
    "diff HEAD",
    "explain openmpi5.0.10-ubuntu22.04",
    "dockerfile openmpi5.0.10-ubuntu22.04",
    "lock --check",
    "generate",
    "outdated --only version",
    "doctor --skip registry",
    "build",
    "reproduce",
    "retire",
    "export github",
    "archive create here",
    "archive serve here",
    "archive push here localhost:1/x:1",
    "archive pull localhost:1/x:1 here",
    "base debian@12",
    "component new jq --package jq --distro debian@12=1",
    "component add git 1",
    "library update nccl",
    "component python solver all.txt --python 3.11 --homepage https://vendor.test/",
    "versions",
]


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("command", WITH_A_SITE)
def test_each_command_that_takes_a_site_file_says_what_is_wrong_with_it(
    command: str, bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "site.yaml").write_text("version: 1\nmirrrors: {}\n", "utf-8")
    misspelt = bakestone(*command.split(), "--site", "site.yaml")
    missing = bakestone(*command.split(), "--site", "none.yaml")
    assert (misspelt.exit_code, missing.exit_code) == (1, 1)
    assert misspelt.output.startswith("site.yaml:2:1: ")
    assert missing.output.startswith("none.yaml: ")
    assert "not found" in missing.output


def test_every_command_that_takes_a_site_file_is_looked_at() -> None:
    def taking(group: click.Group, before: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from taking(command, f"{before}{name} ")
            elif any("--site" in parameter.opts for parameter in command.params):
                yield f"{before}{name}"

    unlooked = [
        name
        for name in taking(main, "")
        if not any(f"{command} ".startswith(f"{name} ") for command in WITH_A_SITE)
    ]
    assert unlooked == []


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    "registry",
    [
        "https://registry.example.com",
        "Registry.example.com/Base",
        "a b",
        "x,push=true",
        "registry.example.com/base/",
    ],
)
def test_a_registry_that_is_none_is_wrong_usage(registry: str, bakestone: Command) -> None:
    shown = bakestone("list", "--registry", registry)
    assert shown.exit_code == 2
    assert "HOST" in shown.output


@pytest.mark.usefixtures("made")
def test_variant_names_are_completed(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "_BAKESTONE_COMPLETE": "bash_complete",
        "COMP_WORDS": "bakestone explain openmpi5",
        "COMP_CWORD": "2",
        "PYTHONPATH": str(ROOT / "generator"),
    }
    code = "from bakestone.cli.app import main; main(prog_name='bakestone')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert {line.partition(",")[2] for line in done.stdout.split()} == {
        "openmpi5.0.10-ubuntu22.04",
        "openmpi5.0.10-ubuntu24.04",
        "openmpi5.0.10-cuda13.0.2-cudnn9-debian12",
    }


def test_json_is_asked_for_by_the_option_and_not_by_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from click.testing import CliRunner

    from bakestone.cli.app import main

    wrong(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    json.loads(CliRunner().invoke(main, ["validate", "--format", "json"]).stdout)


def test_no_command_ends_in_a_traceback_on_a_broken_file(
    bakestone: Command, tmp_path: Path
) -> None:
    for raw in (b"", b"\xff\xfe", b"a: [", b"version: 1\n", b"!!python/object:os.system x"):
        (tmp_path / "images.yaml").write_bytes(raw)
        for command in (
            ["validate"],
            ["list"],
            ["explain", "x"],
            ["lock"],
            ["generate"],
            ["build"],
            ["export", "github"],
        ):
            shown = bakestone(*command)
            assert shown.exit_code == 1, (command, raw, shown.output)
            assert isinstance(shown.exception, SystemExit)


def failing(problem: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """`validate` ends with this."""

    def fails(_project: Project) -> None:
        raise problem

    monkeypatch.setattr(Project, "warnings", fails)


@pytest.mark.usefixtures("made")
def test_a_fault_of_ours_is_one_sentence_that_asks_for_debug(
    bakestone: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(KeyError("secret"), monkeypatch)
    shown = bakestone("validate")
    assert shown.exit_code == 3
    assert shown.stderr == (
        "a fault of bakestone itself (KeyError): please report what"
        " `bakestone --debug validate ...` shows\n"
    )
    told = json.loads(bakestone("validate", "--format", "json").stdout)
    assert "--debug" in told["findings"][0]["message"]


@pytest.mark.usefixtures("made")
def test_debug_shows_the_traceback_of_a_fault_on_standard_error(
    bakestone: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(KeyError("https://me:secret@host.test/\x1b[1m"), monkeypatch)
    shown = bakestone("--debug", "validate")
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert "Traceback (most recent call last)" in shown.stderr
    assert "in fails" in shown.stderr
    assert "https://***@host.test/" in shown.stderr
    assert "secret@host" not in shown.stderr
    assert "\x1b" not in shown.stderr


def test_debug_shows_what_led_to_an_error(bakestone: Command) -> None:
    plain, shown = bakestone("validate"), bakestone("--debug", "validate")
    assert plain.exit_code == shown.exit_code == 1
    assert "Traceback" not in plain.stderr
    assert shown.stderr.startswith(plain.stderr)
    assert "FileNotFoundError" in shown.stderr
    assert "direct cause of the following exception" in shown.stderr


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("options", [(), ("--debug",)])
def test_an_interrupted_command_ends_with_130(
    options: tuple[str, ...], bakestone: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(KeyboardInterrupt(), monkeypatch)
    shown = bakestone(*options, "validate")
    assert shown.exit_code == 130
    assert shown.stderr == "interrupted; nothing is half done: run it again to go on\n"


def test_ctrl_c_while_the_commands_are_being_loaded_ends_with_130(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt", "utf-8")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    module, _, name = settings["project"]["scripts"]["bakestone"].partition(":")
    done = subprocess.run(
        [sys.executable, "-c", f"from {module} import {name}; {name}()"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT / 'generator'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr == "interrupted; nothing is half done: run it again to go on\n"


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("command", ["list", "list --format json", "--help", "completion bash"])
def test_a_full_disk_under_the_output_is_one_sentence(command: str, tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with full.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "bakestone.cli.app", *command.split()],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT / "generator")},
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "cannot write: no space is left on the device",
        "    hint: make room",
    ]


@pytest.mark.parametrize("path", ["", ".", "/"])
@pytest.mark.parametrize("command", ["list", "bump openmpi", "outdated", "versions"])
def test_a_folder_in_place_of_the_matrix_is_no_fault_of_ours(
    command: str, path: str, bakestone: Command
) -> None:
    shown = bakestone(*command.split(), "-f", path)
    assert shown.exit_code in (1, 2) if command != "versions" else shown.exit_code == 0
    assert "a fault of bakestone" not in shown.output


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("command", ["list --registry", "archive push ."])
@pytest.mark.parametrize("place", ["https://me:hush@host.test/x", "me:hush@host.test/x", "hush@x"])
def test_a_password_in_a_place_on_the_command_line_is_not_told(
    place: str, command: str, bakestone: Command
) -> None:
    shown = bakestone(*command.split(), place)
    assert shown.exit_code == 2
    assert "hush" not in shown.output


@pytest.mark.parametrize(("words", "names"), [("bump openm", {"openmpi"}), ("lock opem", set())])
def test_the_names_that_fit_are_completed(
    words: str, names: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    completion = ShellComplete(main, {}, "bakestone", "_BAKESTONE_COMPLETE")
    *before, incomplete = words.split()
    assert {item.value for item in completion.get_completions(before, incomplete)} == names
