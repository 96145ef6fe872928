"""A build in a network namespace that has nothing but loopback, from an archive: it succeeds, and a
flipped bit ends it.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from bakestone.jobs.archive.catalog import FILE, PACKAGE, PART, WHEEL, ArchivedBlob
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.project import Project
from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.isolated_network import IsolatedNetwork
from tests.e2e.workspace import Workspace

NAME = "openmpi5.0.10-greeting1.0-debian12"
HINT = "hint: what was fetched does not have the checksum in the lock"


@pytest.fixture(scope="module")
def archived(engine: Engine, prefix: str, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A locked project with a wheel, distro packages and a vendor's file, and its archive in the
    folder `archive`.
    """
    workspace = Workspace(tmp_path_factory.mktemp("airgap"), engine, f"{prefix}/airgap/base")
    content = components.greeting_archive("1.0", secrets.token_hex(8))
    components.write_greeting(workspace.components, {"1.0": components.from_source(content, "1.0")})
    axes = {
        "distro": ["debian@12"],
        "mpi": ["openmpi@5.0.10"],
        "git": ["2.39.5"],
        "greeting": ["1.0"],
    }
    family = {
        "name": "isolated",
        "axes": axes,
        "methods": {"openmpi": "wheel"},
        "name_slots": ["mpi", "greeting", "distro"],
    }
    workspace.images(family)
    with FileServer("127.0.0.1") as vendor:
        vendor.files["/greeting-1.0.tar.gz"] = content
        workspace.site(urls={components.VENDOR: vendor.url})
        workspace.lock_and_generate()
        workspace.bakestone("archive", "create", "archive")
        asked = len(vendor.asked)
        before = (workspace.folder / "archive" / "index.json").read_bytes()
        workspace.bakestone("archive", "create", "archive")
        assert len(vendor.asked) == asked, "what is there and right is not fetched again"
        assert (workspace.folder / "archive" / "index.json").read_bytes() == before
    return workspace


@pytest.fixture(scope="module")
def isolated(archived: Workspace) -> Iterator[tuple[IsolatedNetwork, Workspace]]:
    """The project again, inside: with an engine that has never built anything, and the archive
    served there.
    """
    with IsolatedNetwork(archived.folder.with_name("isolated")) as here:
        engine = here.engine()
        assert {name for name in here.links() if not name.startswith(("bkst", "veth"))} == {"lo"}
        assert "default" not in here.run("ip", "route"), "there is no way out"
        inside = Workspace(archived.folder, engine, f"{engine.registry}/base")
        inside.inside = here.enter
        (inside.folder / "site.yaml").write_text(
            yaml.safe_dump({"version": 1, "registry": inside.registry}), "utf-8"
        )
        with inside.serving("archive", "--bind", "docker"):
            yield here, inside


def flipped(workspace: Workspace, chosen: Callable[[ArchivedBlob], bool]) -> Path:
    """Turn over one bit of a blob of the archive. Gives its path."""
    layout = ArchiveLayout(workspace.folder / "archive")
    entry = max((e for e in layout.catalog().entries if chosen(e)), key=lambda e: e.size)
    path = layout.path(entry.digest)
    path.write_bytes(components.altered(path.read_bytes()))
    return path


def forget(inside: Workspace) -> None:
    """Have the engine forget all builds. What it still lets go of the one before would be lost, and
    named for ever after: "failed to commit ...: snapshot ... does not exist".
    """
    time.sleep(10)
    inside.engine.docker("builder", "prune", "--all", "--force")


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(
            lambda e: e.kind == PART and "layer" in e.media_type, id="a layer of the base image"
        ),
        pytest.param(lambda e: e.kind == FILE, id="a file"),
        pytest.param(lambda e: e.kind == PACKAGE and "/openssh-client" in e.name, id="a package"),
        pytest.param(lambda e: e.kind == WHEEL, id="a wheel"),
    ],
)
def test_one_flipped_bit_fails_on_the_digest_and_nothing_is_pushed(
    isolated: tuple[IsolatedNetwork, Workspace], chosen: Callable[[ArchivedBlob], bool]
) -> None:
    here, inside = isolated
    path = flipped(inside, chosen)
    try:
        found = inside.bakestone("archive", "verify", "archive", code=1)
        assert f"{path}" in found.err.replace("archive/blobs", f"{inside.folder}/archive/blobs")
        assert f"is altered; without it {NAME} cannot be built" in found.err
        forget(inside)
        result = inside.bakestone("build", "--push", "--site", "archive-site/site.yaml", code=1)
        assert HINT in result.err
        assert "no floating tag was moved" in result.out
        assert here.tags(f"{inside.registry}/isolated") == "404"
    finally:
        path.write_bytes(components.altered(path.read_bytes()))
    assert "all of it is right" in inside.bakestone("archive", "verify", "archive").out


def test_the_whole_archive_builds_without_a_network_to_the_same_fingerprint(
    isolated: tuple[IsolatedNetwork, Workspace],
) -> None:
    here, inside = isolated
    forget(inside)
    inside.bakestone("generate", "--check", "--site", "archive-site/site.yaml")
    inside.bakestone("build", "--push", "--site", "archive-site/site.yaml")
    project = Project(inside.matrix, inside.lock, inside.folder / "dockerfiles")
    fingerprints = {f"fp-{project.fingerprint(v)}" for v in project.matrix.variants}
    listed = json.loads(here.tags(f"{inside.registry}/isolated"))["tags"]
    tags = {tag for tag in listed if not tag.startswith("sha256-")}  # what refers to an image
    assert {t for t in tags if t == NAME} == {NAME}
    assert all(any(full.startswith(tag) for full in fingerprints) for tag in tags - {NAME})
    assert len(tags) == 2
    (image,) = inside.release()["images"]
    assert image["inventory"]["components"]["greeting"]["measured"]["version"] == "1.0"
