"""A base image of a team's own has what nobody can know before it is built on: what is in the way
is said by name.
"""

from __future__ import annotations

import pytest

from tests.e2e.engine import Engine
from tests.e2e.workspace import Workspace


@pytest.mark.parametrize(
    ("script", "there"),
    [
        ("useradd --uid 4000 builder", "builder:x:4000:"),
        ("useradd --uid 10001 somebody", "somebody:x:10001:"),
    ],
    ids=["its name", "its number"],
)
def test_a_user_that_the_base_has_is_named(
    script: str, there: str, workspace: Workspace, engine: Engine
) -> None:
    base = engine.derived(f"{workspace.registry}/golden", script)
    own = {"image": base, "like": "debian@12", "version": "1"}
    workspace.images({"name": "own", "user": "builder", "axes": {"distro": [own]}})
    workspace.lock_and_generate()
    said = " ".join(workspace.bakestone("build", code=1).err.split())
    assert f"bakestone: user: the base image has {there}" in said
    assert "say another `user`" in said
