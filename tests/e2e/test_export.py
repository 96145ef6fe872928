"""Where the builder does not push, images are exported and pushed from here: the same ones, under
the same fingerprints.
"""

from __future__ import annotations

import json
import secrets
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.oci import Repository
from tests.e2e.password_registry import PasswordRegistry
from tests.e2e.workspace import Workspace
from tests.support.tokenservice import PASSWORD, USER

NAMES = "greeting1.0-debian12", "greeting2.0-debian12"
EXPORT = {"push": "export"}


@pytest.fixture
def project(workspace: Workspace, vendor: FileServer) -> Workspace:
    """Two variants that nobody has built yet, at a site that wants exports."""
    versions = {}
    for version in ("1.0", "2.0"):
        content = vendor.files[f"/greeting-{version}.tar.gz"] = components.greeting_archive(
            version, secrets.token_hex(8)
        )
        versions[version] = components.from_source(content, version)
    components.write_greeting(workspace.components, versions)
    workspace.images(components.greeting_family(*versions))
    site(workspace, vendor, **EXPORT)
    workspace.lock_and_generate()
    return workspace


def site(workspace: Workspace, vendor: FileServer, **more: Any) -> None:
    workspace.site(urls={components.VENDOR: vendor.url}, **more)


def attestations(repository: Repository) -> dict[str, dict[str, list[str]]]:
    """Tag -> digest of an image -> the kinds of statements about it, each read whole."""
    found: dict[str, dict[str, list[str]]] = {}
    for tag in repository.floating:
        for entry in json.loads(repository.get(f"manifests/{tag}").content)["manifests"]:
            subject = entry.get("annotations", {}).get("vnd.docker.reference.digest")
            if subject:
                statements = [
                    json.loads(repository.blob(layer["digest"]))
                    for layer in repository.manifest(entry["digest"])["layers"]
                ]
                assert all(
                    s["subject"][0]["digest"]["sha256"] == subject.removeprefix("sha256:")
                    for s in statements
                )
                found.setdefault(tag, {})[subject] = sorted(s["predicateType"] for s in statements)
    return found


def test_an_exported_image_is_the_one_that_the_builder_pushes(
    project: Workspace, vendor: FileServer, engine: Engine
) -> None:
    said = project.bakestone("build", "--push")
    assert "2 built, 0 already there, 2 floating tags moved" in said.out
    exported, mine = project.release()["images"], project.repository("greeting")
    assert list(project.temporary.iterdir()) == []

    site(project, vendor)
    pushed = f"{project.registry}/pushed"
    project.bakestone(
        "build", "--push", "--registry", pushed, "--release", str(project.folder / "pushed.json")
    )
    others = json.loads((project.folder / "pushed.json").read_text("utf-8"))["images"]
    assert [i["name"] for i in exported] == [*NAMES]
    for one, other in zip(exported, others, strict=True):
        for same in ("name", "fingerprint", "platforms", "size", "inventory"):
            assert one[same] == other[same], same
    theirs = Repository(f"{pushed}/greeting")
    assert attestations(mine) == attestations(theirs)
    assert {
        kind
        for images in attestations(mine).values()
        for kinds in images.values()
        for kind in kinds
    } == {"https://slsa.dev/provenance/v0.2", "https://spdx.dev/Document"}
    for image in exported:
        assert mine.manifest(image["name"]) == theirs.manifest(image["name"])
        assert engine.run(f"{project.registry}/greeting:{image['name']}", "greet").strip() in (
            "1.0",
            "2.0",
        )
    site(project, vendor, **EXPORT)
    assert "nothing to do" in project.bakestone("build", "--push").out
    assert "2 equal" in project.bakestone("reproduce").out


def test_an_image_without_attestations_is_exported_as_it_is_pushed(
    project: Workspace, vendor: FileServer
) -> None:
    project.bakestone("build", NAMES[0], "--push", "--no-attest")
    (exported,) = project.release()["images"]
    site(project, vendor)
    elsewhere, other = f"{project.registry}/pushed", project.folder / "pushed.json"
    push = ("build", NAMES[0], "--push", "--no-attest", "--registry", elsewhere)
    refused = project.bakestone(*push, code=1)
    assert "--release FILE names another file" in refused.err
    project.bakestone(*push, "--release", str(other))
    (pushed,) = json.loads(other.read_text("utf-8"))["images"]
    same = ("fingerprint", "platforms", "size", "digest")
    assert {key: exported[key] for key in same} == {key: pushed[key] for key in same}


def test_a_registry_with_a_password_gets_exported_images(
    project: Workspace, engine: Engine, tmp_path: Path
) -> None:
    with PasswordRegistry(engine, tmp_path) as private:
        registry = f"{private.address}/base"
        said = project.bakestone(
            "build", "--push", "--registry", registry, env=private.login(PASSWORD)
        )
        repository = Repository(f"{registry}/greeting", login=(USER, PASSWORD))
        assert repository.floating == {i["name"]: i["digest"] for i in project.release()["images"]}
        assert PASSWORD not in said.text
    engine.remove_images(private.address)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_export_leaves_nothing_behind_and_the_next_run_goes_on(
    project: Workspace, number: signal.Signals
) -> None:
    running = project.start("build", "--push")
    try:
        running.wait_until(
            lambda: any(project.temporary.glob("bakestone-export-*/image/*")),
            "an image is being exported",
        )
        running.signal(number)
        code, out, err = running.ended()
    finally:
        running.kill()
    assert code != 0
    assert "Traceback" not in out + err
    assert list(project.temporary.iterdir()) == []
    assert project.repository("greeting").floating == {}
    assert "2 floating tags moved" in project.bakestone("build", "--push").out


def test_a_full_disk_is_one_message(project: Workspace) -> None:
    small = 'mount -t tmpfs -o size=8m none "$TMPDIR" && exec "$@"'
    project.inside = ("unshare", "--mount", "--map-root-user", "sh", "-c", small, "sh")
    said = project.bakestone("build", NAMES[0], "--push", code=3)
    assert "the disk is full: " in said.err
    assert "no space left on device" in said.err
    assert said.err.count("hint: ") == 1
    assert project.repository("greeting").tags == set()
    project.inside = ()
    assert "1 floating tags moved" in project.bakestone("build", NAMES[0], "--push").out
