"""git is asked about a folder, and nothing of the folder's own is run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bakestone.clients import git

MISSING = "1" * 40


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    return folder


def settings(folder: Path, values: dict[str, str]) -> None:
    for key, value in values.items():
        subprocess.run(["git", "-C", folder, "config", key, value], check=True)


PROGRAMS = {
    "of the remote": {"remote.origin.url": "/nowhere", "remote.origin.uploadpack": "touch {ran};"},
    "as a URL": {"remote.origin.url": "ext::touch {ran}", "protocol.ext.allow": "always"},
    "of ssh": {"remote.origin.url": "ssh://host.invalid/x", "core.sshCommand": "touch {ran};"},
}


@pytest.mark.parametrize("programs", PROGRAMS.values(), ids=list(PROGRAMS))
def test_a_commit_that_a_repository_lacks_is_not_fetched_by_a_program_that_it_names(
    repository: Path, tmp_path: Path, programs: dict[str, str]
) -> None:
    ran = tmp_path / "ran"
    partial = {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
    }
    settings(repository, partial | {k: v.format(ran=ran) for k, v in programs.items()})
    (repository / ".git/refs/heads/main").write_text(f"{MISSING}\n", "ascii")
    assert git.commit(repository) == ""
    assert git.remote(repository) == programs["remote.origin.url"].format(ran=ran)
    git.run(repository, "show", f"{MISSING}:./Dockerfile")
    assert not ran.exists()


def test_a_folder_in_no_repository_has_neither_commit_nor_remote(tmp_path: Path) -> None:
    assert (git.commit(tmp_path), git.remote(tmp_path)) == ("", "")
    assert (git.commit(tmp_path / "gone"), git.remote(tmp_path / "gone")) == ("", "")
