"""An archive goes to a registry and comes back: what is there and right is not moved again."""

from __future__ import annotations

from pathlib import Path

from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site
from bakestone.jobs.archive import transfer
from bakestone.jobs.archive.layout import ArchiveLayout
from tests.support.archives import digest, filled
from tests.support.samples import refused
from tests.support.writable_registry import writable_registry


def test_what_comes_back_is_what_was_pushed_and_only_what_lacks_is_moved(tmp_path: Path) -> None:
    layout, catalog = filled(tmp_path / "here")
    said: list[str] = []
    with writable_registry() as shelf:
        place, registry = f"{shelf.address}/base/archive:x", Registry(Site())
        pushed = {transfer.push(layout.folder, place, registry, said.append) for _ in range(2)}
        made = transfer.pull(place, tmp_path / "there", registry, said.append)
        there = ArchiveLayout(tmp_path / "there")
        there.path(digest(b"wheel")).write_bytes(b"altered")
        again = transfer.pull(place, there.folder, registry, said.append)
    assert pushed == {made.digest} == {again.digest} == {layout.manifest().digest}
    assert made.catalog == again.catalog == catalog
    assert there.verify()[1] == []
    assert said == [
        "7 of 7 blobs sent",
        "0 of 7 blobs sent",
        "6 of 6 blobs fetched",
        "1 of 6 blobs fetched",
    ]


def test_an_archive_that_lacks_a_blob_is_not_pushed(tmp_path: Path) -> None:
    layout, _ = filled(tmp_path)
    layout.path(digest(b"file")).unlink()
    with writable_registry() as shelf:
        place, registry = f"{shelf.address}/base/archive:x", Registry(Site())
        (finding,) = refused(lambda: transfer.push(tmp_path, place, registry, print))
        assert registry.head(place) is None
    assert finding.message == "the archive's blob is missing or altered"


def test_an_image_is_no_archive(tmp_path: Path) -> None:
    with writable_registry() as shelf:
        config = {"digest": digest(b"config"), "size": 6}
        shelf.put_json("base/image", {"config": config, "layers": []}, "x")
        place, registry = f"{shelf.address}/base/image:x", Registry(Site())
        (finding,) = refused(lambda: transfer.pull(place, tmp_path / "a", registry, print))
    assert finding.message == "it is no manifest of an archive"
