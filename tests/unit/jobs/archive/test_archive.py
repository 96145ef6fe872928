"""An archive on disk: nothing is in it that is not what its digest says, and what is wrong is named
with what it stops.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bakestone.clients.site.site import Site, load
from bakestone.core.library.catalog import Library
from bakestone.core.lock.lock import Lock
from bakestone.errors import BakestoneError
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import (
    FILE,
    IMAGE,
    INDEX,
    PACKAGE,
    PART,
    WHEEL,
    ArchivedBlob,
    Catalog,
)
from bakestone.jobs.archive.collect import packages, rpms, wanted
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.jobs.archive.serve import sitefile
from bakestone.jobs.archive.serve.routes import Answers
from bakestone.project import Project
from tests.support.samples import MANY, made_up_lock, project, refused
from tests.unit.conftest import Command

LIST = "http://deb.example.com/debian/dists/bookworm/InRelease"
TARBALL = "https://files.example.com/greeting-1.0.tar.gz"
WHEEL_FILE = "bakestone_greeting-1.0-py3-none-any.whl"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def filled(folder: Path) -> tuple[ArchiveLayout, Catalog]:
    """An archive with one blob of each kind, whose bytes are the kind's name."""
    layout = ArchiveLayout(folder)
    layout.prepare()
    names = {
        IMAGE: "docker.io/library/debian:12",
        PART: "docker.io/library/debian",
        INDEX: LIST,
        FILE: TARBALL,
        PACKAGE: "http://deb.example.com/debian/pool/g/git_2.39.5-0%2bdeb12u3_amd64.deb",
        WHEEL: WHEEL_FILE,
    }
    entries = [
        ArchivedBlob(
            kind,
            name,
            layout.put(kind.encode()),
            len(kind),
            "application/vnd.oci.image.index.v1+json" if kind == IMAGE else catalogs.PLAIN,
            ("v1",),
        )
        for kind, name in names.items()
    ]
    catalog = Catalog((), "version: 1\n", "version: 1\n", "key", catalogs.merged(entries))
    layout.seal(catalog)
    return layout, catalog


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
    with pytest.raises(ZeroDivisionError), layout.writing() as sink:
        sink.write(b"half" * (1 // 0))
    assert list(layout.blobs.iterdir()) == []


def test_what_a_killed_run_left_is_cleared_and_whole_blobs_stay(tmp_path: Path) -> None:
    layout = ArchiveLayout(tmp_path)
    layout.prepare()
    kept = layout.put(b"whole")
    (layout.blobs / ".new-abc").write_bytes(b"ha")
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


def test_the_site_file_is_one_that_loads_and_maps_everything(tmp_path: Path) -> None:
    _, catalog = filled(tmp_path / "archive")
    own = Site(registry="registry.example.com/base", insecure=("registry.lab:5000",), builder="big")
    site = load(
        sitefile.write(tmp_path / "site", catalog, own, "localhost:8650", "172.17.0.1:8650")
    )
    assert (
        site.mirror("docker.io/library/debian:12") == "localhost:8650/docker.io/library/debian:12"
    )
    assert (
        site.urls["https://files.example.com/"]
        == "http://172.17.0.1:8650/url/https/files.example.com/"
    )
    assert (site.registry, site.insecure, site.builder) == (own.registry, own.insecure, own.builder)
    assert 'Proxy "http://172.17.0.1:8650/"' in site.files["apt"].read_text("utf-8")
    assert "index-url = http://172.17.0.1:8650/simple/" in site.files["pip"].read_text("utf-8")


def test_what_is_wanted_names_the_variants_and_the_platforms(
    tmp_path: Path, library: Library
) -> None:
    made = project(tmp_path, MANY, library=library)
    lock = made_up_lock(made.matrix.variants, library)
    found = wanted.of(made.matrix.variants, library, lock)
    names = {v.name for v in made.matrix.variants}
    assert {name for users in found.images.values() for name in users.variants} == names
    (gpu,) = (v for v in made.matrix.variants if v.family.name == "gpu")
    assert set(found.images["docker.io/library/debian:12"].platforms) == {
        "linux/amd64",
        "linux/arm64",
    }
    assert {w.variants for w in found.wheels} == {(gpu.name,)}
    assert all(f.sha256 == lock.artifacts[f.url].sha256 for f in found.files)


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
        assert 'apt-get "$@" install --yes --no-install-recommends' not in step.text, (
            "nothing is installed"
        )
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
    made, lock, (step,) = on_rocky(tmp_path, library)
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
    entries = catalogs.merged(
        packages.taken(
            [(step, came)], wanted.of(made.matrix.variants, library, lock), lock, Site(), layout
        )
    )
    assert [(e.kind, e.name, e.digest) for e in entries] == [
        (INDEX, f"{address}repodata/repomd.xml", digest(b"<repomd/>")),
        (PACKAGE, f"{address}Packages/g/g^1.rpm", digest(b"an rpm")),
    ]
    answers = Answers(Catalog((), "", "", "", entries))
    asked = answers.find(
        "/url/https/vendor.example.com/os/Packages/g/g%5e1.rpm"
    )  # as dnf spells it
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
    made, lock, (step,) = on_rocky(tmp_path, library)
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
    found = wanted.of(made.matrix.variants, library, lock)
    refused(lambda: packages.taken([(step, came)], found, lock, Site(), layout), code=3)
    assert secret.exists()
    assert list(layout.blobs.iterdir()) == []


def test_a_base_without_a_digest_is_refused_by_name(tmp_path: Path, library: Library) -> None:
    made = project(tmp_path, MANY, library=library)
    lock = made_up_lock(made.matrix.variants, library)
    lock.bases["docker.io/library/debian:12"] = replace(
        lock.bases["docker.io/library/debian:12"], digest=""
    )
    (finding,) = refused(lambda: wanted.of(made.matrix.variants, library, lock))
    assert finding.message.startswith("docker.io/library/debian:12 has no digest in the lock")
