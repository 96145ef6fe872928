"""The steps that fetch packages by apt and dnf, and what is taken of what they bring."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.lock.lock import Lock
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import INDEX, PACKAGE, Catalog
from bakestone.jobs.archive.collect import packages, rpms, wanted
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.jobs.archive.serve.routes import Routes
from bakestone.project import Project
from tests.support.archives import digest
from tests.support.samples import MANY, made_up_lock, project, refused


def test_packages_are_asked_for_as_the_lock_pins_them_one_step_a_base_and_platform(
    tmp_path: Path, library: Library
) -> None:
    made = project(tmp_path, MANY, library=library)
    lock = made_up_lock(made.matrix.variants, library)
    found = wanted.of(made.matrix.variants, library, lock)
    steps = packages.steps(found, lock)
    assert [(s.ref.rpartition("/")[2], s.platform) for s in steps] == [
        ("debian:12", "linux/amd64"),
        ("debian:12", "linux/arm64"),
        ("ubuntu:22.04", "linux/amd64"),
        ("ubuntu:24.04", "linux/amd64"),
    ]
    for step in steps:
        assert f"FROM {step.ref}@{lock.bases[step.ref].digest} AS set0" in step.text
        assert step.text.count("--download-only") == len(step.sets)
        script = step.text.partition(" AS set0\n")[2].splitlines()
        asked = [line for line in script if " install " in line]
        assert len(asked) == 2 * len(step.sets)
        assert all("--download-only" in line or "--print-uris" in line for line in asked)
        assert not [line for line in script if line.strip().startswith("packages ")]
    assert packages.key(steps) == packages.key(packages.steps(found, lock))
    fewer = wanted.of(made.matrix.variants[:1], library, lock)
    assert packages.key(packages.steps(fewer, lock)) != packages.key(steps)


def test_the_url_of_a_mirror_is_told_as_the_one_outside() -> None:
    site = Site(
        urls={
            "https://a.example.com/": "http://m.lab/a/",
            "https://a.example.com/deep/": "http://m.lab/a/deeper/",
        }
    )
    assert packages.canonical("http://m.lab/a/x.deb", site) == "https://a.example.com/x.deb"
    assert (
        packages.canonical("http://m.lab/a/deeper/x.deb", site)
        == "https://a.example.com/deep/x.deb"
    )
    assert packages.canonical("http://else.lab/x.deb", site) == "http://else.lab/x.deb"


def on_rocky(folder: Path, library: Library) -> tuple[Project, Lock, list[packages.PackageStep]]:
    """A project on Rocky Linux, and the steps that fetch its packages."""
    text = MANY.replace("distro: [debian@12]", "distro: [rocky@9]").replace(
        "platforms: [linux/amd64, linux/arm64]", "platforms: [linux/amd64]"
    )
    made = project(folder, text, library=library)
    lock = made_up_lock(made.matrix.variants, library)
    found = packages.steps(wanted.of(made.matrix.variants, library, lock), lock)
    return made, lock, [step for step in found if "rocky" in step.ref]


def test_packages_by_dnf_are_asked_for_at_the_lock_s_versions_in_one_step(
    tmp_path: Path, library: Library
) -> None:
    _, lock, (step,) = on_rocky(tmp_path, library)
    assert f"FROM {step.ref}@{lock.bases[step.ref].digest} AS packages" in step.text
    (line,) = (line for line in step.text.splitlines() if line.startswith('"$python" - \'{'))
    asked = json.loads(line.split("'")[1])
    for number, names in asked.items():
        closure = lock.packages[step.ref].versions[step.platform][
            step.sets[int(number)].wanted.names
        ]
        assert names == [
            f"{n.rpartition('.')[0]}-{version}.{n.rpartition('.')[2]}"
            for n, version in sorted(closure.items())
        ]
    assert len(asked) == len(step.sets)
    assert "--mount=type=secret,id=mirrors" in step.text
    assert "mkdir -p /out/debs" in step.text, "where the moment goes that makes the step new"
    assert "apt-get" not in step.text


def test_the_script_for_dnf_is_python_as_old_as_version_8_has(
    tmp_path: Path, library: Library
) -> None:
    _, _, (step,) = on_rocky(tmp_path, library)
    script = step.text.rpartition("<<'PYTHON'\n")[2].partition("\nPYTHON\n")[0]
    assert "EOF" not in script
    tree = ast.parse(script, feature_version=(3, 6))
    assert {"spelled", "fetched", "closure"} <= {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }


def test_a_set_that_the_base_has_already_brings_no_metadata(
    tmp_path: Path, library: Library
) -> None:
    _, lock, (step,) = on_rocky(tmp_path, library)
    for closures in lock.packages[step.ref].versions.values():
        closures.update({names: {} for names in closures})
    text = rpms.stage("rocky", step.sets, lock.packages[step.ref])
    assert "import dnf" not in text
    assert all(f"/out/{number}" in text for number in range(len(step.sets))), (
        "the lists are there, and empty"
    )


def test_what_dnf_brings_is_kept_under_its_addresses_and_https_is_no_hindrance(
    tmp_path: Path, library: Library
) -> None:
    _, lock, (step,) = on_rocky(tmp_path, library)
    layout = ArchiveLayout(tmp_path / "archive")
    layout.prepare()
    came = tmp_path / "came"
    (came / "debs").mkdir(parents=True)
    (came / "debs" / "aa").write_bytes(b"an rpm")
    address = "https://vendor.example.com/os/"
    for number in range(len(step.sets)):
        (came / str(number) / "lists").mkdir(parents=True)
        (came / str(number) / "lists" / "0-0").write_bytes(b"<repomd/>")
        (came / str(number) / "index").write_text(f"0-0 {address}repodata/repomd.xml\n", "utf-8")
        (came / str(number) / "uris").write_text(f"{address}Packages/g/g^1.rpm aa\n", "utf-8")
    entries = catalogs.merged(packages.taken([(step, came)], lock, Site(), layout))
    assert [(e.kind, e.name, e.digest) for e in entries] == [
        (INDEX, f"{address}repodata/repomd.xml", digest(b"<repomd/>")),
        (PACKAGE, f"{address}Packages/g/g^1.rpm", digest(b"an rpm")),
    ]
    routes = Routes(Catalog((), "", "", "", entries))
    asked = routes.find("/url/https/vendor.example.com/os/Packages/g/g%5e1.rpm")  # as dnf spells it
    assert asked is not None
    assert asked.digest == digest(b"an rpm")


@pytest.mark.parametrize(
    ("index", "uris"),
    [
        ("../../secret http://a.example.com/x", ""),
        ("/etc/passwd http://a.example.com/x", ""),
        ("0-0 file:///etc/passwd", ""),
        ("0-0 http://a.example.com/x\x1b[2J", ""),
        ("0-0", ""),
        ("link http://a.example.com/x", ""),
        ("", "http://a.example.com/x ../../secret"),
        ("", "'http://a.example.com/x' .. 1 MD5Sum:0"),
    ],
)
def test_what_a_base_image_writes_takes_no_file_of_this_machine(
    tmp_path: Path, library: Library, index: str, uris: str
) -> None:
    _, lock, (step,) = on_rocky(tmp_path, library)
    layout = ArchiveLayout(tmp_path / "archive")
    layout.prepare()
    secret = tmp_path / "secret"
    secret.write_text("of this machine", "utf-8")
    came = tmp_path / "came"
    (came / "debs").mkdir(parents=True)
    for number in range(len(step.sets)):
        (came / str(number) / "lists").mkdir(parents=True)
        (came / str(number) / "lists" / "link").symlink_to(secret)
        (came / str(number) / "index").write_text(index, "utf-8")
        (came / str(number) / "uris").write_text(uris, "utf-8")
    refused(lambda: packages.taken([(step, came)], lock, Site(), layout), code=3)
    assert secret.exists()
    assert list(layout.blobs.iterdir()) == []
