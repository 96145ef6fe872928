"""A build that may fetch only what the lock holds: what reaches elsewhere fails, and is named."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.workspace import Workspace

GOOD, BAD = "greeting1.0-debian12", "stray1.0-debian12"
ELSEWHERE = "https://elsewhere.vendor.test/extra"
STRAYS = {
    "a file": (f"ADD {ELSEWHERE} /extra\n", ELSEWHERE),
    "an image": (
        "COPY --from=docker.io/library/debian:13 /etc/debian_version /extra\n",
        "docker.io/library/debian:13",
    ),
    "the base by its tag": (
        "COPY --from=docker.io/library/debian:12 /etc/debian_version /extra\n",
        "docker.io/library/debian:12",
    ),
    "a repository": (
        "ADD https://elsewhere.vendor.test/team/tool.git#v1 /extra\n",
        "elsewhere.vendor.test/team/tool.git#v1",
    ),
}
"""What a template does, and the source that is named."""


@pytest.fixture
def project(workspace: Workspace, vendor: FileServer) -> Workspace:
    """The greeting family, of a new file behind the vendor's URL, and a second component that is
    made like it.
    """
    content = components.greeting_archive("1.0", secrets.token_hex(8))
    vendor.files["/greeting-1.0.tar.gz"] = content
    components.write_greeting(workspace.components, {"1.0": components.from_source(content, "1.0")})
    workspace.site(urls={components.VENDOR: vendor.url})
    workspace.images(components.greeting_family("1.0"))
    workspace.lock_and_generate()
    return workspace


def _stray(workspace: Workspace, instruction: str) -> None:
    """A second component, whose template fetches something that its data does not name."""
    folder = workspace.components / "stray"
    folder.mkdir()
    for path in (workspace.components / "greeting").iterdir():
        text = (
            path.read_text("utf-8")
            .replace("component: greeting", "component: stray")
            .replace("slot: greeting", "slot: stray")
        )
        (folder / path.name).write_text(text.replace("/opt/greeting", "/opt/stray"), "utf-8")
    template: Path = folder / "install.source.j2"
    template.write_text(instruction + template.read_text("utf-8"), "utf-8")
    family = {
        "name": "stray",
        "axes": {"distro": ["debian@12"], "stray": ["1.0"]},
        "name_slots": ["stray", "distro"],
    }
    workspace.images(components.greeting_family("1.0"), family)
    workspace.lock.unlink()
    workspace.lock_and_generate()


def test_what_the_lock_holds_is_built(project: Workspace, vendor: FileServer) -> None:
    said = project.bakestone("build", "--push", "--only-locked")
    assert "1 built" in said.out
    assert "/greeting-1.0.tar.gz" in vendor.asked


@pytest.mark.parametrize(("instruction", "source"), STRAYS.values(), ids=list(STRAYS))
def test_a_template_that_reaches_elsewhere_is_named_with_its_source_and_the_others_are_built(
    project: Workspace, instruction: str, source: str
) -> None:
    _stray(project, instruction)
    said = project.bakestone("build", "--push", "--only-locked", code=1)
    assert f"{BAD} (dockerfiles/stray/Dockerfile): the source " in said.err
    assert f"{source} is not in the lock" in said.err
    assert "`only_locked`" in said.err
    assert said.err.count("hint: ") == 1
    assert project.repository("greeting").fingerprints
    assert project.repository("stray").tags == set()
    assert not (project.folder / "release.json").exists()


def test_the_site_file_can_ask_for_it_and_without_it_the_same_template_is_built(
    project: Workspace, vendor: FileServer, engine: Engine
) -> None:
    _stray(project, f"ADD {ELSEWHERE} /extra\n")
    vendor.files["/extra"] = b"fetched without a pin"
    urls = {components.VENDOR: vendor.url, "https://elsewhere.vendor.test/": vendor.url}
    project.site(urls=urls, only_locked=True)
    said = project.bakestone("build", BAD, code=1)
    assert f"the source {ELSEWHERE} is not in the lock" in said.err
    assert "/extra" not in vendor.asked
    project.site(urls=urls)
    project.bakestone("build", BAD)
    assert "/extra" in vendor.asked
