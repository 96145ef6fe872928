"""`validate`, `list`, `explain`, `generate`, `export`: what they print, and how they end."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import lockfile
from bakestone.core.render import family
from bakestone.errors import render
from tests.support.command import Command
from tests.support.samples import FIRST, MANY, ROOT, locked, made_up_lock, project
from tests.support.stages import stage_texts


@pytest.mark.usefixtures("made")
def test_validate_counts_the_variants(bakestone: Command) -> None:
    shown = bakestone("validate", "--at", "2026-07-11", "--ahead", "0")
    assert shown.exit_code == 0
    assert shown.output == "images.yaml: 4 variants (cpu 3, gpu 1), 1 combination left out\n"


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
    assert re.search(
        r"\d+ variants \(azureml-2020 7, azureml-example 1, ubuntu \d+, debian 4\)", shown.output
    )


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
    assert variant["dockerfile"] == "dockerfiles/gpu/Dockerfile"


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
    assert before.output.count("it is missing") == 3
    written = bakestone("generate")
    assert written.exit_code == 0
    assert written.output.splitlines()[-1] == "dockerfiles: 3 files, 3 written, 0 removed"
    assert "wrote dockerfiles/gpu/Dockerfile" in written.output
    checked = bakestone("generate", "--check")
    assert (checked.exit_code, checked.output) == (0, "dockerfiles: 3 files are up to date\n")
    assert bakestone("generate").output == "dockerfiles: 3 files, 0 written, 0 removed\n"


@pytest.mark.usefixtures("made")
def test_check_names_what_changed_after_an_edit(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    bakestone("generate")
    (tmp_path / "images.yaml").write_text(MANY.replace("2.53.0", "2.52.0"), "utf-8")
    stale = bakestone("generate", "--check")
    assert stale.exit_code == 1
    assert (
        "the lock is stale: git 2.53.0 -> 2.52.0 (images.yaml:10:13) is not locked" in stale.output
    )
    locked(tmp_path, MANY.replace("2.53.0", "2.52.0"), library=library)
    drift = bakestone("generate", "--check")
    assert drift.exit_code == 1
    assert drift.output.count("it is not what images.yaml and the lock say") == 1
    assert "gpu" not in drift.output


GPU = "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"


@pytest.mark.usefixtures("made")
def test_dockerfile_prints_the_stages_of_one_variant(bakestone: Command, tmp_path: Path) -> None:
    shown = bakestone("dockerfile", GPU)
    assert shown.exit_code == 0
    assert shown.output == locked(tmp_path, MANY).dockerfiles[GPU]
    bakestone("generate")
    whole = (tmp_path / "dockerfiles" / "gpu" / "Dockerfile").read_text("utf-8")
    parts = stage_texts(shown.output)
    assert list(parts)[-1] == GPU
    assert parts.items() <= stage_texts(whole).items()
    assert family.reachable(shown.output, GPU) == family.reachable(whole, GPU)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("openmpi5.0.9-ubuntu22.04", "did you mean openmpi5.0.10-ubuntu22.04?"),
        ("openmpi*", "did you mean openmpi"),
        ("family=gpu", "see `bakestone list`"),
        ("", "see `bakestone list`"),
    ],
)
def test_dockerfile_wants_the_name_of_one_variant(name: str, hint: str, bakestone: Command) -> None:
    shown = bakestone("dockerfile", name)
    assert shown.exit_code == 1
    assert f"no variant is named {name}" in shown.output
    assert f"hint: {hint}" in shown.output


def test_dockerfile_of_a_variant_that_is_not_in_the_lock_says_so(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    made = project(tmp_path, MANY, library=library)
    lock = made_up_lock(made.select(["family=cpu"]), library)
    lock.selection = ("family=cpu",)
    lockfile.write(lock, made.lock_path)
    shown = bakestone("dockerfile", GPU)
    assert shown.exit_code == 1
    assert f"{GPU} is not in the lock, which was made for family=cpu" in shown.output


def test_a_missing_lock_ends_with_1_and_the_command_to_run(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    project(tmp_path, MANY, library=library)
    shown = bakestone("generate")
    assert shown.exit_code == 1
    assert "the lock not found: images.lock.yaml" in shown.output
    assert "run `bakestone lock` to make it" in shown.output


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
    own = MANY.replace("  - name: gpu\n", "  - name: gpu\n    annotations: {a.b: '${x}'}\n")
    locked(tmp_path, own, library=library)
    changed = json.loads(bakestone("export", "github", "--changed-since", "HEAD").output)["include"]
    assert [job["variants"] for job in changed] == ["openmpi5.0.10-cuda13.0.2-cudnn9-debian12"]
    bakestone("generate")
    for command in (["add", "-A"], ["commit", "-q", "-m", "second", "--no-verify"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True, capture_output=True)
    assert json.loads(bakestone("export", "github", "--changed-since", "HEAD").output) == {
        "include": []
    }


@pytest.mark.usefixtures("made")
def test_a_commit_that_is_an_option_is_refused(bakestone: Command) -> None:
    assert bakestone("export", "github", "--changed-since=--output=x").exit_code == 2


def test_a_path_that_the_system_refuses_is_no_fault_of_bakestone(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    locked(tmp_path, MANY, library=library)
    result = bakestone("generate", "--check", "-o", "9" * 400)
    assert result.exit_code == 3
    assert "the system cannot use it: File name too long" in result.output
    assert "9" * 250 not in result.output


def test_an_account_in_a_wrong_word_is_not_shown(bakestone: Command, tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(MANY, "utf-8")
    for words in (("list", "WORD"), ("export", "WORD"), ("validate", "--at", "WORD"), ("WORD",)):
        result = bakestone(*(w.replace("WORD", "https://bob:hunter2@x.example/y") for w in words))
        assert result.exit_code in (1, 2)
        assert "hunter2" not in result.output
        assert "***@x.example" in result.output


ODD = "x ##[error]boo \u202e https://u:hunter2@h.example/x"


def test_texts_of_others_go_out_as_they_may_in_every_report(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    """A note of the lock, a description, a reason, a comment: each reaches some report."""
    text = MANY.replace("  - name: cpu\n", f"  - name: cpu\n    description: '{ODD}'\n", 1)
    made = locked(tmp_path, text, library=library)
    note = made.lock_path.read_text("utf-8").replace("made up for the tests", f"{ODD}::y")
    made.lock_path.write_text(note, "utf-8")
    variant = made.matrix.variants[0].name
    commands = [
        ("list",),
        ("list", "--format", "json"),
        ("explain", variant),
        ("explain", variant, "--format", "json"),
        ("lock", "--check", "--format", "json"),
        ("validate", "--format", "json"),
        ("bump", "git", "2.52.0", "--dry-run"),
    ]
    for command in commands:
        result = bakestone(*command)
        assert result.exit_code == 0, result.output
        for odd in ("hunter2", "##[", "\u202e"):
            assert odd not in result.output, command
        assert not any(line.lstrip().startswith("::") for line in result.output.splitlines())


@pytest.mark.parametrize("tag", ["!!bool x", "!!timestamp x", "!!int x", "!!float y", "!!null z"])
def test_a_value_that_its_tag_denies_is_a_finding(
    tag: str, bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "images.yaml").write_text(
        MANY.replace("  - name: cpu\n", f"  - name: cpu\n    description: {tag}\n", 1), "utf-8"
    )
    result = bakestone("validate")
    assert result.exit_code == 1
    assert "a fault of bakestone" not in result.output


@pytest.mark.parametrize("kind", ["a folder", "a FIFO", "a link to itself"])
@pytest.mark.parametrize("name", ["component.yaml", "versions.yaml"])
def test_what_is_no_file_under_a_components_name_is_a_finding(
    name: str, kind: str, bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "images.yaml").write_text(MANY, "utf-8")
    path = tmp_path / "components" / "git" / name
    path.parent.mkdir(parents=True)
    if kind == "a folder":
        path.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to(path)
    result = bakestone("validate")
    assert result.exit_code in (1, 3), result.output
    assert "a fault of bakestone" not in result.output
    assert name in result.output


TAGS = '    tags: [{tag: latest, when: distro=ubuntu@22.*}, "{mpi_minor}", "{name}-{date}"]\n'


def test_list_and_explain_have_the_further_tags_of_a_variant(
    bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "images.yaml").write_text(FIRST + TAGS, "utf-8")
    (variant,) = json.loads(bakestone("list", "--format", "json").output)["variants"]
    assert variant["aliases"] == ["latest", "5.0"]
    assert variant["dated"] == ["openmpi5.0.10-ubuntu22.04-{date}"]
    facts = json.loads(bakestone("explain", variant["name"], "--format", "json").output)["facts"]
    assert [(f["pin"], f["origin"]) for f in facts if f["topic"] == "tag"] == [
        ("latest", "latest when distro=ubuntu@22.*, images.yaml:9:18"),
        ("5.0", "{mpi_minor}, images.yaml:9:53"),
        (
            "openmpi5.0.10-ubuntu22.04-{date}",
            "{name}-{date}, images.yaml:9:68; never moves: its date is that of a release",
        ),
    ]


def test_validate_names_both_images_of_one_tag_and_its_line(
    bakestone: Command, tmp_path: Path
) -> None:
    two = FIRST.replace("[openmpi@5.0.10]", "[openmpi@5.0.10, openmpi@5.0.9]")
    (tmp_path / "images.yaml").write_text(f"{two}    tags: [latest]\n", "utf-8")
    shown = bakestone("validate")
    assert shown.exit_code == 1
    assert (
        "images.yaml:9:12: two images would have the tag latest: openmpi5.0.10-ubuntu22.04 and"
        " openmpi5.0.9-ubuntu22.04\n"
    ) in shown.output
