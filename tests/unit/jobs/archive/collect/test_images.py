"""Base images are copied over the registry protocol, from the server of another archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.clients.registry.client import Registry
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import LockedBase
from bakestone.jobs.archive.catalog import IMAGE, PART
from bakestone.jobs.archive.collect import images
from tests.support.archives import empty, image, served
from tests.support.samples import NOW, refused


def test_a_base_image_is_copied_with_its_digests_for_the_platforms_wanted_only(
    tmp_path: Path,
) -> None:
    there, here = empty(tmp_path / "there"), empty(tmp_path / "here")
    entries, digest, blobs = image(there)
    locked = LockedBase(digest, {}, "registry", NOW)
    with served(there, entries, tmp_path / "site") as site:
        found, jobs = images.copy(
            "docker.io/library/debian:12",
            locked,
            Users({"v1": None}, {"linux/arm64": {"v1": None}}),
            Registry(site),
            here,
        )
        found += [job() for job in jobs]
    copied = {entry.digest: here.read(entry.digest) for entry in found}
    assert copied.items() <= blobs.items()
    assert {c for c in copied.values() if c.startswith(b"layer of")} == {b"layer of arm64"}
    assert [(e.kind, e.name) for e in found] == [
        (IMAGE, "docker.io/library/debian:12"),
        *[(PART, "docker.io/library/debian")] * 3,
    ]


def test_an_altered_layer_ends_the_copy_and_is_not_kept(tmp_path: Path) -> None:
    there, here = empty(tmp_path / "there"), empty(tmp_path / "here")
    entries, digest, blobs = image(there)
    layer = next(d for d, content in blobs.items() if content == b"layer of amd64")
    with served(there, entries, tmp_path / "site") as site:
        there.path(layer).write_bytes(b"layer of amd65")
        _, jobs = images.copy(
            "docker.io/library/debian:12",
            LockedBase(digest, {}, "registry", NOW),
            Users({"v1": None}, {"linux/amd64": {"v1": None}}),
            Registry(site),
            here,
        )
        refused(lambda: [job() for job in jobs], code=3)
    assert not here.path(layer).exists()


@pytest.mark.parametrize("platform", ["linux/s390x"])
def test_an_image_that_is_not_there_for_a_platform_is_told(tmp_path: Path, platform: str) -> None:
    there, here = empty(tmp_path / "there"), empty(tmp_path / "here")
    entries, digest, _ = image(there)
    with served(there, entries, tmp_path / "site") as site:
        users, locked = (
            Users({"v1": None}, {platform: {"v1": None}}),
            LockedBase(digest, {}, "registry", NOW),
        )
        (finding,) = refused(
            lambda: images.copy("docker.io/library/debian:12", locked, users, Registry(site), here),
            code=3,
        )
    assert "is not there for linux/s390x" in finding.text
