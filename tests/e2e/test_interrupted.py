"""A build that is killed goes on where it stopped, and floating tags are never half moved."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable

from tests.e2e import components
from tests.e2e.fileserver import FileServer
from tests.e2e.workspace import Workspace

QUICK, SLOW = "greeting1.0-debian12", "greeting2.0-debian12"


def test_killed_build_goes_on_and_floating_tags_wait_for_all(
    workspace: Workspace, vendor: FileServer
) -> None:
    repository = workspace.repository("greeting")
    _edit(workspace, vendor, user="dockeruser")
    _build_and_kill(workspace, vendor, lambda: len(repository.fingerprints) == 1)
    assert repository.floating == {}
    assert not (workspace.folder / "release.json").exists()

    assert (
        "1 built, 1 already there, 2 floating tags moved"
        in workspace.bakestone("build", "--push").out
    )
    first = repository.floating
    assert set(first) == {QUICK, SLOW}
    release = workspace.release()

    _edit(workspace, vendor, user="worker")
    _build_and_kill(workspace, vendor, lambda: len(repository.fingerprints) == 3)
    assert repository.floating == first, "the old release stays whole until the new one is"
    assert workspace.release() == release

    assert (
        "1 built, 1 already there, 2 floating tags moved"
        in workspace.bakestone("build", "--push").out
    )
    assert all(first[name] != digest for name, digest in repository.floating.items())
    assert {image["digest"] for image in workspace.release()["images"]} == set(
        repository.floating.values()
    )
    assert "nothing to do" in workspace.bakestone("build", "--push").out


def test_interrupt_from_the_keyboard_ends_without_a_traceback(
    workspace: Workspace, vendor: FileServer
) -> None:
    _edit(workspace, vendor, user="dockeruser")
    with vendor.hold("/greeting-2.0.tar.gz") as hold:
        running = workspace.start("build", "--push")
        try:
            running.wait_until(hold.reached.is_set, "the build waits for a file")
            running.signal(signal.SIGINT, whole_group=True)
            code, out, err = running.ended()
        finally:
            running.kill()
    assert code != 0
    assert "Traceback" not in out + err
    assert list(workspace.temporary.iterdir()) == []
    assert workspace.repository("greeting").floating == {}


def _edit(workspace: Workspace, vendor: FileServer, *, user: str) -> None:
    """Both variants change; the file of the slow one is new, so that it must be fetched."""
    versions = {}
    for version in ("1.0", "2.0"):
        content = components.greeting_archive(version, secrets.token_hex(8))
        vendor.files[f"/greeting-{version}.tar.gz"] = content
        versions[version] = components.from_source(content, version)
    components.write_greeting(workspace.components, versions)
    workspace.site(urls={components.VENDOR: vendor.url})
    workspace.images(components.greeting_family("1.0", "2.0", user=user))
    workspace.lock_and_generate()


def _build_and_kill(
    workspace: Workspace, vendor: FileServer, quick_is_pushed: Callable[[], bool]
) -> None:
    """Kill the build when one variant is in the registry and the other waits for its file."""
    with vendor.hold("/greeting-2.0.tar.gz") as hold:
        running = workspace.start("build", "--push")
        try:
            running.wait_until(
                lambda: hold.reached.is_set() and quick_is_pushed(),
                "one variant is in the registry, the other waits",
            )
        finally:
            running.kill()
