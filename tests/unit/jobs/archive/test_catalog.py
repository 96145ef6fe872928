"""An archive's list of what is in it, which anybody may have written."""

from __future__ import annotations

import json

import pytest

from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import INDEX, ArchivedBlob
from tests.support.archives import LIST, TARBALL, digest
from tests.support.samples import refused


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:../../x"},
        {"kind": "else"},
        {"name": "https://files.example.com/a\nb"},
        {"name": "file:///etc/passwd"},
        {"size": -1},
        {"size": True},
        {"mediaType": "text/html\r\nSet-Cookie: a"},
    ],
)
def test_a_catalog_is_taken_from_nobody_without_a_check(change: dict[str, object]) -> None:
    entry = {
        "kind": "file",
        "name": TARBALL,
        "digest": digest(b""),
        "size": 0,
        "mediaType": "application/octet-stream",
        "variants": [],
    } | change
    raw = json.dumps(
        {
            "version": 1,
            "selection": [],
            "matrix": "",
            "lock": "",
            "packages": "",
            "entries": [entry],
        }
    ).encode()
    (finding,) = refused(lambda: catalogs.parse(raw, "archive"))
    assert "cannot be read" in finding.message


def test_a_catalog_of_a_later_format_says_so() -> None:
    (finding,) = refused(lambda: catalogs.parse(b'{"version": 2}', "archive"))
    assert "format 2" in finding.message


def test_one_url_with_two_contents_is_refused() -> None:
    entries = [ArchivedBlob(INDEX, LIST, digest(text), 1) for text in (b"a", b"b")]
    (finding,) = refused(lambda: catalogs.merged(entries))
    assert f"package index {LIST}: it came with two contents" in finding.text
