"""The command: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from bakestone import __version__
from bakestone.cli.app import main
from bakestone.core.library.catalog import Library
from bakestone.errors import render
from bakestone.project import Project
from tests.support.samples import FIRST, MANY, ROOT, locked, project
from tests.unit.conftest import Command

COMMANDS = ["validate", "list", "explain", "lock", "generate", "build", "export", "completion"]


@pytest.fixture
def made(library: Library, tmp_path: Path) -> None:
    locked(tmp_path, MANY, library=library)


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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, bakestone: Command) -> None:
    shown = bakestone("completion", shell)
    assert shown.exit_code == 0
    assert "_BAKESTONE_COMPLETE" in shown.output


@pytest.mark.usefixtures("made")
def test_validate_counts_the_variants(bakestone: Command) -> None:
    shown = bakestone("validate", "--at", "2026-07-11", "--ahead", "0")
    assert shown.exit_code == 0
    assert shown.output == "images.yaml: 4 variants (cpu 3, gpu 1), 1 combinations left out\n"


@pytest.mark.usefixtures("made")
def test_validate_for_programs(bakestone: Command) -> None:
    assert json.loads(
        bakestone("validate", "--format", "json", "--at", "2026-07-11", "--ahead", "0").output
    ) == {"variants": 4, "findings": []}


def test_a_base_that_cannot_be_pinned_is_a_warning(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    made = project(tmp_path, MANY, library=library)
    made.matrix.variants[0] = replace(
        made.matrix.variants[0], base=replace(made.matrix.variants[0].base, digest="")
    )
    (warning,) = made.warnings()
    assert warning.severity == "warning"
    assert (
        warning.message == "no digest is known for docker.io/library/ubuntu:22.04, the base of"
        " openmpi4.1.8-ubuntu22.04"
    )
    assert render([warning]).startswith("warning: no digest")


def test_the_committed_matrix_is_right(bakestone: Command, tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text((ROOT / "images.yaml").read_text("utf-8"), "utf-8")
    shown = bakestone("validate")
    assert shown.exit_code == 0
    assert re.search(r"\d+ variants \(azureml-2020 7, ubuntu \d+, debian 4\)", shown.output)


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


@pytest.mark.usefixtures("made")
def test_a_missing_git_commit_ends_with_3(bakestone: Command) -> None:
    bakestone("generate")
    shown = bakestone("export", "github", "--changed-since", "0000000")
    assert shown.exit_code == 3
    assert "git does not know the commit 0000000" in shown.output


@pytest.mark.usefixtures("made")
def test_list_shows_a_table_a_family(bakestone: Command) -> None:
    shown = bakestone("list")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert lines[0].strip() == "cpu"
    assert any(
        line.split()[:8]
        == [
            "openmpi4.1.8-ubuntu22.04",
            "ubuntu",
            "22.04",
            "openmpi",
            "4.1.8",
            "miniforge",
            "26.3.2-3",
            "2.53.0",
        ]
        for line in lines
    )
    assert lines[-1] == "4 of 4 variants"


@pytest.mark.usefixtures("made")
def test_list_for_programs_has_everything_a_script_needs(bakestone: Command) -> None:
    plain = json.loads(
        bakestone("list", "family=gpu", "--format", "json", "--registry", "ghcr.io/x").output
    )
    assert plain["registry"] == "ghcr.io/x"
    (variant,) = plain["variants"]
    assert variant["name"] == "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"
    assert variant["image"] == "ghcr.io/x/gpu:openmpi5.0.10-cuda13.0.2-cudnn9-debian12"
    assert variant["target"] == "openmpi5_0_10-cuda13_0_2-cudnn9-debian12"
    assert variant["platforms"] == ["linux/amd64", "linux/arm64"]
    assert variant["base"] == "docker.io/library/debian:12"
    assert variant["slots"]["mpi"] == {
        "component": "openmpi",
        "version": "5.0.10",
        "method": "wheel",
    }
    assert (
        variant["dockerfile"]
        == "dockerfiles/gpu/openmpi5.0.10-cuda13.0.2-cudnn9-debian12/Dockerfile"
    )


@pytest.mark.usefixtures("made")
def test_a_selector_narrows_the_list(bakestone: Command) -> None:
    assert bakestone("list", "mpi=openmpi@4.*").output.splitlines()[-1] == "1 of 4 variants"
    shown = bakestone("list", "mpi=intelmpi")
    assert shown.exit_code == 1
    assert "no variant has mpi=intelmpi" in shown.output


@pytest.mark.parametrize("description", ["a [/b] c", "[red]alert", "see [docs]"])
def test_a_description_is_shown_as_it_is_written(
    description: str, bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "images.yaml").write_text(
        FIRST.replace("    axes:", f'    description: "{description}"\n    axes:'), "utf-8"
    )
    shown = bakestone("list")
    assert shown.exit_code == 0
    assert f"first: {description}" in shown.output


@pytest.mark.usefixtures("made")
def test_explain_prints_a_variant_and_one_left_out(bakestone: Command) -> None:
    shown = bakestone("explain", "openmpi4.1.8-ubuntu22.04")
    assert shown.exit_code == 0
    assert "fingerprint" in shown.output
    left_out = bakestone("explain", "openmpi4.1.8-ubuntu24.04")
    assert left_out.exit_code == 0
    assert left_out.output.splitlines() == [
        "openmpi4.1.8-ubuntu24.04 is left out by images.yaml:13:9",
        "  exclude distro: ubuntu@24.04, mpi: openmpi@4.1.*",
        "  because the old MPI stays on the old distro",
    ]


@pytest.mark.usefixtures("made")
def test_explain_for_programs(bakestone: Command) -> None:
    plain = json.loads(bakestone("explain", "openmpi4.1.8-ubuntu22.04", "--format", "json").output)
    assert set(plain) == {"sentence", "facts"}
    assert all(set(fact) == {"topic", "pin", "origin"} for fact in plain["facts"])


@pytest.mark.usefixtures("made")
def test_generate_then_check(bakestone: Command, tmp_path: Path) -> None:
    before = bakestone("generate", "--check")
    assert before.exit_code == 1
    assert before.output.count("it is missing") == 5
    written = bakestone("generate")
    assert written.exit_code == 0
    assert written.output.splitlines()[-1] == "dockerfiles: 5 files, 5 written, 0 removed"
    assert (
        "wrote dockerfiles/gpu/openmpi5.0.10-cuda13.0.2-cudnn9-debian12/Dockerfile"
        in written.output
    )
    checked = bakestone("generate", "--check")
    assert (checked.exit_code, checked.output) == (0, "dockerfiles: 5 files are up to date\n")
    assert bakestone("generate").output == "dockerfiles: 5 files, 0 written, 0 removed\n"


@pytest.mark.usefixtures("made")
def test_check_names_what_changed_after_an_edit(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    bakestone("generate")
    (tmp_path / "images.yaml").write_text(MANY.replace("2.53.0", "2.52.0"), "utf-8")
    stale = bakestone("generate", "--check")
    assert stale.exit_code == 1
    assert "the lock is stale: git@2.52.0: git-2.52.0.tar.gz is not in it" in stale.output
    locked(tmp_path, MANY.replace("2.53.0", "2.52.0"), library=library)
    drift = bakestone("generate", "--check")
    assert drift.exit_code == 1
    assert drift.output.count("it is not what images.yaml and the lock say") == 3
    assert "gpu" not in drift.output


def test_a_missing_lock_ends_with_1_and_the_command_to_run(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    project(tmp_path, MANY, library=library)
    shown = bakestone("generate")
    assert shown.exit_code == 1
    assert "the lock not found: images.lock.yaml" in shown.output
    assert "run `bakestone lock` to make it" in shown.output


def test_a_missing_matrix_ends_with_1(bakestone: Command) -> None:
    shown = bakestone("validate")
    assert shown.exit_code == 1
    assert "the matrix not found: images.yaml" in shown.output


@pytest.mark.usefixtures("made")
def test_the_site_comes_from_the_environment_too(
    bakestone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.yaml").write_text("version: 1\nregistry: here.example.com/x\n", "utf-8")
    monkeypatch.setenv("BAKESTONE_SITE", str(tmp_path / "site.yaml"))
    assert (
        json.loads(bakestone("list", "--format", "json").output)["registry"] == "here.example.com/x"
    )


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
def test_export_github_is_one_line_that_a_workflow_reads(bakestone: Command) -> None:
    shown = bakestone("export", "github")
    assert shown.exit_code == 0
    assert shown.output.count("\n") == 1
    include = json.loads(shown.output)["include"]
    assert sorted(job["variants"] for job in include) == [
        "openmpi4.1.8-ubuntu22.04",
        "openmpi5.0.10-cuda13.0.2-cudnn9-debian12",
        "openmpi5.0.10-ubuntu22.04",
        "openmpi5.0.10-ubuntu24.04",
    ]
    assert {job["platforms"] for job in include} == {"linux/amd64", "linux/amd64,linux/arm64"}


@pytest.mark.usefixtures("made")
def test_export_github_shares_variants_out_over_the_jobs_there_are(bakestone: Command) -> None:
    include = json.loads(bakestone("export", "github", "--max-jobs", "2").output)["include"]
    assert len(include) == 2
    assert sorted(v for job in include for v in job["variants"].split()) == [
        "openmpi4.1.8-ubuntu22.04",
        "openmpi5.0.10-cuda13.0.2-cudnn9-debian12",
        "openmpi5.0.10-ubuntu22.04",
        "openmpi5.0.10-ubuntu24.04",
    ]
    assert all("more" in job["name"] for job in include)


@pytest.mark.usefixtures("made")
def test_export_github_since_a_commit_has_only_what_changed(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    bakestone("generate")
    git = [
        "git",
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "init.defaultBranch=main",
    ]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first", "--no-verify"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True, capture_output=True)
    assert json.loads(bakestone("export", "github", "--changed-since", "HEAD").output) == {
        "include": []
    }
    locked(tmp_path, MANY.replace("openmpi@4.1.8,", "openmpi@4.1.7,"), library=library)
    changed = json.loads(bakestone("export", "github", "--changed-since", "HEAD").output)["include"]
    assert [job["variants"] for job in changed] == ["openmpi4.1.7-ubuntu22.04"]


@pytest.mark.usefixtures("made")
def test_a_commit_that_is_an_option_is_refused(bakestone: Command) -> None:
    assert bakestone("export", "github", "--changed-since=--output=x").exit_code == 2


@pytest.mark.usefixtures("made")
def test_variant_names_are_completed(tmp_path: Path) -> None:
    import os

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


@pytest.mark.parametrize(("words", "names"), [("bump openm", {"openmpi"}), ("lock opem", set())])
def test_the_names_that_fit_are_completed(
    words: str, names: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    completion = ShellComplete(main, {}, "bakestone", "_BAKESTONE_COMPLETE")
    *before, incomplete = words.split()
    assert {item.value for item in completion.get_completions(before, incomplete)} == names
