"""`bakestone library update` against a copy of NVIDIA's repositories on loopback in which versions
came, went and changed, signed by a key of their own.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakestone.core.library import vendored
from bakestone.core.library.component import BUILT_IN
from bakestone.core.library.indexed import LATER_PATCH
from bakestone.core.library.vendored import VendorPackage, VendorRules
from tests.support import plainyaml, webserver
from tests.support.aptrepository import ARMORED, AptRepository
from tests.support.command import Command
from tests.support.packageindex import Index
from tests.support.team import fewer
from tests.support.webserver import WebServer

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("gpg", "gpgv", "gpg-agent"))),
    reason="repositories are signed with gpg, which this machine lacks: `apt-get install gpg gpgv`",
)
VENDOR = "https://developer.download.nvidia.com/compute/cuda/repos/"
PLACES = [
    f"ubuntu{v}/{machine}/" for v in ("2404", "2204", "2004") for machine in ("x86_64", "sbsa")
]
CUDA13 = "+cuda13.1"
KEPT = ("2.32.3", "2.31.2", "2.27.7", "2.21.5", "2.8.3")
"""Wheels for each CUDA, packages, and both; an update reads and writes all that there are."""


class TeamsNccl:
    """A team's copy of the component nccl with a few of its versions, an index that has its wheels,
    and repositories that have its packages.
    """

    def __init__(self, folder: Path, server: WebServer, home: Path) -> None:
        self.server = server
        self.path = folder / "components" / "nccl"
        shutil.copytree(BUILT_IN / "nccl", self.path)
        versions = self.path / "versions.yaml"
        self.text = fewer(versions.read_text("utf-8"), *KEPT)
        versions.write_text(self.text, "utf-8")
        self.before = self.versions()
        self.index = Index(server, folder)
        self.index.copy(self.before)
        self.index.show()
        self.apt = AptRepository(server, home)
        own = self.path / "component.yaml"
        about = re.sub(r"[0-9A-F]{40}", self.apt.fingerprint, own.read_text("utf-8"))
        own.write_text(re.sub(r"/[0-9a-z]+\.pub", f"/{ARMORED}", about), "utf-8")
        site = plainyaml.data(self.index.site)
        site["mirrors"] = {"urls": {VENDOR: server.url}}
        self.index.site.write_text(yaml.safe_dump(site), "utf-8")
        for place in PLACES:
            self.apt.packages[place] = {}
        for data in self.before.values():
            for entry in data["methods"].get("apt", {}).get("packages", []):
                for name, version in entry["install"].items():
                    for repository in entry["repositories"]:
                        self._copy(repository, name, version)

    def _copy(self, repository: str, name: str, version: str) -> None:
        release, _, sbsa = repository.removeprefix("nvidia-").partition("-")
        place = f"{release}/{sbsa or 'x86_64'}/"
        if place in PLACES:
            self.apt.put(place, name, version)

    def put(self, version: str, *places: str) -> list[str]:
        """Both packages of NCCL; gives the checksums of the first."""
        for place in places:
            self.apt.put(place, "libnccl-dev", version)
        return [self.apt.put(place, "libnccl2", version) for place in places]

    def versions(self) -> dict[str, Any]:
        loaded: dict[str, Any] = plainyaml.data(self.path / "versions.yaml")["versions"]
        return loaded

    def own(self) -> dict[str, Any]:
        loaded: dict[str, Any] = plainyaml.data(self.path / "index.yaml")
        return loaded


@pytest.fixture
def server() -> Iterator[WebServer]:
    with webserver.serving() as running:
        yield running


@pytest.fixture
def nccl(tmp_path: Path, server: WebServer, bakestone: Command) -> Iterator[TeamsNccl]:
    with tempfile.TemporaryDirectory(prefix="keys") as home:  # gpg's sockets need a short name
        yield TeamsNccl(tmp_path, server, Path(home))


def update(bakestone: Command, nccl: TeamsNccl, *more: str, show: bool = True) -> Any:
    if show:
        nccl.apt.show()
    return bakestone("library", "update", "nccl", "--site", str(nccl.index.site), *more)


def said(done: Any) -> str:
    return " ".join(done.output.split())


def test_what_came_is_written_for_each_distro_and_nothing_is_lost(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    x86, arm = PLACES[:2]
    amd64, arm64 = nccl.put(f"2.99.1-1{CUDA13}", x86, arm)
    nccl.put("2.99.1-1+cuda13.0", x86, arm)
    nccl.put("2.99.1-1+cuda12.9", PLACES[2])
    nccl.apt.put(x86, "libnccl2", "2.99.2-1+cuda13.1")
    nccl.put("2.99.3-1+cuda10.2", x86)
    done = update(bakestone, nccl)
    assert done.exit_code == 0, done.output
    assert "1 new version" in done.output
    after = nccl.versions()
    assert next(iter(after)) == "2.99.1"
    assert {name: after[name] for name in nccl.before} == nccl.before
    both, other = after["2.99.1"]["methods"]["apt"]["packages"]
    files = both.pop("files")
    assert files["linux/amd64"]["libnccl2"] == {"sha256": amd64, "size": 7}
    assert files["linux/arm64"]["libnccl2"] == {"sha256": arm64, "size": 7}
    said_ = [f"{VENDOR}{place[:-1]}, signed; read " for place in (x86, arm)]
    assert [
        source[: len(start)] for source, start in zip(both["source"], said_, strict=True)
    ] == said_
    assert {k: v for k, v in both.items() if k != "source"} == {
        "when": {"distro": "ubuntu@24.04", "cuda": ">=13,<14"},
        "repositories": ["nvidia-ubuntu2404", "nvidia-ubuntu2404-sbsa"],
        "install": dict.fromkeys(("libnccl2", "libnccl-dev"), f"2.99.1-1{CUDA13}"),
        "confidence": "high",
    }
    assert other["when"] == {"distro": "ubuntu@22.04", "cuda": ">=12,<13"}
    assert other["platform"] == "linux/amd64"
    text = (nccl.path / "versions.yaml").read_text("utf-8")
    start, end = text.index('  "2.99.1":'), text.index(f'  "{next(iter(nccl.before))}":')
    assert text[:start] + text[end:] == nccl.text
    left_out = nccl.own()["left_out"]["apt/libnccl2"]
    assert left_out["2.99.1-1+cuda13.0"] == f"2.99.1-1{CUDA13} stands for it"
    assert left_out["2.99.2-1+cuda13.1"] == "libnccl-dev has no such version"
    assert left_out["2.99.3-1+cuda10.2"] == "it is no version of a form that the library has"
    assert nccl.own()["days"].keys() == {"apt/libnccl2"}
    checked = bakestone("component", "check", "nccl")
    assert checked.exit_code == 0, checked.output
    files_ = {path: path.read_bytes() for path in nccl.path.glob("*.yaml")}
    again = update(bakestone, nccl)
    assert "nothing new" in again.output
    assert {path: path.read_bytes() for path in nccl.path.glob("*.yaml")} == files_


def test_packages_of_a_version_that_is_there_are_added_behind_those_that_a_person_wrote(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    wheels_alone, packages = "2.32.3", "2.27.7"
    nccl.put(f"{wheels_alone}-1+cuda13.1", PLACES[0])
    nccl.put(f"{packages}-1+cuda13.0", PLACES[4])
    noted = nccl.text.replace(
        f"install: {{libnccl2: {packages}-1+cuda13.0, libnccl-dev: {packages}-1+cuda13.0}}",
        f"install: {{libnccl2: {packages}-1+cuda13.0, libnccl-dev: {packages}-1+cuda13.0}}  # ours",
    )
    assert noted.count("# ours") == 2
    (nccl.path / "versions.yaml").write_text(noted, "utf-8")
    checked = update(bakestone, nccl, "--check", "--format", "json")
    assert checked.exit_code == 1
    (found,) = json.loads(checked.stdout)["components"]
    assert found["further"] == [wheels_alone, packages]
    assert (nccl.path / "versions.yaml").read_text("utf-8") == noted
    done = update(bakestone, nccl)
    assert done.exit_code == 0, done.output
    assert f"{packages} (further files)" in done.output
    text = (nccl.path / "versions.yaml").read_text("utf-8")
    assert text.count("# ours") == 2
    assert [line for line in noted.splitlines() if line not in text.splitlines()] == []
    after = nccl.versions()
    *mine, new = after[packages]["methods"]["apt"]["packages"]
    assert mine == nccl.before[packages]["methods"]["apt"]["packages"]
    assert new["when"] == {"distro": "ubuntu@20.04", "cuda": ">=13,<14"}
    assert list(after[wheels_alone]["methods"]) == ["apt", "wheel"]
    assert after[wheels_alone]["methods"]["wheel"] == nccl.before[wheels_alone]["methods"]["wheel"]


def test_a_package_that_is_gone_is_told_and_stays_in_the_library(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    version = "2.27.7-1+cuda13.0"
    for place in PLACES[:2]:
        del nccl.apt.packages[place]["libnccl2", version]
    done = update(bakestone, nccl)
    assert done.exit_code == 0
    where = "nvidia-ubuntu2404 and nvidia-ubuntu2404-sbsa"
    assert f"nccl@2.27.7: warning: libnccl2={version} is no longer in {where}" in said(done)
    assert nccl.versions() == nccl.before


def test_a_package_that_was_replaced_is_an_error_and_stays_in_the_library(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    (before,) = nccl.put(f"2.99.1-1{CUDA13}", PLACES[0])
    update(bakestone, nccl)
    then = nccl.versions()
    now = nccl.apt.put(PLACES[0], "libnccl2", f"2.99.1-1{CUDA13}", SHA256="f" * 64)
    done = update(bakestone, nccl)
    assert done.exit_code == 1
    assert f"libnccl2=2.99.1-1{CUDA13} is another file now: {now}, not {before}" in said(done)
    assert nccl.versions() == then


def test_a_repository_with_its_signature_apart_is_read(bakestone: Command, nccl: TeamsNccl) -> None:
    nccl.put(f"2.99.1-1{CUDA13}", PLACES[0])
    nccl.apt.show()
    release = (nccl.apt.home / "Release").read_bytes()
    for place in PLACES:
        packed = gzip.decompress(_served(nccl.server, f"{place}Packages.gz"))
        nccl.apt.listed(place, packed)
        release = (nccl.apt.home / "Release").read_bytes()
        nccl.apt.signed(place, release, apart=True)
    done = update(bakestone, nccl, show=False)
    assert done.exit_code == 0, done.output
    assert "2.99.1" in nccl.versions()


def _served(server: WebServer, path: str) -> bytes:
    """What a server has at a path."""
    import requests

    return requests.get(f"{server.url}{path}", timeout=10).content


STANZA = "Package: libnccl2\nVersion: {}\nSize: {}\nSHA256: {}\n"
SUM = "a" * 64


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("no key", "the key is not there: "),
        ("another key", "the vendor's key is another one than "),
        ("a page for a key", "it is no OpenPGP key"),
        ("unsigned", "the release is not signed by the key "),
        ("signed by others", "the release is not signed by the key "),
        ("altered", "the release is not signed by the key "),
        ("no checksums", "the release has no SHA-256 of its lists"),
        ("another list", "the list of packages is not the one that was signed"),
        ("no list", "its list of packages answers 404"),
        ("too long", "it is longer than 16777216 bytes"),
        ("elsewhere", "leads to file:///etc/passwd"),
        (STANZA.format("2.9\x1b[31m-1+cuda13.0", 7, SUM), "the version of libnccl2 is none: '2.9"),
        (STANZA.format("$(id)-1+cuda13.0", 7, SUM), "the version of libnccl2 is none: "),
        (STANZA.format("2.99.1-1+cuda13.0", -7, SUM), "2.99.1-1+cuda13.0 has no SHA-256 and size"),
        (STANZA.format("2.99.1-1+cuda13.0", 7, "abc"), "2.99.1-1+cuda13.0 has no SHA-256 and size"),
        (
            STANZA.format("2.99.1-1+cuda13.0", 7, SUM)
            + "\n"
            + STANZA.format("2.99.1-1+cuda13.0", 7, "b" * 64),
            "it has two libnccl2 2.99.1-1+cuda13.0",
        ),
        ("<html>soon</html>", "what it answers is no list of packages"),
    ],
)
def test_what_is_no_repository_of_the_vendor_is_one_message_and_writes_nothing_of_it(
    kind: str, why: str, bakestone: Command, nccl: TeamsNccl, tmp_path: Path
) -> None:
    nccl.index.put("nvidia-nccl-cu13", "nvidia_nccl_cu13-2.98.0-py3-none-any.whl")
    nccl.index.show()
    nccl.put(f"2.99.1-1{CUDA13}", PLACES[0])
    nccl.apt.show()
    _spoil(kind, nccl)
    done = update(bakestone, nccl, show=False)
    assert done.exit_code == 3, done.output
    assert "\x1b" not in done.output
    (line,) = [line for line in done.output.splitlines() if line.startswith("nvidia-ubuntu2404 (")]
    assert why in line
    # what the index has is written, and no word of a list that cannot be trusted
    assert nccl.versions().keys() - nccl.before.keys() == {"2.98.0"}
    assert "days" not in nccl.own()


def _spoil(kind: str, nccl: TeamsNccl) -> None:
    """Have the first repository be other than its vendor made it."""
    server, place = nccl.server, PLACES[0]
    plain = (nccl.apt.home / "Release").read_bytes()
    key = f"/{place}{ARMORED}"
    if kind == "no key":
        del server.answers[key]
    elif kind in ("another key", "signed by others"):
        with tempfile.TemporaryDirectory(prefix="keys") as home:
            stranger = AptRepository(server, Path(home))
            mine = server.answers[key]
            stranger.signed(place, plain)
            if kind == "signed by others":
                server.answers[key] = mine
    elif kind == "a page for a key":
        server.file(f"{place}{ARMORED}", b"<html>soon</html>")
    elif kind == "unsigned":
        server.file(f"{place}InRelease", plain)
    elif kind == "altered":
        text = _served(server, f"{place}InRelease")
        server.file(f"{place}InRelease", text.replace(b"Origin: vendor", b"Origin: nobody"))
    elif kind == "no checksums":
        nccl.apt.signed(place, b"Origin: vendor\nMD5Sum:\n")
    elif kind == "another list":
        server.file(f"{place}Packages.gz", gzip.compress(b"Package: libnccl2\n"))
    elif kind == "no list":
        del server.answers[f"/{place}Packages.gz"]
    elif kind == "too long":
        server.file(f"{place}InRelease", bytes(2**24 + 1))
    elif kind == "elsewhere":
        server.on(f"{place}InRelease", webserver.redirect("file:///etc/passwd"))
    else:
        nccl.apt.listed(place, kind.encode())


def test_without_gpgv_no_repository_is_read(
    bakestone: Command, nccl: TeamsNccl, monkeypatch: pytest.MonkeyPatch
) -> None:
    nccl.put(f"2.99.1-1{CUDA13}", PLACES[0])
    nccl.apt.show()
    monkeypatch.setenv("PATH", "")
    done = update(bakestone, nccl, show=False)
    assert done.exit_code == 3
    assert (
        "gpgv: there is no gpgv, which checks the signatures of package repositories" in done.output
    )
    assert nccl.versions() == nccl.before


def test_a_repository_that_the_component_does_not_have_is_told_with_its_place(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    path = nccl.path / "index.yaml"
    text = path.read_text("utf-8").replace("nvidia-ubuntu2404-sbsa", "nvidia-ubuntu2404-riscv")
    path.write_text(text, "utf-8")
    done = update(bakestone, nccl)
    assert done.exit_code == 1
    assert "there is no repository nvidia-ubuntu2404-riscv" in done.output
    assert re.search(r"components/nccl/index\.yaml:\d+:\d+", done.output)


def packages(*named: str) -> dict[str, dict[str, VendorPackage]]:
    """Packages from `name version`, or `name version: what it depends on`."""
    found: dict[str, dict[str, VendorPackage]] = {}
    for text in named:
        about, _, depends = text.partition(": ")
        name, version = about.split()
        found.setdefault(name, {})[version] = VendorPackage(name, version, SUM, 7, depends)
    return found


def test_a_release_says_by_what_it_depends_on_which_versions_its_packages_have() -> None:
    rules = VendorRules.of(
        {
            "builds": [
                {
                    "release": "cuda-toolkit-{minor}",
                    "install": ["cuda-cudart-{minor}", "cuda-minimal-build-{minor}"],
                    "optional": ["cuda-nvtx-{minor}"],
                    "version": "{version}-1",
                }
            ],
            "repositories": [{"distro": "ubuntu@24.04", "from": ["main"]}],
        }
    )
    shelf = packages(
        "cuda-toolkit-14-0 14.0.0-1: cuda-libraries-14-0 (>= 14.0.0), other | another",
        "cuda-toolkit-14-0 14.0.1-1: cuda-libraries-14-0 (>= 14.0.1)",
        "cuda-libraries-14-0 14.0.0-1: cuda-cudart-14-0 (>= 14.0.48)",
        "cuda-libraries-14-0 14.0.1-1: cuda-cudart-14-0 (>= 14.0.96), cuda-toolkit-14-0 (>= 14)",
        "cuda-cudart-14-0 14.0.48-1",
        "cuda-cudart-14-0 14.0.96-1",
        "cuda-minimal-build-14-0 14.0.0-1",
        "cuda-minimal-build-14-0 14.0.1-1",
        "cuda-nvtx-14-0 14.0.39-1",
        "cuda-toolkit-14-1 14.1.0-1",
    )
    shelves = {("main", "linux/amd64"): shelf}
    found = vendored.vendored(rules, shelves, {})
    assert {v: entry["install"] for v, (entry,) in found.versions.items()} == {
        "14.0.1": {"cuda-cudart-14-0": "14.0.96-1", "cuda-minimal-build-14-0": "14.0.1-1"},
        "14.0.0": {"cuda-cudart-14-0": "14.0.48-1", "cuda-minimal-build-14-0": "14.0.0-1"},
    }
    assert found.left_out == {
        ("apt/cuda-toolkit", "14.1.0-1"): "cuda-cudart-14-1 has no such version"
    }
    last = vendored.vendored(rules, shelves, {}, last_patches=True)
    assert list(last.versions) == ["14.0.1"]
    assert last.left_out["apt/cuda-toolkit", "14.0.0-1"] == LATER_PATCH
    held = vendored.vendored(rules, shelves, {"14.0.0": []}, last_patches=True)
    assert list(held.versions) == ["14.0.1", "14.0.0"]
