"""`bakestone diff`: what came, went and changed since a commit, with all that images.yaml reads."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.jobs.changes.compare import Changes, since
from bakestone.project import Project
from tests.support import team
from tests.support.command import Command
from tests.support.samples import FIRST, MANY, locked, project, refused

NAME = "openmpi5.0.10-ubuntu22.04"
RULE = MANY[MANY.index("    exclude:") : MANY.index("  - name: gpu")]
"""The exclude of the first family."""


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def commit(folder: Path) -> None:
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x", "--no-verify")


def told(found: Changes) -> dict[tuple[str, str], list[str]]:
    return {(one.kind, one.name): list(one.what) for one in found.variants}


@pytest.fixture
def old(library: Library, tmp_path: Path) -> Path:
    """A repository whose matrix of four variants is locked and committed."""
    locked(tmp_path, MANY, library=library)
    commit(tmp_path)
    return tmp_path


def changed(folder: Path, library: Library, *swaps: tuple[str, str]) -> Project:
    text = MANY
    for one, other in swaps:
        assert one in text
        text = text.replace(one, other)
    return locked(folder, text, library=library)


def test_nothing_changed(old: Path, library: Library) -> None:
    found = since(changed(old, library), "HEAD")
    assert (found.variants, found.same, found.unlocked) == ((), 4, ())


def test_a_version_in_a_name_is_a_change_and_no_coming_and_going(
    old: Path, library: Library
) -> None:
    found = since(changed(old, library, ("openmpi@4.1.8,", "openmpi@4.1.7,")), "HEAD")
    (one,) = found.variants
    assert (one.kind, one.name) == ("changed", "openmpi4.1.7-ubuntu22.04")
    assert (one.before, one.what) == ("openmpi4.1.8-ubuntu22.04", ("openmpi 4.1.8 -> 4.1.7",))
    assert one.old_fingerprint != one.new_fingerprint
    assert found.same == 3


def test_slots_that_move_together_are_told_together(old: Path, library: Library) -> None:
    wanted = '{cuda: "13.0.1", cudnn: "9.13.0.50", nccl: "2.27.7"}'
    before = '{cuda: "13.0.2", cudnn: "9.14.0.64", nccl: "2.27.7"}'
    (one,) = since(changed(old, library, (before, wanted)), "HEAD").variants
    assert one.what[:2] == ("cuda 13.0.2 -> 13.0.1", "cudnn 9.14.0.64 -> 9.13.0.50")


def test_what_came_and_what_went(old: Path, library: Library) -> None:
    now = changed(
        old,
        library,
        ("mpi: [openmpi@4.1.8, openmpi@5.0.10]", "mpi: [openmpi@5.0.10]"),
        (RULE, ""),
        ("distro: [debian@12]", "distro: [debian@12, debian@13]"),
    )
    assert told(since(now, "HEAD")) == {
        ("added", "openmpi5.0.10-cuda13.0.2-cudnn9-debian13"): [],
        ("removed", "openmpi4.1.8-ubuntu22.04"): [],
    }


def test_two_that_went_and_one_that_came_are_not_guessed_at(old: Path, library: Library) -> None:
    two = ("mpi: [openmpi@4.1.8, openmpi@5.0.10]", "mpi: [openmpi@5.0.9]")
    found = told(since(changed(old, library, two, (RULE, "")), "HEAD"))
    assert ("changed", "openmpi5.0.9-ubuntu24.04") in found
    assert ("added", "openmpi5.0.9-ubuntu22.04") in found
    assert ("removed", "openmpi4.1.8-ubuntu22.04") in found


def test_what_a_team_adds_is_told_by_its_name(old: Path, library: Library) -> None:
    (old / "motd").write_text("one\n", "utf-8")
    first = "    files: [{from: motd, to: /etc/motd}]\n    env: {A: x}\n    packages: [vim]\n"
    changed(old, library, ("  - name: gpu\n", f"  - name: gpu\n{first}"))
    commit(old)
    (old / "motd").write_text("two\n", "utf-8")
    then = (
        "    files: [{from: motd, to: /etc/motd}]\n    env: {A: y, B: z}\n    packages: [less]\n"
        "    labels: {a.b: c}\n    cmd: [bash, -l]\n    user: worker\n"
    )
    now = changed(old, library, ("  - name: gpu\n", f"  - name: gpu\n{then}"))
    (one,) = since(now, "HEAD").variants
    assert one.what[:8] == (
        "user dockeruser 10001:10001 /home/dockeruser -> worker 10001:10001 /home/worker",
        "package vim is gone",
        "package less is new",
        "env A x -> y",
        "env B is new",
        "label a.b is new",
        "cmd none -> bash -l",
        "file /etc/motd is another one",
    )


def test_another_pin_is_told_from_the_lock(old: Path, library: Library) -> None:
    now = changed(old, library)
    text = now.lock_path.read_text("utf-8")
    now.lock_path.write_text(text.replace("1.0-1", "1.0-2"), "utf-8")
    found = told(since(project(old, MANY, library=library), "HEAD"))
    assert found["changed", "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"] == [
        "libmade-up-amd64 1.0-1 -> 1.0-2",
        "libmade-up-arm64 1.0-1 -> 1.0-2",
    ]


def test_without_a_lock_the_matrix_is_compared(old: Path, library: Library) -> None:
    now = project(old, MANY.replace("openmpi@4.1.8,", "openmpi@4.1.7,"), library=library)
    found = since(now, "HEAD")
    assert told(found) == {("changed", "openmpi4.1.7-ubuntu22.04"): ["openmpi 4.1.8 -> 4.1.7"]}
    (why,) = found.unlocked
    assert why.message.startswith("fingerprints are not compared: the lock: the lock is stale")
    (old / "images.lock.yaml").unlink()
    now = project(old, MANY, library=library)
    commit(old)
    found = since(now, "HEAD")
    assert (found.variants, found.same, len(found.unlocked)) == ((), 4, 2)
    assert found.unlocked[0].message.startswith("fingerprints are not compared: the lock at HEAD: ")
    assert found.unlocked[0].message.endswith("the lock not found: HEAD:images.lock.yaml")


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "HEAD:images.yaml", "there was no images.yaml at HEAD"),
        ("version: 1\nfamilies: [\n", "HEAD:images.yaml", "YAML"),
        (FIRST.replace("5.0.10", "5.0.44"), "HEAD:images.yaml", "has no version 5.0.44"),
        (FIRST + "    files: [{from: gone, to: /x}]\n", "HEAD:images.yaml", "the file not found"),
    ],
)
def test_a_matrix_that_was_not_right_is_told_where_it_was(
    text: str, place: str, message: str, library: Library, tmp_path: Path
) -> None:
    if text:
        (tmp_path / "images.yaml").write_text(text, "utf-8")
    commit(tmp_path)
    now = project(tmp_path, FIRST, library=library)
    (found,) = refused(lambda: since(now, "HEAD"))
    assert message in found.message
    assert place in found.text
    assert "bakestone-earlier" not in found.text


@pytest.mark.parametrize(("name", "code"), [("nowhere", 3), ("", 2), ("--output=x", 2)])
def test_what_is_no_commit_is_told(name: str, code: int, old: Path, library: Library) -> None:
    refused(lambda: since(changed(old, library), name), code=code)


def test_a_link_of_a_commit_leads_to_nothing_outside(library: Library, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n", "utf-8")
    folder = tmp_path / "team"
    folder.mkdir()
    (folder / "motd").symlink_to(tmp_path / "secret")
    (folder / "images.yaml").write_text(FIRST + "    files: [{from: motd, to: /x}]\n", "utf-8")
    commit(folder)
    (folder / "motd").unlink()
    now = project(folder, FIRST, library=library)
    (found,) = refused(lambda: since(now, "HEAD"))
    assert "is a link that leads out of" in found.message


def test_components_and_files_are_those_of_the_commit(tmp_path: Path) -> None:
    """Also where images.yaml is in a folder of the repository."""
    folder = tmp_path / "images"
    data = team.tool("own", "own", {"source": {"summary": "from source"}})
    versions = {"1": {"methods": {"source": {"artifacts": [team.artifact("own-1.tar.gz")]}}}}
    team.write(folder, data, versions, install_source_j2="RUN make\n")
    (folder / "motd").write_text("one\n", "utf-8")
    said = "    files: [{from: motd, to: /etc/motd}]\n"
    text = FIRST.replace("    methods:", "      own: [own@1]\n    methods:") + said
    locked(folder, text)
    commit(tmp_path)
    template = folder / "components" / "own" / "install.source.j2"
    template.write_text("RUN make all\n", "utf-8")
    (one,) = since(locked(folder, text), "HEAD").variants
    assert one.what == ("text of own",)
    commit(tmp_path)
    (folder / "motd").unlink()
    template.unlink()
    (one,) = since(locked(folder), "HEAD").variants
    assert (one.kind, one.before) == ("changed", "")
    assert one.what == ("own own 1 by source is gone", "file /etc/motd is gone")


def test_python_packages_are_told_by_their_names(library: Library, tmp_path: Path) -> None:
    """Without a lock, whose sample has no wheels; a file of requirements is that of the commit."""
    head = MANY.partition("families:")[0]
    axes = "families:\n  - name: serving\n    axes: {distro: [debian@13]}\n"
    first = "    python: {packages: [flask>=3, click], requirements: requirements.txt}\n"
    then = "    python: {packages: [flask>=3.1], requirements: requirements.txt, owner: user}\n"
    (tmp_path / "requirements.txt").write_text("numpy\n", "utf-8")
    project(tmp_path, head + axes + first, library=library)
    commit(tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy>=2\n", "utf-8")
    (one,) = since(project(tmp_path, head + axes + then, library=library), "HEAD").variants
    assert one.what == (
        "Python package click is gone",
        "Python package flask flask>=3 -> flask>=3.1",
        "Python package numpy numpy -> numpy>=2",
        "environment /opt/environment of root -> /opt/environment of user",
    )


def test_the_command_prints_a_table_and_json(
    bakestone: Command, old: Path, library: Library
) -> None:
    changed(old, library, ("openmpi@4.1.8,", "openmpi@4.1.7,"))
    shown = bakestone("diff", "HEAD")
    assert shown.exit_code == 0
    line = next(one for one in shown.output.splitlines() if one.startswith("changed"))
    told = "openmpi 4.1.8 -> 4.1.7; was openmpi4.1.8-ubuntu22.04"
    assert line.split() == ["changed", "cpu", "openmpi4.1.7-ubuntu22.04", *told.split()]
    assert shown.output.endswith("images.yaml: 1 changed, 0 added, 0 removed, 3 as at HEAD\n")
    plain = json.loads(bakestone("diff", "HEAD", "--format", "json").output)
    assert (plain["since"], plain["same"], plain["findings"]) == ("HEAD", 3, [])
    (one,) = plain["variants"]
    assert one["what"] == ["openmpi 4.1.8 -> 4.1.7"]
    assert len(one["new_fingerprint"]) == 64
