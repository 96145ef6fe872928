"""Every other reader: of locks, site files, components, journals, releases, archives, registries
and indexes, and the command line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from bakestone.cli.app import main
from bakestone.clients.index import page
from bakestone.clients.registry import manifest
from bakestone.clients.registry.manifest import Manifest
from bakestone.clients.site import site
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.lock import lockfile, survey
from bakestone.core.render import release
from bakestone.errors import BakestoneError
from bakestone.jobs.archive import catalog
from bakestone.jobs.archive.catalog import ArchivedBlob, Catalog
from tests.campaign.calm import answer, check_said
from tests.campaign.hostile import SECRET, TEXTS, altered, dumped, torn
from tests.campaign.tally import Tally
from tests.support.samples import AZUREML, MANY, locked, stale

FEW = st.integers(0, 3)
ROOT = Path(__file__).parents[2]


def tried(tally: Tally, found: object) -> bool:
    """Counts; whether it was taken."""
    taken = not isinstance(found, BakestoneError)
    tally("taken" if taken else "refused")
    return taken


def test_a_lock(library: Library, tmp_path: Path, tally: Tally, inputs: settings) -> None:
    made = locked(tmp_path, MANY + AZUREML.partition("families:\n")[2], library=library)
    data = yaml.safe_load(made.lock_path.read_text("utf-8"))
    needs = survey.collect(made.matrix.variants, library)

    @inputs
    @given(altered(data, FEW), st.data())
    def each(document: Any, more: st.DataObject) -> None:
        made.lock_path.write_bytes(more.draw(torn(dumped(document))))
        lock = answer(lambda: lockfile.load(made.lock_path))
        if tried(tally, lock):
            assert not isinstance(lock, BakestoneError)
            for finding in stale(lock, needs, made.lock_path):
                check_said(finding.message, secret=False)
            lockfile.write(lock, tmp_path / "again.yaml")
            # what is empty is left out
            assert lockfile.dump(lockfile.load(tmp_path / "again.yaml")) == lockfile.dump(lock)

    each()


SITE = {
    "version": 1,
    "registry": "registry.example.com/base",
    "mirrors": {
        "registries": {"docker.io/library": "mirror.example.com/library"},
        "urls": {"https://download.example.com/": "https://mirror.example.com/files/"},
    },
    "proxies": {"https": "http://proxy.example.com:3128", "no_proxy": ["localhost"]},
    "pins": {"debian": "snapshot", "ubuntu@24.04": "versions"},
    "credentials": [
        {"host": "mirror.example.com", "username": "bob", "password": {"env": "PASSWORD"}}
    ],
    "insecure": ["mirror.example.com"],
}


def test_a_site_file(tmp_path: Path, tally: Tally, inputs: settings) -> None:
    path = tmp_path / "site.yaml"

    @inputs
    @given(altered(SITE, FEW), st.data())
    def each(document: Any, more: st.DataObject) -> None:
        path.write_bytes(more.draw(torn(dumped(document))))
        found = answer(lambda: site.load(path), secret=True)
        tried(tally, found)

    each()


@pytest.mark.parametrize("name", ["openmpi", "debian", "cuda", "python"])
def test_a_component_of_a_team(name: str, tmp_path: Path, tally: Tally, inputs: settings) -> None:
    folder = tmp_path / "components" / f"my{name}"
    folder.mkdir(parents=True)
    own = yaml.safe_load((BUILT_IN / name / "component.yaml").read_text("utf-8"))
    own |= {"component": f"my{name}"}
    own.pop("rules", None)
    known = yaml.safe_load((BUILT_IN / name / "versions.yaml").read_text("utf-8"))["versions"]
    versions = {"versions": dict(list(known.items())[:2])}

    @inputs
    @given(altered(own, FEW), altered(versions, FEW), st.data())
    def each(component: Any, data: Any, more: st.DataObject) -> None:
        (folder / "component.yaml").write_bytes(more.draw(torn(dumped(component))))
        (folder / "versions.yaml").write_bytes(more.draw(torn(dumped(data))))

        def read() -> object:
            found = Library(tmp_path / "components").get(f"my{name}")
            assert found
            return [(v.version, v.measure, v.conditions) for v in found.versions.values()]

        tried(tally, answer(read))

    each()


def test_a_release(tmp_path: Path, tally: Tally, inputs: settings) -> None:
    path = tmp_path / "release.json"
    digest = "sha256:" + "a" * 64
    image = {
        "family": "first",
        "name": "openmpi5.0.10-debian12",
        "repository": "localhost:5000/base/first",
        "tag": "openmpi5.0.10-debian12",
        "digest": digest,
        "fingerprint": "b" * 64,
        "platforms": {"linux/amd64": digest},
        "size": 5,
        "base": {"ref": "docker.io/library/debian:12", "digest": digest},
        "slots": {"mpi": "openmpi@5.0.10"},
        "inventory": {
            "variant": "openmpi5.0.10-debian12",
            "user": "root",
            "fuse": "",
            "components": {
                "mpi": {
                    "component": "openmpi",
                    "pinned": "5.0.10",
                    "measured": {"version": "5.0.10"},
                }
            },
        },
    }

    @inputs
    @given(altered({"version": 1, "registry": "localhost:5000/base", "images": [image]}, FEW))
    def each(document: Any) -> None:
        path.write_text(json.dumps(document, default=str), "utf-8")
        tried(tally, answer(lambda: release.read(path)))

    each()


def test_an_archive_s_catalog(tally: Tally, inputs: settings) -> None:
    entry = ArchivedBlob("image", "docker.io/library/debian:12", DIGEST, 3, variants=("a",))
    good = Catalog(("family=first",), "version: 1\n", "version: 1\n", "x", (entry,))
    made = json.loads(catalog.dump(good))

    @inputs
    @given(altered(made, FEW))
    def each(document: Any) -> None:
        raw = json.dumps(document, default=str).encode()
        tried(tally, answer(lambda: catalog.parse(raw, "catalog.json")))

    each()


DIGEST = "sha256:" + "a" * 64
DESCRIPTOR = {
    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
    "digest": DIGEST,
    "size": 3,
}
INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        DESCRIPTOR | {"platform": {"os": "linux", "architecture": "amd64"}},
        DESCRIPTOR | {"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
    ],
    "annotations": {"a": "b"},
}
IMAGE = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": DESCRIPTOR,
    "layers": [DESCRIPTOR],
}


@pytest.mark.parametrize("good", [INDEX, IMAGE], ids=["index", "manifest"])
def test_what_a_registry_answers(good: dict[str, Any], tally: Tally, inputs: settings) -> None:
    def read(raw: bytes) -> object:
        manifest.check_manifest(raw)
        made = Manifest(DIGEST, good["mediaType"], raw)
        return (made.data, made.platforms, made.layers, made.config)

    @inputs
    @given(altered(good, FEW))
    def each(document: Any) -> None:
        raw = json.dumps(document, default=str).encode()
        try:
            tried(tally, answer(lambda: read(raw)))
        except ValueError as problem:  # told by the client with the reference
            check_said(str(problem)[:1], secret=False)
            tally("refused")

    each()


PAGE = {
    "meta": {"api-version": "1.1"},
    "name": "openmpi",
    "versions": ["5.0.10"],
    "files": [
        {
            "filename": "openmpi-5.0.10-py2.py3-none-manylinux_2_28_x86_64.whl",
            "url": "https://files.example.com/openmpi-5.0.10.whl",
            "hashes": {"sha256": "a" * 64},
            "requires-python": ">=3.6",
            "size": 3,
            "yanked": False,
            "upload-time": "2026-11-22T00:00:00.000000Z",
        }
    ],
}


def test_what_an_index_answers(tally: Tally, inputs: settings) -> None:
    @inputs
    @given(altered(PAGE, FEW))
    def each(document: Any) -> None:
        raw = json.dumps(document, default=str).encode()
        kind = "application/vnd.pypi.simple.v1+json"
        try:
            found = answer(lambda: page.listed(raw, kind, "https://index.example.com/openmpi/"))
        except ValueError:  # told by the client with the page's address
            tally("refused")
        else:
            tried(tally, found)

    each()


COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "list": lambda word: ["list", word],
    "list registry": lambda word: ["list", "--registry", word],
    "explain": lambda word: ["explain", word],
    "dockerfile": lambda word: ["dockerfile", word],
    "generate output": lambda word: ["generate", "--check", "-o", word],
    "lock": lambda word: ["lock", "--update", word],
    "lock diff": lambda word: ["lock", "--diff", word],
    "bump": lambda word: ["bump", "--dry-run", "openmpi", word],
    "versions": lambda word: ["versions", word],
    "search": lambda word: ["search", word],
    "export": lambda word: ["export", word],
    "site": lambda word: ["validate", "--site", word],
    "at": lambda word: ["validate", "--at", word],
    "file": lambda word: ["validate", "-f", word],
    "component new": lambda word: ["component", "new", word, "--version", word, "--url", word],
    "archive serve": lambda word: ["archive", "verify", word],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_line(
    name: str,
    library: Library,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tally: Tally,
    inputs: settings,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BAKESTONE_SITE", raising=False)
    locked(tmp_path, MANY, library=library)
    words = st.sampled_from([*TEXTS, "openmpi@5.0.10", "family=cpu", ".", "images.yaml"]) | st.text(
        st.characters(codec="utf-8"), max_size=30
    )
    words = words.filter(lambda word: "\0" not in word)  # no system takes it as an argument

    @inputs
    @given(words)
    def each(word: str) -> None:
        result = CliRunner().invoke(main, COMMANDS[name](word), prog_name="bakestone")
        assert result.exit_code in (0, 1, 2, 3), result.output
        fault = result.exception and not isinstance(result.exception, SystemExit)
        assert not fault, result.exception
        assert "a fault of bakestone" not in result.output
        assert "Traceback" not in result.output
        assert SECRET not in result.output or SECRET not in word
        tally("done" if result.exit_code == 0 else "refused")

    each()
