"""Packages of a snapshot, or of an archive that no longer changes, are looked up there: one that it
does not have is refused by name.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bakestone.core.lock import lockfile
from bakestone.core.lock.lock import LockedPackages
from tests.support.command import Command
from tests.support.registryserver import RegistryServer
from tests.support.webserver import Answer, body, serving, status

SNAPSHOTS, ARCHIVES = "snapshots", "archives"
MATRIX = """\
version: 1
registry: localhost:5000/base
families:
  - name: tools
    platforms: [linux/amd64]
    axes:
      distro: [{distro}]
    packages: [{packages}]
"""
OF_THE_LIBRARY = (
    *("bzip2", "ca-certificates", "openssh-client", "wget", "fuse", "libfuse2"),
    *("g++", "gcc", "libc6-dev", "make"),
)
"""What both distros have in every image."""
PINS = {"debian@12": "snapshot", "ubuntu@18.04": "frozen"}


class Place:
    """A team's folder beside a stand-in for registry, snapshot service and archive."""

    def __init__(self, folder: Path, server: RegistryServer, run: Command) -> None:
        self.folder, self.server, self.run = folder, server, run
        self.packages: dict[str, list[str]] = {}
        self.instead: dict[str, Answer] = {}
        server.server.otherwise = self._answer
        urls = {
            "http://snapshot.debian.org/archive/": SNAPSHOTS,
            "http://archive.ubuntu.com/": ARCHIVES,
            "http://security.ubuntu.com/": ARCHIVES,
        }
        mirrors = ", ".join(f"{old}: {server.server.url}{new}/" for old, new in urls.items())
        text = server.site(pins="{}", more=f"  urls: {{{mirrors}}}\n")
        (folder / "site.yaml").write_text(text, "utf-8")

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        suite, _, rest = request.path.rpartition("/dists/")[2].partition("/")
        if rest == "InRelease":
            body(f"Origin: x\nCodename: {suite}\n".encode())(request)
        elif rest.endswith(("Packages.xz", "Packages.gz", "Packages")):
            of = rest.partition("/")[0]
            words = self.packages.get(f"{suite} {of}", [])
            lines = "\n".join(f"Package: {word}\nVersion: 1-{suite}\n" for word in words)
            ok = rest.endswith(".xz")
            found = body(lzma.compress(lines.encode())) if ok else status(404)
            self.instead.get(of, found)(request)
        else:
            status(404)(request)

    def lock(self, distro: str, packages: str = "", *more: str, code: int = 0) -> str:
        text = MATRIX.format(distro=distro, packages=packages)
        (self.folder / "images.yaml").write_text(text, "utf-8")
        result = self.run("lock", "--site", "site.yaml", *more)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result.output

    @property
    def entry(self) -> LockedPackages:
        (found,) = lockfile.load(self.folder / "images.lock.yaml").packages.values()
        return found

    @property
    def lists(self) -> list[str]:
        return [path for path in self.server.server.asked if "/Packages" in path]


@pytest.fixture
def place(tmp_path: Path, bakestone: Command) -> Iterator[Place]:
    with serving() as web:
        server = RegistryServer(web)
        server.put("library/debian", "12")
        server.put("library/ubuntu", "18.04")
        place = Place(tmp_path, server, bakestone)
        for suite in ("bookworm", "bionic"):
            place.packages[f"{suite} main"] = list(OF_THE_LIBRARY)
            place.packages[f"{suite}-updates main"] = ["newer"]
        place.packages["bionic universe"] = ["elsewhere"]
        yield place


@pytest.mark.parametrize("distro", PINS)
def test_a_package_that_is_not_there_is_refused_by_name(distro: str, place: Place) -> None:
    said = place.lock(distro, "newer, no-such-package", code=1)
    ref = f"docker.io/library/{distro.replace('@', ':')}"
    assert (
        f"{ref}: there is no package no-such-package for {ref} (linux/amd64); family tools asks for"
        f" it on {distro}" in " ".join(said.split())
    )
    assert "correct `packages` in images.yaml or in the component" in " ".join(said.split())
    assert not (place.folder / "images.lock.yaml").exists()


@pytest.mark.parametrize("distro", PINS)
def test_a_version_that_the_archive_has_is_locked_and_another_is_told_with_those_that_there_are(
    distro: str, place: Place
) -> None:
    suite = {"debian@12": "bookworm", "ubuntu@18.04": "bionic"}[distro]
    said = " ".join(place.lock(distro, "newer=7", code=1).split())
    assert f"there is no package newer=7 for docker.io/library/{distro.replace('@', ':')}" in said
    assert f"asks for it on {distro}; of newer there is 1-{suite}-updates" in said
    assert "the lock pins the version of the day" in said
    place.lock(distro, f"newer=1-{suite}-updates, wget=1-{suite}")
    (names,) = place.entry.install
    assert {f"newer=1-{suite}-updates", f"wget=1-{suite}"} < {*names}
    assert "wget" not in names, "a component asks for the name alone"


@pytest.mark.parametrize("distro", PINS)
def test_a_package_that_a_component_asks_for_is_refused_by_its_name(
    distro: str, place: Place
) -> None:
    for words in place.packages.values():
        if "libfuse2" in words:
            words.remove("libfuse2")
    said = " ".join(place.lock(distro, code=1).split())
    assert f"there is no package libfuse2 for docker.io/library/{distro.replace('@', ':')}" in said
    assert f"{distro} asks for it on {distro}" in said


@pytest.mark.parametrize("distro", PINS)
def test_all_that_is_there_is_locked_and_each_list_read_once(distro: str, place: Place) -> None:
    said = place.lock(distro, "newer")
    assert f"{distro}: looking up 11 packages in the archive " in said
    assert (place.entry.pins, place.entry.note) == (PINS[distro], "")
    assert len(place.lists) == len(set(place.lists))
    assert all(path.endswith("/Packages.xz") for path in place.lists)
    before, asked = place.entry, len(place.server.server.asked)
    place.lock(distro, "newer")
    assert place.entry == before
    assert [path for path in place.server.server.asked[asked:] if "dists" in path] == []


def test_what_comes_in_later_is_looked_up_and_nothing_else(place: Place) -> None:
    place.lock("debian@12")
    place.packages.clear()
    place.packages["bookworm-security main"] = ["added"]
    assert "debian@12: looking up 1 package in the archive as of " in place.lock(
        "debian@12", "added"
    )
    assert "there is no package" in place.lock("debian@12", "added", "--update", code=1)


def test_a_list_that_is_not_needed_is_not_fetched(place: Place) -> None:
    place.lock("ubuntu@18.04", "newer")
    assert not any("universe" in path for path in place.lists)
    place.lock("ubuntu@18.04", "elsewhere")
    assert any("universe" in path for path in place.lists)


WHY: dict[str, tuple[Callable[[], Answer], str]] = {
    "an error": (lambda: status(403), "it answers 403"),
    "a page": (lambda: body(b"<html>"), "a list of packages that cannot be unpacked"),
    "half of it": (
        lambda: body(lzma.compress(b"Package: bzip2\n" * 99)[:-40]),
        "a list of packages that cannot be unpacked to its end",
    ),
    "nothing": (lambda: status(404), "it answers 404"),
}


@pytest.mark.parametrize(("answer", "why"), WHY.values(), ids=list(WHY))
@pytest.mark.parametrize("distro", PINS)
def test_where_nobody_can_say_the_lock_says_so(
    distro: str, answer: Callable[[], Answer], why: str, place: Place
) -> None:
    place.instead["main"] = answer()
    place.lock(distro)
    assert place.entry.note.startswith("nobody verified that its packages are there: ")
    assert why in place.entry.note
    text = (place.folder / "images.lock.yaml").read_bytes()
    place.lock(distro)
    assert (place.folder / "images.lock.yaml").read_bytes() == text
    place.instead.clear()
    place.lock(distro, "", "--update")
    assert place.entry.note == ""


def test_an_archive_that_the_library_does_not_know_is_named(place: Place) -> None:
    path = place.folder / "site.yaml"
    path.write_text(path.read_text("utf-8").replace("pins: {}", "pins: {debian: frozen}"), "utf-8")
    place.lock("debian@12")
    assert place.entry.note == (
        "nobody verified that its packages are there: the library does not say where the archive of"
        " debian@12 is"
    )
