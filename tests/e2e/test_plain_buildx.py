"""The generated files are enough: buildx alone builds the same image, without Bakestone."""

from __future__ import annotations

import pytest

from tests.e2e import plain_docker
from tests.e2e.engine import Engine
from tests.e2e.workspace import Workspace

NAME = "openmpi5.0.10-debian12"
OUTPUT = (
    "type=image,push=true,store=false,oci-mediatypes=true,compression=gzip,force-compression=true"
)
"""The committed output, pushed, and not kept by the engine."""


def test_bake_file_builds_the_published_image_without_bakestone(
    published: Workspace, engine: Engine
) -> None:
    target = published.variants()[NAME]["target"]
    changes = ["--set", f"*.tags={published.registry}/plain:{NAME}", "--set", f"*.output={OUTPUT}"]
    command = [
        "buildx",
        "bake",
        "-f",
        "dockerfiles/docker-bake.json",
        *plain_docker.bake_secrets(),
        *changes,
        target,
    ]
    engine.docker(*command, cwd=published.folder, env=plain_docker.source_policy(published))
    (image,) = (i for i in published.release()["images"] if i["name"] == NAME)
    assert published.repository("plain").digest(NAME) == image["platforms"]["linux/amd64"]


@pytest.mark.parametrize("alone", [False, True], ids=["the family's file", "its stages alone"])
def test_dockerfile_builds_without_a_context(
    published: Workspace, engine: Engine, alone: bool
) -> None:
    tag = f"{published.registry}/{'alone' if alone else 'family'}:{NAME}"
    text = published.generated()["mpi/Dockerfile"]
    which = ["--target", NAME]
    if alone:
        text, which = published.bakestone("dockerfile", NAME).out, []
    secrets = plain_docker.build_secrets()
    command = ["buildx", "build", *secrets, *which, "--load", "--tag", tag, "-"]
    engine.docker(*command, env=plain_docker.source_policy(published), stdin=text)
    assert "mpirun (Open MPI) 5.0.10" in engine.run(tag, "mpirun --version", pull="never")
