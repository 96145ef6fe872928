"""The user of images: by name, with ids, and nothing that the base image has already."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.matrix.spec import User
from bakestone.jobs.explain import explain
from tests.support.samples import FIRST, Marked, locked, project, refused

NAME = "openmpi5.0.10-ubuntu22.04"


def text(user: str, distro: str = "ubuntu@22.04") -> str:
    return FIRST.replace("ubuntu@22.04", distro) + f"    user: {user}\n"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("worker", ("worker", 10001, 10001)),
        ("{name: worker, uid: 1234}", ("worker", 1234, 1234)),
        ("{uid: 2000}", ("dockeruser", 2000, 2000)),
        ("{name: worker, uid: 1234, gid: 0}", ("worker", 1234, 0)),
        ("{name: worker, gid: 100}", ("worker", 10001, 100)),
    ],
)
def test_a_user_has_a_name_an_id_and_a_group(
    said: str, wanted: tuple[str, int, int], library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, text(said), library=library)
    (variant,) = made.matrix.variants
    name, uid, gid = wanted
    user = variant.family.user
    assert (user.name, user.uid, user.gid) == wanted
    dockerfile = made.dockerfile(NAME)
    assert f"\nsh /tools/user.sh {name} {uid} {gid}\n" in dockerfile
    assert dockerfile.count(f"\nWORKDIR /home/{name}\nUSER {uid}\n") == 1
    assert f"\nUSER {uid}\nRUN " in dockerfile  # the gate measures as that one
    assert f" sh /tools/inventory.sh {NAME} {name}:{uid}:{gid} " in dockerfile
    (line,) = (line for line in explain(made, NAME)[1] if line.topic == "user")
    assert line.pin == f"{name}, uid {uid}, gid {gid}"


def test_a_family_that_says_nothing_has_the_user_of_ever(library: Library, tmp_path: Path) -> None:
    (variant,) = project(tmp_path, FIRST, library=library).matrix.variants
    assert variant.family.user == User("dockeruser", 10001, 10001, None)


@pytest.mark.parametrize(
    ("said", "distro", "message"),
    [
        ("«www-data»", "debian@12", "has a user www-data already"),
        ("«{name: ubuntu, uid: 1234}»", "ubuntu@24.04", "has a user ubuntu already"),
        ("«{uid: 1000}»", "ubuntu@24.04", "has a user of the id 1000 already: ubuntu"),
        ("«{uid: 65534}»", "debian@12", "has a user of the id 65534 already: nobody"),
        ("«sudo»", "debian@12", "has a group sudo already"),
        ("«_ssh»", "ubuntu@22.04", "has a group _ssh already"),
        ("«wheel»", "rocky@9", "has a group wheel already"),
        ("«dbus»", "almalinux@9", "has a group dbus already"),
        ("«tss»", "ubi@9", "has a group tss already"),
    ],
)
def test_what_the_base_has_is_refused_where_it_is_said(
    said: str, distro: str, message: str, library: Library, tmp_path: Path
) -> None:
    marked = Marked.of(text(said, distro).replace("openmpi@5.0.10", "none"))
    found = refused(lambda: project(tmp_path, marked.text, library=library).matrix)[0]
    assert found.message.startswith(f"{distro} {message}")
    assert found.hint.startswith("choose another")
    assert (found.line, found.column) == (marked.line, marked.column)


def test_the_same_is_free_where_the_base_has_it_not(library: Library, tmp_path: Path) -> None:
    assert project(tmp_path, text("{uid: 1000}"), library=library).matrix.variants
    other = text("{name: sudo, uid: 1000}", "rocky@9").replace("openmpi@5.0.10", "none")
    assert project(tmp_path / "other", other, library=library).matrix.variants


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("{uid: «0»}", "uid", "from 1000 on"),
        ("{uid: «999»}", "uid", "from 1000 on"),
        ("{uid: «2147483648»}", "uid", "from 1000 on"),
        ("{gid: «-1»}", "gid", "from 0"),
        ('{uid: «"1234"»}', "uid must be a whole number", ""),
        ("{uid: «true»}", "uid must be a whole number", ""),
        ("{name: «root»}", "name cannot be", "other than root"),
        ("{name: «'a b'»}", "name cannot be", "lower case"),
        ("{«id»: 1234}", "unknown key 'id' in user", "uid"),
        ("«root»", "user cannot be", "other than root"),
    ],
)
def test_ids_and_names_out_of_range_are_refused(
    said: str, message: str, hint: str, tmp_path: Path
) -> None:
    marked = Marked.of(text(said))
    (found,) = refused(lambda: project(tmp_path, marked.text).matrix)
    assert message in found.message
    assert hint in found.hint
    assert (found.line, found.column) == (marked.line, marked.column)


TOOL = Path(__file__).parents[5] / "generator/bakestone/core/render/tools/user.sh"


@pytest.mark.parametrize(
    ("gid", "known", "calls"),
    [("1234", False, ["groupadd --gid 1234 worker", "useradd"]), ("0", True, ["useradd"])],
)
def test_the_group_is_made_where_the_base_has_none_of_that_id(
    gid: str, known: bool, calls: list[str], tmp_path: Path
) -> None:
    """The programs are named only: nobody makes users on this machine."""
    log = tmp_path / "log"
    for name in ("groupadd", "useradd", "chgrp", "chmod", "getent"):
        program = tmp_path / name
        end = f"exit {0 if known else 2}" if name == "getent" else "exit 0"
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>{log}\n{end}\n')
        program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", str(TOOL), "worker", "1234", gid], check=True, env={"PATH": path}, timeout=60
    )
    done = [line for line in log.read_text().splitlines() if line.startswith(("group", "user"))]
    assert [line if line.startswith("group") else line.split()[0] for line in done] == calls
    assert done[-1].endswith(f"--uid 1234 --gid {gid} worker")
