"""A distro with dnf: exact versions in the lock, installed as they are, whatever its repository has
by then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import plain_docker, rpmdistro
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer, at_gateway
from tests.e2e.workspace import Workspace

PACKAGES = ["fuse", "greet"]
FIRST = {
    "fuse.x86_64": "0:2.9.9-17.el9",
    "greet.x86_64": "2:1.0-1.el9",
    "libGreet_c++.noarch": "0:1.0^git5-3.el9_2.1",
}
"""What they bring: a dependency, an epoch, letters that Debian's versions have not; and nothing
that is only recommended.
"""
LISTED = "rpm -qa --qf '%{NAME}.%{ARCH} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n'"
PLACES = "/etc /home /opt /root /run /tmp /usr/bin /usr/local /usr/share/stand-ins /var"
CONTENTS = (
    f"find {PLACES} -xdev -type f ! -path '/var/lib/rpm/*' ! -path /etc/hosts ! -path /etc/hostname"
    " -exec sha256sum {} + | sort"
)
"""Every file where the installation or its traces could be, but for rpm's database, which has the
time of installation in it.
"""


@pytest.fixture(scope="module")
def server(engine: Engine) -> Iterator[FileServer]:
    """Stands in for the distro's mirror."""
    with at_gateway(engine) as server:
        yield server


@pytest.fixture(scope="module")
def rocky(
    engine: Engine, server: FileServer, prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Path]:
    """A workspace whose rocky@9 is the stand-in, locked, generated, built and pushed; and the
    states of its repository.
    """
    repositories = tmp_path_factory.mktemp("repositories")
    workspace = Workspace(tmp_path_factory.mktemp("rpm"), engine, f"{prefix}/rpm/base")
    base = f"{workspace.registry}/stand-in:9"
    rpmdistro.make(engine, base, repositories)
    rpmdistro.publish(server, repositories / "1")
    rpmdistro.as_rocky(workspace, base, PACKAGES[:1])
    workspace.site(urls={rpmdistro.SERVER: server.url})
    workspace.images(_family(PACKAGES))
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    return workspace, repositories


def test_the_locked_packages_are_installed_and_no_others(
    rocky: tuple[Workspace, Path], engine: Engine
) -> None:
    workspace, _ = rocky
    assert _locked(workspace) == FIRST
    assert _installed(engine, _image(workspace)) == FIRST
    (image,) = workspace.release()["images"]
    distro = image["inventory"]["components"]["distro"]
    assert (distro["component"], distro["measured"]["version"], distro["measured"]["release"]) == (
        "rocky",
        "9",
        "9.8",
    )
    assert image["inventory"]["fuse"] == "2.9.9"


def test_nothing_of_the_package_manager_s_work_is_left(
    rocky: tuple[Workspace, Path], engine: Engine
) -> None:
    workspace, _ = rocky
    script = "ls -A /tmp /var/cache/dnf /var/lib/dnf; ls /var/log; cat /etc/yum.repos.d/rocky.repo"
    said = engine.run(_image(workspace), script, "--user", "0")
    assert not [
        word for word in ("dnf.log", "history.sqlite", "solv", "repositories\n") if word in said
    ], said
    assert rpmdistro.SERVER in said  # and the site's mirror is nowhere
    assert engine.gateway not in said


def test_a_new_release_changes_nothing_until_the_lock_is_updated(
    rocky: tuple[Workspace, Path], engine: Engine, server: FileServer
) -> None:
    workspace, repositories = rocky
    if (workspace.folder / "first.lock").exists():  # this is tried again: back to the first release
        workspace.lock.write_bytes((workspace.folder / "first.lock").read_bytes())
        rpmdistro.publish(server, repositories / "1")
        workspace.bakestone("generate")
        workspace.bakestone("build", "--push")
    (workspace.folder / "first.lock").write_bytes(workspace.lock.read_bytes())
    before = workspace.generated()
    rpmdistro.publish(server, repositories / "2")
    assert "nothing changed" in workspace.bakestone("lock").out
    workspace.bakestone("generate")
    assert workspace.generated() == before
    (row,) = json.loads(
        workspace.bakestone("outdated", "--only", "security", "--format", "json").out
    )["rows"]
    assert (row["what"], row["pinned"], row["newest"]) == (
        "greet.x86_64",
        "2:1.0-1.el9",
        "2:1.1-1.el9",
    )
    again = _built_anew(workspace, engine, server)
    assert _installed(engine, again, pull="never") == FIRST
    contents = engine.run(_image(workspace), CONTENTS, "--user", "0")
    assert len(contents.splitlines()) > 100
    assert engine.run(again, CONTENTS, "--user", "0", pull="never") == contents
    workspace.bakestone("lock", "--update")
    assert _locked(workspace) == FIRST | {"greet.x86_64": "2:1.1-1.el9"}
    workspace.bakestone("generate")
    workspace.bakestone("build", "--push")
    assert engine.run(_image(workspace), "greet").strip() == "1.1"


def test_a_package_that_is_not_there_is_named(rocky: tuple[Workspace, Path]) -> None:
    workspace, _ = rocky
    before = workspace.lock.read_bytes()
    workspace.images(_family([*PACKAGES, "greet-tols"]))
    said = workspace.bakestone("lock", code=1).err
    assert "there is no package greet-tols for" in said
    assert workspace.lock.read_bytes() == before


def _family(packages: list[str]) -> dict[str, Any]:
    return {"name": "rpm", "axes": {"distro": ["rocky@9"]}, "packages": packages[1:]}


def _image(workspace: Workspace) -> str:
    (image,) = workspace.release()["images"]
    return f"{image['repository']}:{image['tag']}"


def _locked(workspace: Workspace) -> dict[str, str]:
    (entry,) = yaml.safe_load(workspace.lock.read_text("utf-8"))["packages"].values()
    (packages,) = entry["platforms"]["linux/amd64"]
    return dict(line.split(" ") for line in packages["versions"].splitlines())


def _installed(engine: Engine, image: str, *, pull: str = "always") -> dict[str, str]:
    """Package -> version, as rpm tells the image's user: all but what the base had, and the key
    that they were checked with.
    """
    listed = dict(line.split() for line in engine.run(image, LISTED, pull=pull).splitlines())
    return {
        name: version
        for name, version in listed.items()
        if not name.startswith(("rocky-release.", "gpg-pubkey."))
    }


def _built_anew(workspace: Workspace, engine: Engine, server: FileServer) -> str:
    """The committed Dockerfile built by buildx alone, with nothing from the cache."""
    ((_path, text),) = (
        (p, t) for p, t in workspace.generated().items() if p.endswith("Dockerfile")
    )
    mirrors = workspace.folder / "mirrors"
    mirrors.write_text(f"{rpmdistro.SERVER} {server.url}\n", "utf-8")
    tag = f"{workspace.registry}/anew:1"
    secrets = [*plain_docker.build_secrets(), "--secret", f"id=mirrors,src={mirrors}"]
    engine.docker(
        "buildx",
        "build",
        "--no-cache",
        *secrets,
        "--load",
        "--tag",
        tag,
        "-",
        env=plain_docker.source_policy(workspace),
        stdin=text,
    )
    return tag
