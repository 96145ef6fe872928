"""What a team adds is in the image as it was written, measured, and the same each time."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.e2e import certificate_authority
from tests.e2e.engine import Engine
from tests.e2e.workspace import MakeWorkspace, Workspace

ODD = r"""a "b" $HOME \ 'c' `id` ü"""
LOGO = bytes(range(256))
FAMILY: dict[str, Any] = {
    "name": "own",
    "axes": {"distro": ["debian@12"]},
    "user": {"name": "worker", "uid": 1234, "gid": 0, "home": "/work"},
    "env": {"ODD": ODD, "LANG": "C"},
    "labels": {"com.example.team": 'platform "x" $y'},
    "annotations": {"com.example.cost": 'a=b ${x} "$y"'},
    "packages": ["tree=2.1.0-1"],
    "ca": ["own/ca.pem"],
    "entrypoint": ["/usr/local/bin/start", "--odd", "$HOME"],
    "cmd": ["serve"],
    "workdir": "/srv/app/data",
    "expose": ["8080"],
    "shell": ["/bin/bash", "-c"],
    "files": [
        {"from": "own/start", "to": "/usr/local/bin/start", "mode": "0755"},
        {"from": "own/server.pem", "to": "/srv/server.pem"},
        {"from": "own/logo", "to": "/work/.config/deep/logo", "owner": "user", "mode": "0640"},
    ],
    "run": [
        {
            "name": "note",
            "because": "reports want it",
            "script": 'tree --version > /etc/note\nprintf %s "$ODD" >> /etc/note\n',
        }
    ],
}
START = '#!/bin/sh\nprintf "%s|" "$@"\n'


@pytest.fixture(scope="module")
def team(make: MakeWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A family with content of its own, pushed."""
    workspace = make("content")
    own = workspace.folder / "own"
    own.mkdir()
    (own / "start").write_text(START, "utf-8")
    (own / "logo").write_bytes(LOGO)
    authority = certificate_authority.make(tmp_path_factory.mktemp("authority"), "127.0.0.1")
    (own / "ca.pem").write_bytes(b"# ours\n" + authority.certificate.read_bytes())
    (own / "server.pem").write_bytes(authority.server.read_bytes())
    workspace.images(FAMILY)
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    return workspace


@pytest.fixture(scope="module")
def image(team: Workspace) -> str:
    return f"{team.registry}/own:debian12"


def test_files_steps_and_variables_are_as_they_were_written(image: str, engine: Engine) -> None:
    asked = (
        'printf %s "$ODD" && echo "|$LANG|$PWD|$HOME|$(id -u):$(id -g)" && cat /etc/note'
        " && stat -c '%a %u %g %n' /usr/local/bin/start /work/.config /work/.config/deep/logo . ~"
        " && base64 -w0 /work/.config/deep/logo"
    )
    found = engine.run(image, asked, "--entrypoint", "").splitlines()
    assert found[0] == f"{ODD}|C|/srv/app/data|/work|1234:0"
    assert found[1].startswith("tree v")
    assert found[2].startswith(ODD)
    said = "\n".join(found[2:]).removeprefix(ODD).split("\n")
    assert said[:5] == [
        "755 0 0 /usr/local/bin/start",
        "755 1234 0 /work/.config",
        "640 1234 0 /work/.config/deep/logo",
        "775 1234 0 .",
        "775 1234 0 /work",
    ]

    assert base64.b64decode(said[5]) == LOGO


def test_a_container_begins_as_it_was_said(image: str, engine: Engine) -> None:
    assert engine.docker("run", "--rm", image) == "--odd|$HOME|serve|"
    config = json.loads(engine.docker("image", "inspect", image))[0]["Config"]
    assert config["Shell"] == ["/bin/bash", "-c"]
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    assert config["Labels"]["com.example.team"] == 'platform "x" $y'


def test_nothing_that_was_added_is_younger_than_the_base(image: str, engine: Engine) -> None:
    """Else two builds would differ."""
    asked = (
        "stat -c %Y /etc/note /usr/local/bin/start /work/.config /srv/app /etc/passwd"
        " /usr/local/share/ca-certificates/* /etc/ssl/certs /etc/ssl/certs/ca-certificates.crt"
        " $(find /etc/ssl/certs -lname '/usr/local/*')"
    )
    times = set(engine.run(image, asked, "--entrypoint", "").split())
    assert len(times) == 1


def test_an_authority_of_the_team_s_is_trusted(image: str, engine: Engine) -> None:
    found = engine.run(image, "openssl verify /srv/server.pem", "--entrypoint", "")
    assert found.strip() == "/srv/server.pem: OK"


def test_annotations_are_in_the_manifest_and_in_the_index(team: Workspace) -> None:
    own = FAMILY["annotations"]
    assert team.repository("own").manifest("debian12")["annotations"].items() >= own.items()
    index = team.repository("own").get("manifests/debian12").json()
    assert index["annotations"].items() >= own.items()


def test_a_build_again_has_the_same_manifest(team: Workspace) -> None:
    """With the annotations, and with a trust store that was made anew."""
    team.bakestone("reproduce", "--against", "registry")


def test_the_version_that_is_asked_for_is_installed(image: str, engine: Engine) -> None:
    asked = "dpkg-query -W -f '${Version}' tree"
    assert engine.run(image, asked, "--entrypoint", "").strip() == "2.1.0-1"


def test_a_version_that_is_not_there_is_told_with_those_that_are(team: Workspace) -> None:
    team.images(FAMILY | {"packages": ["tree=0-1"]})
    told = " ".join(team.bakestone("lock", code=1).text.split())
    assert "there is no package tree=0-1" in told
    assert "of tree there is 2.1.0-1" in told


def test_a_failed_step_is_told_by_its_name(team: Workspace) -> None:
    step = {"name": "broken", "because": "to see it fail", "script": "echo why >&2\nexit 7\n"}
    team.images(FAMILY | {"run": [step]})
    team.bakestone("lock")
    team.bakestone("generate")
    told = team.bakestone("build", code=1)
    assert "| why" in told.text
    assert "exit code: 7" in told.text or "exit code 7" in told.text


def test_a_step_without_network_has_none(team: Workspace) -> None:
    links = {"name": "links", "because": "to see", "script": 'test "$(ls /sys/class/net)" = lo\n'}
    team.images(FAMILY | {"run": [links]})
    team.bakestone("generate")
    team.bakestone("build")
