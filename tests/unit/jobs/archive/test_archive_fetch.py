"""What fills an archive: pip and the registry protocol, asked for real, with another archive's
server at the other end.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site, load
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import LockedBase
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import IMAGE, PART, WHEEL, ArchivedBlob, Catalog
from bakestone.jobs.archive.collect import images, wheels
from bakestone.jobs.archive.collect.wanted import WheelFile
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.jobs.archive.serve import sitefile
from bakestone.jobs.archive.serve.serve import LOOPBACK, serving
from tests.support.samples import NOW, refused

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
FILENAME = "bakestone_greeting-1.0-py3-none-any.whl"


@contextmanager
def served(layout: ArchiveLayout, entries: list[ArchivedBlob], folder: Path) -> Iterator[Site]:
    """The site of a server that has these entries."""
    layout.seal(Catalog((), "", "", "", catalogs.merged(entries)))
    with serving(layout, [LOOPBACK], 0, lambda _what: None) as port:
        place = f"{LOOPBACK}:{port}"
        yield load(sitefile.write(folder, layout.catalog(), Site(), place, place))


def empty(folder: Path) -> ArchiveLayout:
    layout = ArchiveLayout(folder)
    layout.prepare()
    return layout


def wheel() -> bytes:
    about = "bakestone_greeting-1.0.dist-info"
    files = {
        "bakestone_greeting.py": "",
        f"{about}/METADATA": (
            "Metadata-Version: 2.1\nName: bakestone-greeting\nVersion: 1.0\nRequires-Python: <3\n"
        ),
        f"{about}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        f"{about}/RECORD": "",
    }
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return raw.getvalue()


def test_pip_fetches_the_wheel_of_the_lock_and_no_other(tmp_path: Path) -> None:
    there, here = empty(tmp_path / "there"), empty(tmp_path / "here")
    digest = there.put(wheel())
    wanted = WheelFile("bakestone-greeting==1.0", FILENAME, digest[7:], len(wheel()), ("v1",))
    with served(
        there, [ArchivedBlob(WHEEL, FILENAME, digest, len(wheel()))], tmp_path / "site"
    ) as site:
        assert wheels.fetch(wanted, site, here) == ArchivedBlob(
            WHEEL, FILENAME, digest, len(wheel()), variants=("v1",)
        )
        assert here.read(digest) == wheel()

        there.path(digest).write_bytes(wheel() + b"altered")
        assert wheels.fetch(wanted, site, here).digest == digest, (
            "what is there is not fetched again"
        )
        here.path(digest).write_bytes(b"altered")
        (finding,) = refused(lambda: wheels.fetch(wanted, site, here), code=3)
        assert FILENAME in finding.text
        assert here.path(digest).read_bytes() == b"altered", "nothing took its place"


def image(layout: ArchiveLayout) -> tuple[list[ArchivedBlob], str, dict[str, bytes]]:
    """An image for two platforms, as entries of an archive; its digest; its blobs."""
    blobs: dict[str, bytes] = {}

    def put(content: bytes) -> dict[str, object]:
        digest = layout.put(content)
        blobs[digest] = content
        return {"digest": digest, "size": len(content)}

    manifests, entries = [], []
    for architecture in ("amd64", "arm64"):
        config = put(json.dumps({"architecture": architecture, "os": "linux"}).encode()) | {
            "mediaType": "application/vnd.oci.image.config.v1+json"
        }
        layer = put(f"layer of {architecture}".encode()) | {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"
        }
        raw = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        ).encode()
        manifests.append(
            put(raw)
            | {"mediaType": MANIFEST, "platform": {"os": "linux", "architecture": architecture}}
        )
    root = put(
        json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
    )
    for digest, content in blobs.items():
        kind = IMAGE if digest == root["digest"] else PART
        media = INDEX if kind == IMAGE else MANIFEST if b"layers" in content else catalogs.PLAIN
        entries.append(
            ArchivedBlob(
                kind,
                "docker.io/library/debian:12" if kind == IMAGE else "docker.io/library/debian",
                digest,
                len(content),
                media,
            )
        )
    return entries, str(root["digest"]), blobs


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
