"""`bakestone base`: which image under which names, what is put into it, and every wrong word
answered before anything is made.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.manifest import INDEX
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.jobs.base import image, machine, make, root
from bakestone.jobs.base.image import PlatformImage
from bakestone.jobs.base.make import BaseWish, Release
from bakestone.jobs.base.root import Recipe, SuiteSource
from tests.support.archives import empty, served
from tests.support.archives import image as stored_image
from tests.support.command import Command
from tests.support.samples import made_up, refused
from tests.support.webserver import serving, status
from tests.support.writable_registry import writable_registry

BOOKWORM = Release("12", "bookworm", "docker.io/library/debian:12")
SOURCES = (
    SuiteSource(
        "http://deb.example.com/debian",
        "http://mirror.lab/debian",
        ("bookworm", "bookworm-updates"),
    ),
    SuiteSource(
        "http://deb.example.com/security", "http://mirror.lab/security", ("bookworm-security",)
    ),
)


@pytest.mark.parametrize("text", ["debian@12", "debian@bookworm"])
def test_a_release_is_named_by_version_or_codename(text: str, library: Library) -> None:
    assert make.release(text, library) == BOOKWORM


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("debian@bookwrm", "did you mean bookworm?"),
        ("debian", "debian@12"),
        ("ubuntu@24.04", "Debian's can, by mmdebstrap: debian@12"),
        ("debian@12;rm -rf /", "known: 13, 12, 11"),
    ],
)
def test_what_cannot_be_made_is_refused_as_wrong_usage(
    text: str, hint: str, library: Library
) -> None:
    (finding,) = refused(lambda: make.release(text, library), code=2)
    assert hint in finding.hint


@pytest.mark.parametrize("platform", ["arm64", "windows/amd64", "linux/", "linux/$(id)", ""])
def test_a_platform_is_checked(platform: str) -> None:
    refused(lambda: make.architecture(platform), code=2)


def test_without_a_place_it_goes_where_the_builds_of_this_site_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BAKESTONE_REGISTRY", "localhost:5000")
    site = Site(registries={"docker.io/library": "registry.lab:5000/hub"})
    assert make.references(BOOKWORM, "", site) == [
        "registry.lab:5000/hub/debian:12",
        "registry.lab:5000/hub/debian:bookworm",
    ]
    assert make.references(BOOKWORM, "", Site())[0] == "localhost:5000/mirror/library/debian:12"
    monkeypatch.delenv("BAKESTONE_REGISTRY")
    (finding,) = refused(lambda: make.references(BOOKWORM, "", Site()), code=2)
    assert "--to" in finding.hint


@pytest.mark.parametrize(
    "to",
    [
        "debian",
        "registry.example.com/a b",
        "registry.example.com/x:bad tag",
        "https://registry.example.com/x",
        "h/X",
    ],
)
def test_a_place_that_is_none_is_refused(to: str) -> None:
    refused(lambda: make.references(BOOKWORM, to, Site()), code=2)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/debian",
        "http://user:secret@a/debian",
        "http://a/debian main; deb http://b",
        "file:///x",
    ],
)
def test_a_mirror_is_checked_before_it_gets_into_an_image(url: str) -> None:
    wish = BaseWish(("amd64",), to="localhost:1/x", mirror=url)
    (finding,) = refused(lambda: make.make(BOOKWORM, wish, Registry(Site()), print), code=2)
    assert "--mirror cannot be" in finding.message
    assert "secret" not in str(finding)


def test_the_image_names_the_archive_outside_even_when_a_mirror_was_read() -> None:
    recipe = Recipe("bookworm", "amd64", SOURCES, 0, one_line=False, dates_unchecked=False)
    text = root.files(recipe)["etc/apt/sources.list.d/debian.sources"]
    assert "URIs: http://deb.example.com/debian\nSuites: bookworm bookworm-updates\n" in text
    assert "mirror.lab" not in text
    old = root.files(Recipe("bullseye", "amd64", SOURCES, 0, one_line=True, dates_unchecked=True))
    assert (
        old["etc/apt/sources.list"].splitlines()[0]
        == "deb http://deb.example.com/debian bookworm main"
    )
    assert "etc/apt/apt.conf.d/mirror-dates" in old


def test_an_index_is_the_same_in_whatever_order_its_images_were_made() -> None:
    parts = [PlatformImage(a, f"sha256:{made_up(a)}", 100) for a in ("amd64", "arm64")]
    assert image.index(parts) == image.index(parts[::-1])
    listed = json.loads(image.index(parts))["manifests"]
    assert [m["platform"]["architecture"] for m in listed] == ["amd64", "arm64"]


def test_a_tarball_is_packed_without_its_name_or_the_time(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("etc/motd"))
    digests = set()
    for name in ("one", "two"):
        tarball, packed = tmp_path / f"{name}.tar", tmp_path / f"{name}.gz"
        tarball.write_bytes(raw.getvalue())
        assert image.pack(tarball, packed) == f"sha256:{hashlib.sha256(raw.getvalue()).hexdigest()}"
        assert gzip.decompress(packed.read_bytes()) == raw.getvalue()
        digests.add(hashlib.sha256(packed.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_tag_that_is_there_is_left_alone_and_one_without_the_platform_is_told(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    there = empty(tmp_path / "there")
    entries, digest, _ = stored_image(there)
    with served(there, entries, tmp_path / "site") as site:
        name, registry = site.mirror("docker.io/library/debian:12"), Registry(Site())
        assert (
            make.make(BOOKWORM, BaseWish(("amd64",), to=name), registry, said.append)
            == f"{name}@{digest}"
        )
        assert (
            make.make(BOOKWORM, BaseWish(("amd64", "arm64"), to=name), registry, said.append)
            == f"{name}@{digest}"
        )
        assert all("is there already" in line for line in said)
        (finding,) = refused(
            lambda: make.make(BOOKWORM, BaseWish(("s390x",), to=name), registry, print)
        )
        assert finding.message == "it is there, but not for linux/s390x"


def test_a_mirror_that_does_not_answer_is_no_mirror_without_the_suite() -> None:
    date = b"Codename: bookworm\nDate: Sat, 21 Nov 2026 00:00:00 UTC\n"
    with serving() as web:
        web.file("debian/dists/bookworm/InRelease", date)
        web.on("debian/dists/bookworm-updates/InRelease", status(503))
        place = f"{web.url}debian"
        assert machine.release_date(place, "bookworm") == 1795219200
        assert machine.release_date(place, "trixie") is None
        (finding,) = refused(lambda: machine.release_date(place, "bookworm-updates"), code=3)
        assert "does not say what its bookworm-updates is: Failed to fetch" in finding.message
        assert "503" in finding.message


def test_the_tag_that_is_looked_for_is_moved_last() -> None:
    with writable_registry() as shelf:
        names = [f"{shelf.address}/hub/debian:{tag}" for tag in ("12", "bookworm")]
        digest = image.tag(image.index([]), INDEX, names, Registry(Site()))
        assert shelf.tags == {"hub/debian": {"12": digest, "bookworm": digest}}
        put = [asked for asked in shelf.asked if asked.startswith("PUT")]
        assert [asked.rpartition("/")[2] for asked in put] == ["bookworm", "12"]


def test_a_registry_that_is_not_there_is_told_before_anything_is_made(bakestone: Command) -> None:
    result = bakestone("base", "debian@12", "--to", "localhost:1/library/debian")
    assert result.exit_code == 3
    assert "the registry localhost:1 cannot be reached" in result.output
