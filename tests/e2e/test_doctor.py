"""`doctor` with a real engine: versions that have left the archive are found by the base's own
package manager, and only who is hit is named.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.e2e import components
from tests.e2e.workspace import Workspace

GIT = re.compile(r"(\n *git )(1:2\.39\.5-\S+)")
GONE = "1:2.39.5-0+deb12u0"
"""A version of git that Debian 12 never had."""


def doctor(
    workspace: Workspace, *arguments: str, code: int, env: dict[str, str] | None = None
) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        workspace.bakestone("doctor", "--format", "json", *arguments, code=code, env=env).out
    )
    return loaded


def test_a_version_that_left_the_archive_is_found_with_the_variants_it_hits(
    workspace: Workspace,
) -> None:
    workspace.images(components.mpi_family())
    workspace.lock_and_generate()
    whole = doctor(workspace, code=0)
    assert whole["problems"] == []
    assert whole["checks"]["package"] == {"asked": 1, "good": 1}
    assert "all is well: 2 variants" in workspace.bakestone("doctor").out

    text, count = GIT.subn(rf"\g<1>{GONE}", workspace.lock.read_text("utf-8"))
    assert count
    workspace.lock.write_text(text, "utf-8")
    workspace.bakestone("generate")
    told = doctor(workspace, code=1)
    (row,) = told["problems"]
    assert (row["state"], row["kind"], row["items"]) == ("broken", "package", [f"git={GONE}"])
    assert row["what"] == "docker.io/library/debian:12 (linux/amd64)"
    assert "bakestone lock --update" in row["hint"]
    (hit,) = [name for name in workspace.variants() if "debian12" in name]
    assert row["variants"] == told["would_not_build"] == [hit]


def test_without_an_engine_the_pins_are_looked_at_all_the_same(workspace: Workspace) -> None:
    workspace.images(components.mpi_family())
    workspace.lock_and_generate()
    told = doctor(workspace, code=3, env={"DOCKER_HOST": f"unix://{workspace.folder}/nothing.sock"})
    assert [(row["state"], row["kind"]) for row in told["problems"]] == [
        ("environment", "engine"),
        ("not checked", "package"),
    ]
    assert told["checks"]["base"] == {"asked": 2, "good": 2}
    assert told["checks"]["wheel"]["good"] == told["checks"]["wheel"]["asked"] > 0
    assert told["would_not_build"] == []


def test_a_builder_that_is_not_there_is_told(workspace: Workspace) -> None:
    workspace.images(components.mpi_family())
    workspace.lock_and_generate()
    workspace.site(builder="nobody-made-this")
    told = doctor(workspace, "--skip", "package", code=3)
    (row,) = told["problems"]
    assert (row["state"], row["kind"], row["what"]) == (
        "environment",
        "engine",
        "builder nobody-made-this",
    )
