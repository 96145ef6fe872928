"""A file behind a pin that was altered on its mirror ends the build; nothing is published."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer, at_gateway
from tests.e2e.workspace import Workspace

HINT = "hint: what was fetched does not have the checksum in the lock"
NAME = "greeting1.0-debian12"


def test_altered_archive_fails_on_its_checksum_and_the_right_one_builds(
    workspace: Workspace, vendor: FileServer, engine: Engine
) -> None:
    content = components.greeting_archive(
        "1.0", secrets.token_hex(8)
    )  # new bytes each time: nothing is cached
    components.write_greeting(workspace.components, {"1.0": components.from_source(content, "1.0")})
    workspace.site(urls={components.VENDOR: vendor.url})
    workspace.images(components.greeting_family("1.0"))
    workspace.lock_and_generate()
    vendor.asked.clear()  # the lock asks for sizes
    vendor.files["/greeting-1.0.tar.gz"] = components.altered(content)
    _nothing_is_published(workspace, "the stage greeting.pins failed")
    assert "/greeting-1.0.tar.gz" in vendor.asked

    vendor.files["/greeting-1.0.tar.gz"] = content
    _is_published(workspace, engine)
    assert vendor.url not in "".join(workspace.generated().values()), (
        "a mirror changes no Dockerfile"
    )


@pytest.fixture
def index(engine: Engine) -> Iterator[FileServer]:
    """Stands in for a package index."""
    with at_gateway(engine) as server:
        yield server


def test_altered_wheel_fails_on_its_hash_and_the_right_one_builds(
    workspace: Workspace, index: FileServer, engine: Engine
) -> None:
    filename, content = components.greeting_wheel(
        "1.0", secrets.token_hex(8)
    )  # new bytes each time: the builder keeps none of this hash
    components.write_greeting(
        workspace.components, {"1.0": components.from_wheel(filename, content, "1.0")}
    )
    host = index.url.split("/")[2].partition(":")[0]
    (workspace.folder / "pip.conf").write_text(
        f"[global]\nindex-url = {index.url}simple/\ntrusted-host = {host}\n", "utf-8"
    )
    workspace.site(pip="pip.conf")
    workspace.images(components.greeting_family("1.0"))
    workspace.lock_and_generate()
    index.files["/simple/bakestone-greeting/"] = f'<a href="/{filename}">{filename}</a>'.encode()
    index.files[f"/{filename}"] = components.altered(content)
    _nothing_is_published(workspace, "the stage greeting failed")
    assert f"/{filename}" in index.asked

    index.files[f"/{filename}"] = content
    _is_published(workspace, engine)
    history = engine.docker(
        "image", "history", "--no-trunc", f"{workspace.registry}/greeting:{NAME}"
    )
    assert host not in history, "a build secret leaves no trace in the image"


def _nothing_is_published(workspace: Workspace, where: str) -> None:
    said = workspace.bakestone("build", "--push", code=1)
    assert where in said.err
    assert HINT in said.err
    assert "1 failed; no floating tag was moved" in said.out
    assert workspace.repository("greeting").tags == set()
    assert not (workspace.folder / "release.json").exists()


def _is_published(workspace: Workspace, engine: Engine) -> None:
    workspace.bakestone("build", "--push")
    assert set(workspace.repository("greeting").floating) == {NAME}
    assert engine.run(f"{workspace.registry}/greeting:{NAME}", "greet") == "1.0\n"
