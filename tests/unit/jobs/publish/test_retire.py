"""Tags of variants that are gone: which are taken away, and which are left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bakestone.cli.app import main
from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.render import release
from bakestone.core.render.release import ReleasedImage, ReleaseRecord
from bakestone.jobs.publish.retire import Fate, Retirement, retire
from tests.support.samples import FIRST, made_up, project, refused
from tests.support.writable_registry import WritableRegistry, writable_registry

KEPT, GONE = "openmpi5.0.10-ubuntu22.04", "openmpi4.1.8-ubuntu22.04"
KNOWN = [("first", KEPT)]
INVENTORY: dict[str, object] = {
    "variant": GONE,
    "user": "dockeruser",
    "fuse": "",
    "driver": {"minimum": ">=525.60.13", "toolkit": ">=525.60.13"},
    "components": {"mpi": {"component": "openmpi", "pinned": "4", "measured": {"version": "4"}}},
}


@pytest.fixture
def shelf() -> Iterator[WritableRegistry]:
    with writable_registry() as registry:
        yield registry


@pytest.fixture
def place(shelf: WritableRegistry) -> str:
    return f"{shelf.address}/base"


def entry(shelf: WritableRegistry, place: str, name: str = GONE) -> ReleasedImage:
    """A published image, under its floating tag and its fingerprint."""
    digest = shelf.put_json("base/first", {"config": {}, "name": name}, name)
    fingerprint = made_up(name)
    shelf.tags["base/first"][f"fp-{fingerprint}"] = digest
    base, slots = "docker.io/library/ubuntu:22.04", {"mpi": "openmpi@4"}
    repository, platforms = f"{place}/first", {"linux/amd64": digest}
    return ReleasedImage(
        name, "first", repository, fingerprint, digest, platforms, 1, base, slots, INVENTORY
    )


def write(path: Path, place: str, *images: ReleasedImage) -> Path:
    path.write_text(ReleaseRecord(place, images).text, "utf-8")
    return path


def run(path: Path, place: str, *, remove: bool) -> list[Retirement]:
    return retire(path, place, KNOWN, Registry(Site()), remove=remove)


def test_a_retired_tag_goes_and_its_image_stays(
    shelf: WritableRegistry, place: str, tmp_path: Path
) -> None:
    images = entry(shelf, place, KEPT), entry(shelf, place)
    path = write(tmp_path / "release.json", place, *images)
    before = path.read_bytes()
    assert [r.fate for r in run(path, place, remove=False)] == [Fate.TO_REMOVE]
    assert path.read_bytes() == before
    assert not any(a.startswith("DELETE") for a in shelf.asked)

    assert [r.fate for r in run(path, place, remove=True)] == [Fate.REMOVED]
    assert [a for a in shelf.asked if a.startswith("DELETE")] == [
        f"DELETE /v2/base/first/manifests/{GONE}"
    ]
    assert shelf.tags["base/first"].keys() == {KEPT, *(f"fp-{i.fingerprint}" for i in images)}
    record = release.read(path)
    assert record is not None
    assert [i.name for i in record.images] == [KEPT]
    assert run(path, place, remove=True) == []


def test_a_tag_that_is_gone_already_leaves_the_record(
    shelf: WritableRegistry, place: str, tmp_path: Path
) -> None:
    image = entry(shelf, place)
    del shelf.tags["base/first"][GONE]
    path = write(tmp_path / "release.json", place, image)
    assert [r.fate for r in run(path, place, remove=True)] == [Fate.GONE]
    record = release.read(path)
    assert record is not None
    assert record.images == ()


ELSEWHERE = ["registry", "family", "path", "fingerprint", "referrers", "moved", "not kept"]


@pytest.mark.parametrize("what", ELSEWHERE)
def test_what_a_record_points_at_elsewhere_is_left_alone(
    what: str, shelf: WritableRegistry, place: str, tmp_path: Path
) -> None:
    image = entry(shelf, place)
    if what == "registry":
        image = replace(image, repository=f"{shelf.address}/others/first")
    elif what == "family":
        image = replace(image, family="second")
    elif what == "path":
        image = replace(image, repository=f"{place}/first/more")
    elif what == "fingerprint":
        image = entry(shelf, place, f"fp-{made_up(GONE)}")
    elif what == "referrers":  # a list of what hangs on an image, kept by clients
        image = entry(shelf, place, f"sha256-{made_up(GONE)}")
    elif what == "not kept":  # it was pushed by something else, or would be lost
        del shelf.tags["base/first"][f"fp-{image.fingerprint}"]
    else:
        shelf.put_json("base/first", {"config": {}, "another": 1}, GONE)
    path = write(tmp_path / "release.json", place, image)
    before = path.read_bytes()
    (found,) = run(path, place, remove=True)
    assert found.fate == Fate.LEFT
    assert found.reason
    assert path.read_bytes() == before
    assert not any(a.startswith("DELETE") for a in shelf.asked)


@pytest.mark.parametrize("name", ["../x", "x/y", "a b", "x\n", "-x", "x" * 129])
def test_a_name_that_is_no_tag_is_refused_with_the_record(
    name: str, shelf: WritableRegistry, place: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "release.json", place, replace(entry(shelf, place), name=name))
    (found,) = refused(lambda: run(path, place, remove=True))
    assert "the release is no record of ours" in found.message


def test_a_registry_that_deletes_no_tags_is_a_sentence(
    shelf: WritableRegistry, place: str, tmp_path: Path
) -> None:
    shelf.deletes = False
    path = write(tmp_path / "release.json", place, entry(shelf, place))
    before = path.read_bytes()
    (found,) = run(path, place, remove=True)
    assert found.fate == Fate.LEFT
    assert "405" in found.reason
    assert found.problem
    assert path.read_bytes() == before


def test_the_command_says_what_it_would_do_and_does_it_when_told(
    shelf: WritableRegistry, place: str, tmp_path: Path, library: Library
) -> None:
    project(tmp_path, FIRST.replace("localhost:5000/base", place), library=library)
    write(tmp_path / "release.json", place, entry(shelf, place, KEPT), entry(shelf, place))
    command = ["retire", "--file", str(tmp_path / "images.yaml")]
    dry = CliRunner().invoke(main, command)
    assert (dry.exit_code, GONE in dry.output, "--yes" in dry.output) == (0, True, True)
    assert GONE in shelf.tags["base/first"]
    done = CliRunner().invoke(main, [*command, "--yes"])
    assert (done.exit_code, f"{GONE}  removed" in done.output) == (0, True)
    assert GONE not in shelf.tags["base/first"]
    again = CliRunner().invoke(main, [*command, "--yes"])
    assert "nothing to retire" in again.output
    loaded = json.loads((tmp_path / "release.json").read_text("utf-8"))
    assert [i["name"] for i in loaded["images"]] == [KEPT]


def test_without_a_record_there_is_a_sentence(place: str, tmp_path: Path) -> None:
    (found,) = refused(lambda: run(tmp_path / "release.json", place, remove=False))
    assert "bakestone build --push" in found.hint
