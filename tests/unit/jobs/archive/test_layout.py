"""An archive on disk: nothing is in it that is not what its digest says, and what is wrong is named
with what it stops.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bakestone.errors import BakestoneError
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import FILE, IMAGE, INDEX, PACKAGE, PART, WHEEL
from bakestone.jobs.archive.layout import ArchiveLayout
from tests.support.archives import digest, filled
from tests.support.command import Command
from tests.support.samples import refused


def test_a_catalog_comes_back_as_it_was_and_the_same_contents_give_the_same_bytes(
    tmp_path: Path,
) -> None:
    layout, catalog = filled(tmp_path / "a")
    assert layout.catalog() == catalog
    filled(tmp_path / "b")
    assert (tmp_path / "a" / "index.json").read_bytes() == (
        tmp_path / "b" / "index.json"
    ).read_bytes()
    assert layout.verify()[1] == []


def test_the_layout_is_one_that_other_tools_read(tmp_path: Path) -> None:
    layout, catalog = filled(tmp_path)
    assert json.loads((tmp_path / "oci-layout").read_text("utf-8")) == {
        "imageLayoutVersion": "1.0.0"
    }
    index = json.loads((tmp_path / "index.json").read_text("utf-8"))
    archive, image = index["manifests"]
    assert image["annotations"] == {
        "org.opencontainers.image.ref.name": "docker.io/library/debian:12"
    }
    manifest = json.loads(layout.read(archive["digest"]))
    assert (
        manifest["artifactType"]
        == archive["artifactType"]
        == "application/vnd.bakestone.archive.v1"
    )
    assert {layer["digest"]: layer["size"] for layer in manifest["layers"]} == {
        d: e.size for d, e in catalog.blobs().items()
    }


@pytest.mark.parametrize("kind", [IMAGE, PART, INDEX, FILE, PACKAGE, WHEEL])
def test_verify_names_a_blob_that_was_altered_and_one_that_is_gone_and_what_they_stop(
    tmp_path: Path, kind: str
) -> None:
    layout, _ = filled(tmp_path)
    path = layout.path(digest(kind.encode()))
    path.write_bytes(b"another")
    (finding,) = layout.verify()[1]
    assert finding.name == str(path)
    assert finding.message.startswith(f"the {catalogs.KINDS[kind]} ")
    assert finding.message.endswith("is altered; without it v1 cannot be built")
    path.unlink()
    (finding,) = layout.verify()[1]
    assert "is missing; without it v1" in finding.message


@pytest.mark.parametrize("strange", ["link", "FIFO", "folder"])
def test_verify_names_a_blob_that_is_no_regular_file_and_waits_for_none(
    tmp_path: Path, strange: str
) -> None:
    layout, _ = filled(tmp_path / "archive")
    path = layout.path(digest(b"index"))
    (tmp_path / "same").write_bytes(path.read_bytes())
    path.unlink()
    {"link": lambda: path.symlink_to(tmp_path / "same"), "FIFO": lambda: os.mkfifo(path)}.get(
        strange, path.mkdir
    )()
    (finding,) = layout.verify()[1]
    assert "is no regular file; without it v1 cannot be built" in finding.message


@pytest.mark.parametrize("strange", ["link", "FIFO"])
def test_an_index_that_is_no_regular_file_is_not_read(tmp_path: Path, strange: str) -> None:
    layout, _ = filled(tmp_path / "archive")
    path = layout.folder / "index.json"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere") if strange == "link" else os.mkfifo(path)
    with pytest.raises(BakestoneError) as caught:
        layout.verify()
    (finding,) = caught.value.findings
    assert finding.name == str(path if strange == "link" else layout.folder)


def test_a_folder_of_blobs_that_leads_elsewhere_is_refused_and_nothing_there_is_removed(
    tmp_path: Path,
) -> None:
    layout, _ = filled(tmp_path / "archive")
    home = tmp_path / "home"
    layout.blobs.rename(home)
    (home / ".new-year").write_text("a letter", "utf-8")
    layout.blobs.symlink_to(home)
    for act in (layout.prepare, layout.verify):
        (finding,) = refused(act)
        assert finding.message == "it is a link, not a folder"
    assert (home / ".new-year").exists()


def test_verify_on_the_command_line_ends_with_1_and_says_all_in_json_too(
    tmp_path: Path, bakestone: Command
) -> None:
    layout, _ = filled(tmp_path / "archive")
    assert bakestone("archive", "verify", "archive").exit_code == 0
    layout.path(digest(b"wheel")).write_bytes(b"another")
    layout.path(digest(b"file")).unlink()
    result = bakestone("archive", "verify", "archive", "--format", "json")
    assert result.exit_code == 1
    assert len(json.loads(result.output)["findings"]) == 2


def test_a_blob_that_is_not_what_was_expected_is_not_kept(tmp_path: Path) -> None:
    layout = ArchiveLayout(tmp_path)
    layout.prepare()
    with (
        pytest.raises(BakestoneError, match="it came with the digest"),
        layout.writing(digest(b"right")) as sink,
    ):
        sink.write(b"wrong")
    with pytest.raises(ZeroDivisionError), layout.writing(digest(b"half")) as sink:
        sink.write(b"half" * (1 // 0))
    assert list(layout.blobs.iterdir()) == []


def test_what_a_killed_run_left_is_cleared_and_whole_blobs_stay(tmp_path: Path) -> None:
    layout = ArchiveLayout(tmp_path)
    layout.prepare()
    kept = layout.put(b"whole")
    (layout.blobs / ".new-blob-a1b2c3d4").write_bytes(b"ha")
    layout.prepare()
    assert [p.name for p in layout.blobs.iterdir()] == [kept.removeprefix("sha256:")]


def test_blobs_that_nothing_names_any_more_go_only_when_the_new_index_is_there(
    tmp_path: Path,
) -> None:
    layout, catalog = filled(tmp_path)
    extra = layout.put(b"of the old one")
    layout.seal(catalog)
    assert not layout.path(extra).exists()
    assert layout.verify()[1] == []


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", "utf-8")
    (finding,) = refused(ArchiveLayout(tmp_path).prepare)
    assert finding.message == "there is something else in it"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_another_layout_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text("{}", "utf-8")
    (tmp_path / "index.json").write_text('{"manifests": [{"digest": "sha256:1"}]}', "utf-8")
    (finding,) = refused(ArchiveLayout(tmp_path).prepare)
    assert finding.message == "there is something else in it"


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "[]",
        '{"manifests": 7}',
        (
            '{"manifests": [{"artifactType": "application/vnd.bakestone.archive.v1", "digest":'
            ' "sha256:../../../etc/passwd"}]}'
        ),
        '{"manifests": [{"artifactType": "application/vnd.bakestone.archive.v1", "digest": 7}]}',
        "[" * 100_000,
    ],
)
def test_an_index_that_is_none_is_a_finding(tmp_path: Path, index: str, bakestone: Command) -> None:
    layout, _ = filled(tmp_path / "archive")
    (layout.folder / "index.json").write_text(index, "utf-8")
    result = bakestone("archive", "verify", "archive")
    assert result.exit_code == 1
    assert "hint: " in result.output
