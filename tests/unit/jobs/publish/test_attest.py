"""The SBOM of every kind of variant is valid SPDX 2.3, names what was measured, and what the lock
says components were made from; attestations leave images as they are.
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
from bakestone.core.render import packagelist
from bakestone.jobs.publish.attest import index, publish
from bakestone.jobs.publish.failures import VariantError
from bakestone.jobs.publish.found import FoundPlatform
from bakestone.project import Project
from tests.support.builder import LISTED, inventory
from tests.support.samples import MANY, locked, made_up

DIGEST = f"sha256:{made_up('image')}"


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    return locked(tmp_path, MANY, library=library)


def sbom(
    made: Project,
    name: str,
    platform: str = "linux/amd64",
    measured: dict[str, Any] | None = None,
    listed: str = LISTED.decode(),
) -> dict[str, Any]:
    plan = made.plan(made.select([name]))
    content: dict[str, Any] = inventory(plan.variants[0].variant)
    for slot, facts in (measured or {}).items():
        content["components"][slot]["measured"] = facts
    image = FoundPlatform(DIGEST, 1, content, packagelist.parse(listed.encode()))
    return publish.sbom(plan, plan.variants[0], platform, image)


def valid(document: dict[str, Any]) -> bool:
    parser = JsonLikeDictParser()  # type: ignore[no-untyped-call]
    read = parser.parse(json.loads(json.dumps(document)))
    return validate_full_spdx_document(read, "SPDX-2.3") == []


def purls(document: dict[str, Any]) -> set[str]:
    return {
        ref["referenceLocator"] for p in document["packages"] for ref in p.get("externalRefs", [])
    }


def test_every_sbom_is_valid_spdx(made: Project) -> None:
    for variant in made.matrix.variants:
        for platform in variant.platforms:
            assert valid(sbom(made, variant.name, platform))


GPU = "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"
CONDA = "https://repo.example.com/pkgs/main/linux-64"
PURLS = {
    "deb libc6 2.36-9 amd64 glibc_2.36-9": "deb/debian/libc6@2.36-9"
    "?arch=amd64&distro=debian-12&upstream=glibc",
    "deb bash 5.2 amd64 bash_5.2": "deb/debian/bash@5.2?arch=amd64&distro=debian-12",
    "deb libacl1 2.3-3+b1 amd64 acl_2.3-3": "deb/debian/libacl1@2.3-3%2Bb1"
    "?arch=amd64&distro=debian-12&upstream=acl%402.3-3",
    "deb git 1:2.39.5-0 arm64 git_1:2.39.5-0": "deb/debian/git@1:2.39.5-0"
    "?arch=arm64&distro=debian-12",
    "rpm bash 5.1.8-9 x86_64 bash-5.1.8-9.src.rpm": "rpm/debian/bash@5.1.8-9"
    "?arch=x86_64&distro=debian-12&upstream=bash-5.1.8-9.src.rpm",
    "rpm dbus 1:1.12.20-8.el9 x86_64": "rpm/debian/dbus@1.12.20-8.el9"
    "?arch=x86_64&distro=debian-12&epoch=1",
    f"conda zlib 1.3.1 linux-64 {CONDA}/zlib-1.3.1-hb9d3_2.conda": "conda/zlib@1.3.1"
    "?build=hb9d3_2&channel=main&subdir=linux-64&type=conda",
    f"conda _mutex 0.1 linux-64 {CONDA}/_mutex-0.1-main.tar.bz2": "conda/_mutex@0.1"
    "?build=main&channel=main&subdir=linux-64&type=tar.bz2",
    "conda zlib 1.3.1 linux-64 https://example.com/x.conda": "conda/zlib@1.3.1?subdir=linux-64",
    "conda tool 1": "conda/tool@1",
    "pypi Foo_Bar.baz 1!2.0": "pypi/foo-bar-baz@1%212.0",
    "pypi unversioned": "pypi/unversioned",
}


@pytest.mark.parametrize(("row", "purl"), PURLS.items(), ids=list(PURLS))
def test_a_measured_package_has_its_purl(made: Project, row: str, purl: str) -> None:
    columns = (row + "     ").split(" ")[:6]
    line = "\t".join(column.replace("_", " ") if i == 4 and columns[0] == "deb" else column
                     for i, column in enumerate(columns))  # fmt: skip
    document = sbom(made, GPU, listed=f"{line}\n")
    (package,) = (p for p in document["packages"] if p["SPDXID"].startswith("SPDXRef-package-"))
    assert package["externalRefs"][0]["referenceLocator"] == f"pkg:{purl}"
    assert (package["name"], package.get("versionInfo", "")) == tuple(columns[1:3])
    contained = {"spdxElementId": "SPDXRef-Image", "relationshipType": "CONTAINS"}
    assert contained | {"relatedSpdxElement": package["SPDXID"]} in document["relationships"]
    assert valid(document)


def test_an_sbom_has_each_measured_package_and_none_of_build_stages(made: Project) -> None:
    document = sbom(made, GPU, "linux/arm64")
    packages = {p["name"] for p in document["packages"] if "SPDXRef-package-" in p["SPDXID"]}
    assert packages == {"gcc-12-base", "libc6", "pip"}
    kinds = {r["relationshipType"] for r in document["relationships"]}
    assert kinds == {"DESCRIBES", "DESCENDANT_OF", "CONTAINS", "GENERATED_FROM"}


LICENCES = {
    "MIT": "MIT",
    "apache-2.0 or (mit and bsd-3-clause)": "Apache-2.0 OR (MIT AND BSD-3-Clause)",
    "gpl-2.0-only with classpath-exception-2.0": "GPL-2.0-only WITH Classpath-exception-2.0",
    "GPL-3.0+": "GPL-3.0+",
    "LicenseRef-NVIDIA-Proprietary": "LicenseRef-NVIDIA-Proprietary",
    "": "NOASSERTION",
    "GPLv2+ and LGPLv2+": "LicenseRef-GPLv2-and-LGPLv2-",
    "BSD": "LicenseRef-BSD-",
    "MIT AND": "LicenseRef-MIT-AND-",
    "LicenseRef-": "LicenseRef-LicenseRef-",
    "LicenseRef-a_b": "LicenseRef-LicenseRef-a-b-",
    "DocumentRef-x:LicenseRef-y": "LicenseRef-DocumentRef-x-LicenseRef-y-",
    "(" * 1999: "LicenseRef--",
    "__import__('os').system('id')": "LicenseRef-import-os-.system-id-",
    '"><script>': "LicenseRef-script-",
}


@pytest.mark.parametrize(("said", "declared"), LICENCES.items(), ids=[k[:40] for k in LICENCES])
def test_a_licence_is_an_expression_or_has_a_name_of_its_own(
    made: Project, said: str, declared: str
) -> None:
    document = sbom(made, GPU, listed=f"pypi\tx\t1\t\t\t{said}\n")
    (package,) = (p for p in document["packages"] if p["SPDXID"].startswith("SPDXRef-package-"))
    if declared.endswith("-"):
        assert package["licenseDeclared"].startswith(declared)
        texts = {x["licenseId"]: x["extractedText"] for x in document["hasExtractedLicensingInfos"]}
        assert texts[package["licenseDeclared"]] == said
    else:
        assert package["licenseDeclared"] == declared
    assert valid(document)


def test_an_image_without_a_list_of_packages_cannot_be_attested(made: Project) -> None:
    plan = made.plan(made.select([GPU]))
    variant = plan.variants[0]
    with pytest.raises(VariantError, match=r"no image of Bakestone: .* no usr/share/.*packages"):
        publish.sbom(
            plan, variant, "linux/amd64", FoundPlatform(DIGEST, 1, inventory(variant.variant))
        )


def test_an_sbom_names_base_components_files_and_wheels(made: Project) -> None:
    document = sbom(
        made,
        "openmpi5.0.10-cuda13.0.2-cudnn9-debian12",
        measured={"mpi": {"version": "5.0.10", "ranks": "2"}},
    )
    by_name = {p["name"]: p for p in document["packages"]}
    base = "docker.io/library/debian:12"
    digest = made.lock.bases[base].platforms["linux/amd64"]
    assert by_name[base]["checksums"][0]["checksumValue"] == digest.removeprefix("sha256:")
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
    variant = made.matrix.variants[0]
    name, epoch = variant.name, made.lock.bases[variant.base.ref].epoch
    assert sbom(made, name) == sbom(made, name)
    assert sbom(made, name)["creationInfo"]["created"] == datetime.datetime.fromtimestamp(
        epoch, datetime.UTC
    ).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("listed", [True, False], ids=["as an artifact", "without a subject"])
def test_the_index_keeps_the_images_and_names_each_attestation(listed: bool) -> None:
    image = {
        "digest": DIGEST,
        "size": 5,
        "mediaType": index.MANIFEST,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    statement = index.statement("https://spdx.dev/Document", "pkg:docker/x", DIGEST, {"a": 1})
    statements = [("https://spdx.dev/Document", statement.descriptor)]
    subject = {key: image[key] for key in ("mediaType", "digest", "size")}
    if listed:
        manifest, config = index.manifest(statements, subject)
    else:
        manifest, config = index.plain_manifest(statements)
    top = json.loads(index.index([image], {DIGEST: manifest}).content)
    assert index.images(top) == [image]
    assert index.attested_by(top, DIGEST) == [manifest.digest]
    assert index.is_done(top)
    assert not index.is_done({"manifests": top["manifests"]})
    held = json.loads(manifest.content)
    (layer,) = held["layers"]
    assert layer["annotations"] == {"in-toto.io/predicate-type": "https://spdx.dev/Document"}
    assert layer["digest"] == statement.digest
    if listed:
        assert held["config"] == config.descriptor | {"data": "e30="}
        assert (held["artifactType"], held["subject"]) == (index.ARTIFACT, subject)
    else:
        assert held["config"] == config.descriptor
        assert json.loads(config.content)["rootfs"]["diff_ids"] == [statement.digest]
        assert not {"artifactType", "subject"} & held.keys()
    assert json.loads(statement.content)["subject"] == [
        {"name": "pkg:docker/x", "digest": {"sha256": DIGEST.removeprefix("sha256:")}}
    ]
