"""The SBOM of every kind of variant is valid SPDX 2.3 and names what the lock names; attestations
leave images as they are.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from bakestone.core.library.catalog import Library
from bakestone.jobs.publish.attest import index, publish
from bakestone.project import Project
from tests.support.builder import inventory
from tests.support.samples import EPOCH, MANY, locked, made_up

DIGEST = f"sha256:{made_up('image')}"


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    return locked(tmp_path, MANY, library=library)


def sbom(
    made: Project, name: str, platform: str = "linux/amd64", measured: dict[str, Any] | None = None
) -> dict[str, Any]:
    plan = made.plan(made.select([name]))
    content: dict[str, Any] = inventory(plan.variants[0].variant)
    for slot, facts in (measured or {}).items():
        content["components"][slot]["measured"] = facts
    return publish.sbom(plan, plan.variants[0], platform, DIGEST, content)


def purls(document: dict[str, Any]) -> set[str]:
    return {
        ref["referenceLocator"] for p in document["packages"] for ref in p.get("externalRefs", [])
    }


def test_every_sbom_is_valid_spdx(made: Project) -> None:
    for variant in made.matrix.variants:
        for platform in variant.platforms:
            document = sbom(made, variant.name, platform)
            parser = JsonLikeDictParser()  # type: ignore[no-untyped-call]
            read = parser.parse(json.loads(json.dumps(document)))
            assert validate_full_spdx_document(read, "SPDX-2.3") == []


def test_an_sbom_names_each_package_of_the_closure_of_its_platform(made: Project) -> None:
    name = next(v.name for v in made.matrix.variants if v.family.name == "gpu")
    (variant,) = made.select([name])
    locked_sets = made.lock.packages[variant.base.ref].versions
    for platform, architecture, other in (
        ("linux/amd64", "amd64", "arm64"),
        ("linux/arm64", "arm64", "amd64"),
    ):
        document = sbom(made, name, platform)
        named = {(p["name"], p.get("versionInfo")) for p in document["packages"]}
        closures = locked_sets[platform].values()
        assert {pair for closure in closures for pair in closure.items()} <= named
        debs = {p for p in purls(document) if p.startswith("pkg:deb/debian/")}
        assert debs
        assert all(f"arch={architecture}&distro=debian-12" in p for p in debs)
        assert f"libmade-up-{other}" not in {n for n, _ in named}


def test_an_sbom_names_base_components_files_and_wheels(made: Project) -> None:
    document = sbom(
        made,
        "openmpi5.0.10-cuda13.0.2-cudnn9-debian12",
        measured={"mpi": {"version": "5.0.10", "ranks": "2"}},
    )
    by_name = {p["name"]: p for p in document["packages"]}
    assert by_name["docker.io/library/debian:12"]["checksums"][0]["checksumValue"] == made_up(
        "docker.io/library/debian:12", "linux/amd64"
    )
    wheel = made.lock.wheels["nvidia-nccl-cu13==2.27.7"].files["linux/amd64"]
    assert by_name["nvidia-nccl-cu13"]["checksums"] == [
        {"algorithm": "SHA256", "checksumValue": wheel[1]}
    ]
    assert any(p.startswith("pkg:pypi/nvidia-nccl-cu13@2.27.7") for p in purls(document))
    (openmpi,) = (
        p for p in document["packages"] if p["SPDXID"].startswith("SPDXRef-component-openmpi-")
    )
    assert "measured in the image: version 5.0.10, ranks 2" in openmpi["comment"]
    assert openmpi["licenseDeclared"] == "BSD-3-Clause"
    assert {x["licenseId"] for x in document["hasExtractedLicensingInfos"]} >= {
        "LicenseRef-NVIDIA-CUDA-EULA"
    }
    source = sbom(made, next(v.name for v in made.matrix.variants if v.family.name == "cpu"))
    artifact = next(p for p in source["packages"] if p["name"].startswith("openmpi-"))
    assert artifact["downloadLocation"].startswith("https://download.open-mpi.org/")
    assert (
        made.lock.artifacts[artifact["downloadLocation"]].sha256
        == artifact["checksums"][0]["checksumValue"]
    )


def test_an_sbom_has_the_time_of_the_lock_and_is_the_same_every_time(made: Project) -> None:
    name = made.matrix.variants[0].name
    assert sbom(made, name) == sbom(made, name)
    assert sbom(made, name)["creationInfo"]["created"] == datetime.datetime.fromtimestamp(
        EPOCH, datetime.UTC
    ).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_an_archive_pinned_as_a_whole_gives_names_and_its_time(made: Project) -> None:
    document = sbom(
        made, next(v.name for v in made.matrix.variants if v.distro.text == "ubuntu@22.04")
    )
    packages = [p for p in document["packages"] if p["SPDXID"].startswith("SPDXRef-package-")]
    assert packages
    assert all(p["comment"] == "of the archive as it was at 20261122T000000Z" for p in packages)


def test_the_index_keeps_the_images_and_names_each_attestation() -> None:
    image = {
        "digest": DIGEST,
        "size": 5,
        "mediaType": index.MANIFEST,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    statement = index.statement("https://spdx.dev/Document", "pkg:docker/x", DIGEST, {"a": 1})
    manifest, config = index.manifest([("https://spdx.dev/Document", statement.descriptor)])
    top = json.loads(index.index([image], {DIGEST: manifest}).content)
    assert index.images(top) == [image]
    assert index.attested_by(top, DIGEST) == [manifest.digest]
    assert index.is_done(top)
    assert not index.is_done({"manifests": top["manifests"]})
    held = json.loads(manifest.content)
    assert held["config"] == config.descriptor
    assert json.loads(config.content)["rootfs"]["diff_ids"] == [statement.digest]
    assert json.loads(statement.content)["subject"] == [
        {"name": "pkg:docker/x", "digest": {"sha256": DIGEST.removeprefix("sha256:")}}
    ]
