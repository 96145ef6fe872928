"""The generated files are enough: buildx alone builds the same image, without Bakestone."""

from __future__ import annotations

from . import plain
from .engine import Engine
from .workspace import Workspace

NAME = "openmpi5.0.10-debian12"


def test_bake_file_builds_the_published_image_without_bakestone(published: Workspace, engine: Engine) -> None:
    target = published.variants()[NAME]["target"]
    changes = ["--set", f"*.tags={published.registry}/plain:{NAME}"]
    command = ["buildx", "bake", "-f", "dockerfiles/docker-bake.json", "--push", *plain.bake_secrets(), *changes, target]
    engine.docker(*command, cwd=published.folder, env=plain.source_policy(published))
    assert published.repository("plain").digest(NAME) == published.repository("mpi").digest(NAME)


def test_dockerfile_builds_without_a_context(published: Workspace, engine: Engine) -> None:
    tag = f"{published.registry}/alone:{NAME}"
    text = published.generated()[f"mpi/{NAME}/Dockerfile"]
    command = ["buildx", "build", *plain.build_secrets(), "--load", "--tag", tag, "-"]
    engine.docker(*command, env=plain.source_policy(published), stdin=text)
    assert "mpirun (Open MPI) 5.0.10" in engine.run(tag, "mpirun --version", pull="never")
