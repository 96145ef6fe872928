"""The inventory gate: an image that is not what its name says cannot be published, by anyone."""

from __future__ import annotations

import json

from tests.e2e import components, plain_docker
from tests.e2e.workspace import Workspace

GOOD, LIE = "openmpi5.0.10-debian12-git2.39.5", "openmpi5.0.10-debian12-git9.9.9"


def test_broken_inventory_publishes_nothing_of_its_variant_and_moves_no_tag(
    workspace: Workspace,
) -> None:
    versions = components.copy_component("git", workspace.components)
    versions["versions"]["9.9.9"] = {
        "methods": {"apt": {"package": "git", "versions": {"debian@12": "9.9.9"}}}
    }
    components.write_versions("git", workspace.components, versions)
    axes = {"distro": ["debian@12"], "mpi": ["openmpi@5.0.10"], "git": ["2.39.5", "9.9.9"]}
    workspace.images(components.mpi_family(axes=axes))
    workspace.lock_and_generate()
    repository = workspace.repository("mpi")
    workspace.bakestone("build", GOOD, "--push")
    published, first = repository.floating, repository.fingerprints
    assert set(published) == {GOOD}

    # both variants change, one of them is broken
    workspace.images(components.mpi_family(axes=axes, user="worker"))
    workspace.lock_and_generate()
    said = workspace.bakestone("build", "--push", code=1)
    assert "git: git version: expected 9.9.9, measured 2.39.5" in said.err
    assert LIE in said.err
    assert "1 built, 0 already there, 1 failed; no floating tag was moved" in said.out
    assert repository.floating == published
    new = repository.fingerprints - first
    assert len(new) == 1, (
        "the good variant was built all the same, the other one has no tag of any kind"
    )
    assert _variant(workspace, new.pop()) == GOOD
    assert workspace.release()["images"][0]["digest"] == published[GOOD], (
        "release.json is that of the first build"
    )

    # what is right can still be published by itself
    assert (
        "0 built, 1 already there, 1 floating tags moved"
        in workspace.bakestone("build", GOOD, "--push").out
    )
    assert set(repository.floating) == {GOOD}
    assert repository.floating != published

    _plain_docker_is_refused_too(workspace)


def _variant(workspace: Workspace, tag: str) -> str:
    repository = workspace.repository("mpi")
    config = json.loads(repository.blob(repository.manifest(tag)["config"]["digest"]))
    name: str = config["config"]["Labels"]["io.bakestone.variant"]
    return name


def _plain_docker_is_refused_too(workspace: Workspace) -> None:
    """The same Dockerfile through `docker build`: no image comes out."""
    folder = workspace.folder / "dockerfiles" / "mpi"
    tag = f"{workspace.registry}/mpi:{LIE}"
    command = [
        "buildx",
        "build",
        *plain_docker.build_secrets(),
        "--target",
        LIE,
        "--tag",
        tag,
        "--load",
        str(folder),
    ]
    said = workspace.engine.docker(*command, code=None, env=plain_docker.source_policy(workspace))
    assert "expected 9.9.9, measured 2.39.5" in said
    workspace.engine.docker("image", "inspect", tag, code=1)
