"""Two layers and two images side by side: what differs is named, and nothing else."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from bakestone.cli.views import reproduce
from bakestone.jobs.reproduce.images import compare
from bakestone.jobs.reproduce.layers import differences, listing
from bakestone.jobs.reproduce.rebuild import DIFFERENT, EQUAL, SAME_CONTENT, Result
from tests.support import zstd
from tests.support.layouts import File, Image, tar
from tests.support.samples import refused


def found(before: bytes, after: bytes) -> dict[str, tuple[str, ...]]:
    lists = [listing(io.BytesIO(raw), name) for raw, name in ((before, "before"), (after, "after"))]
    return {d.path: d.what for d in differences(*lists)}


PLAIN: File = {"name": "opt/x", "content": b"one", "mode": 0o644, "mtime": 1000}


def test_the_same_files_are_the_same_however_they_are_compressed() -> None:
    raw = tar(PLAIN)
    assert found(raw, gzip.compress(raw)) == found(gzip.compress(raw), zstd.compress(raw)) == {}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"content": b"two"}, ("content",)),
        ({"content": b"three"}, ("content",)),
        ({"mode": 0o755}, ("mode",)),
        ({"uid": 10001}, ("owner",)),
        ({"mtime": 1001}, ("time",)),
        ({"content": b"two", "mode": 0o600, "mtime": 5}, ("content", "mode", "time")),
        ({"type": tarfile.SYMTYPE, "linkname": "y", "content": b""}, ("kind", "content")),
        ({"pax_headers": {"SCHILY.xattr.security.capability": "x"}}, ("attributes",)),
    ],
)
def test_a_file_that_differs_is_named_with_what_differs(
    change: File, what: tuple[str, ...]
) -> None:
    other = {"name": "etc/same", "content": b"same"}
    assert found(tar(PLAIN, other), tar(PLAIN | change, other)) == {"opt/x": what}


def test_added_and_removed_files_are_named() -> None:
    assert found(tar(PLAIN, {"name": "a"}), tar({"name": "b"}, PLAIN)) == {
        "a": ("removed",),
        "b": ("added",),
    }


def test_order_and_compression_are_no_difference_of_files() -> None:
    first, second = {"name": "a", "content": b"1"}, {"name": "./b/", "type": tarfile.DIRTYPE}
    assert found(tar(first, second), gzip.compress(tar(second, first))) == {}


CUT = tar(PLAIN | {"content": b"x" * 2000})[:1500]


@pytest.mark.parametrize(
    "raw",
    [b"no tar at all" * 100, gzip.compress(CUT, mtime=0), CUT],
    ids=["no tar", "gzipped and cut off", "cut off"],
)
def test_what_is_no_layer_is_one_error(raw: bytes) -> None:
    (said,) = refused(lambda: listing(io.BytesIO(raw), "sha256:abc"))
    assert "the layer sha256:abc cannot be read" in said.message


BIG = tar({"name": "usr/lib/big", "content": bytes(range(256)) * 500})


def result(one: Image, other: Image) -> Result:
    difference = (
        None
        if one.digest == other.digest
        else compare(one.store, one.digest, other.store, other.digest)
    )
    return Result("v", "linux/amd64", "x", one.digest, other.digest, difference)


def test_equal_images_have_one_digest(tmp_path: Path) -> None:
    images = [Image(tmp_path / name, [("RUN a", BIG, 6)], User="1") for name in "ab"]
    assert result(*images).verdict == EQUAL
    assert images[0].store.platforms("x:1") == {"": images[0].digest}


def test_another_compression_is_told_from_other_files(tmp_path: Path) -> None:
    one, other = (Image(tmp_path / str(level), [("RUN a", BIG, level)]) for level in (1, 9))
    compared = result(one, other)
    assert compared.verdict == SAME_CONTENT
    assert compared.difference
    (layer,) = compared.difference.layers
    assert (layer.files, layer.same_content) == ((), True)


def test_the_layer_the_file_and_the_setting_that_differ_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Image(tmp_path / "a", [("RUN base", BIG, 6), ("RUN date", tar(PLAIN), 6)], Env=["A=1"])
    other = Image(
        tmp_path / "b",
        [("RUN base", BIG, 6), ("RUN date", tar(PLAIN | {"content": b"four"}, {"name": "new"}), 6)],
        Env=["A=2"],
    )
    compared = result(one, other)
    assert compared.verdict == DIFFERENT
    reproduce.results([compared], 1, as_json=False)
    text = capsys.readouterr().out
    assert "layer 2: RUN date" in text
    assert "layer 1" not in text
    assert "/new: added (file, 0 bytes)" in text
    assert "and 1 more" in text
    assert 'config config.Env.0: "A=1" -> "A=2"' in text
    assert text.endswith("1 DIFFERENT\n")
    reproduce.results([compared], 1, as_json=True)
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert image["result"] == "different"
    assert [f["path"] for f in image["layers"][0]["files"]] == ["new", "opt/x"]
    assert image["layers"][0]["files"][1]["before"]["size"] == 3


def test_an_altered_part_of_a_layout_is_refused(tmp_path: Path) -> None:
    image = Image(tmp_path, [("RUN a", BIG, 6)])
    (tmp_path / "blobs" / "sha256" / image.digest.removeprefix("sha256:")).write_bytes(b"{}")
    (said,) = refused(lambda: image.store.manifest(image.digest), code=3)
    assert "no whole" in said.message
    (said,) = refused(lambda: image.store.manifest("sha256:../../../etc/passwd"))
    assert "is no SHA-256 digest" in said.message


def test_a_part_of_a_layout_that_leads_elsewhere_is_not_opened(tmp_path: Path) -> None:
    image = Image(tmp_path / "image", [("RUN a", BIG, 6)])
    described = image.blob(b"{}")
    path = tmp_path / "image" / "blobs" / "sha256" / str(described["digest"])[7:]
    path.rename(tmp_path / "elsewhere")
    for strange in ("link", "FIFO"):
        path.symlink_to(tmp_path / "elsewhere") if strange == "link" else os.mkfifo(path)
        for read in (image.store.open, image.store.checked, image.store.document):
            (said,) = refused(functools.partial(read, described), code=3)
            assert "it is no regular file" in said.message
        path.unlink()
