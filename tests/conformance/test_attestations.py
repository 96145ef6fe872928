"""What hangs on a published image is found by others' programs, at every kind of registry."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.manifest import INDEX, MANIFEST
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.render.plan import PlannedVariant
from bakestone.jobs.publish import deliver, published
from bakestone.jobs.publish.attest import index
from bakestone.jobs.publish.attest.publish import Publication
from tests.support import realregistry
from tests.support.builder import GPU, PROVENANCE, Image, image, inventory, layer
from tests.support.registrysetups import at
from tests.support.runningregistry import Place
from tests.support.samples import MANY, locked

SPDX = "https://spdx.dev/Document"
plainly = at(  # over http: the certificates of the others are made for this run
    lambda setup: not setup.tls and not setup.manners.index and setup.login in ("", "basic")
)
listing = at(
    lambda setup: (
        not setup.tls
        and setup.login in ("", "basic")
        and (setup.program is not None or setup.manners.lists)
    )
)


def put(client: Registry, repository: str, made: Image) -> str:
    """Push an image by its digest, as a builder does. Gives the reference."""
    documents = {}
    for digest, raw in made.blobs.items():
        kind = INDEX if b'"manifests"' in raw else MANIFEST if b'"schemaVersion"' in raw else ""
        if kind:
            documents[digest] = kind
        else:
            blobs.push(client, repository, raw, digest, len(raw))
    for digest, kind in sorted(documents.items(), key=lambda one: one[1] == INDEX):
        client.push_manifest(f"{repository}@{digest}", made.blobs[digest], kind)
    return f"{repository}@{made.top}"


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(BUILT_IN)


@pytest.fixture
def client(place: Place) -> Registry:
    return place.client()


@pytest.fixture
def variant(place: Place, client: Registry, library: Library, tmp_path: Path) -> PlannedVariant:
    """One for two platforms, published under its name."""
    project = locked(tmp_path, MANY, library=library)
    project.registry_override = f"{place.address}/{tmp_path.name.lower()}"
    plan = project.plan(project.select([GPU]))
    (variant,) = plan.variants
    made = image(variant.platforms, layer(json.dumps(inventory(variant.variant)).encode()))
    found = published.read(variant, put(client, variant.repository, made), client)
    assert found
    deliver.settle(plan, variant, found, client, Publication())
    client.tag(variant.kept, variant.name)
    return variant


def attested(client: Registry, variant: PlannedVariant) -> dict[str, list[str]]:
    """The digests of the attestation manifests of each image, as the index names them."""
    top = client.need(variant.floating).data
    return {
        platform: index.attested_by(top, digest)
        for platform, digest in client.need(variant.floating).platforms.items()
    }


@plainly
def test_the_index_names_one_attestation_of_each_image_with_sbom_and_provenance(
    client: Registry, variant: PlannedVariant
) -> None:
    found = attested(client, variant)
    assert set(found) == set(variant.platforms)
    for (digest,) in found.values():
        layers = client.need(f"{variant.repository}@{digest}").data["layers"]
        kinds = [entry["annotations"]["in-toto.io/predicate-type"] for entry in layers]
        assert kinds == [PROVENANCE, SPDX]


Lister = Callable[[Place, str, str], list[dict[str, Any]]]


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def oras(place: Place, reference: str, platform: str) -> list[dict[str, Any]]:
    """What `oras discover` lists for one platform of an image."""
    program = realregistry.tool("oras")
    given = ("--plain-http", "--platform", platform, "--format", "json", reference)
    listed: list[dict[str, Any]] = json.loads(run(program, "discover", *given))["referrers"]
    return listed


def regctl(place: Place, reference: str, platform: str) -> list[dict[str, Any]]:
    """What `regctl artifact list` lists."""
    host = ("--host", f"reg={place.address},tls=disabled")
    given = ("--platform", platform, "--format", "{{json .Descriptors}}", reference)
    listed: list[dict[str, Any]] = json.loads(
        run(realregistry.tool("regctl"), *host, "artifact", "list", *given)
    )
    return listed


@listing
@pytest.mark.parametrize("lister", [oras, regctl])
def test_attestations_are_found_as_referrers_of_their_image(
    place: Place, client: Registry, variant: PlannedVariant, lister: Lister
) -> None:
    assert client.warnings == {}
    for platform, digests in attested(client, variant).items():
        found = lister(place, variant.floating, platform)
        assert [entry["digest"] for entry in found] == digests
        assert [entry["artifactType"] for entry in found] == [index.ARTIFACT]


@listing
def test_the_tree_of_an_image_has_the_attestations_of_all_its_platforms(
    place: Place, client: Registry, variant: PlannedVariant
) -> None:
    host = ("--host", f"reg={place.address},tls=disabled")
    tree = run(realregistry.tool("regctl"), *host, "artifact", "tree", variant.floating)
    referrers = tree.count("Referrers:")
    assert referrers == len(variant.platforms), tree
    for (digest,) in attested(client, variant).values():
        assert f"{digest}: {index.ARTIFACT}" in tree


@at(lambda setup: setup.manners.artifacts != 0)
def test_a_registry_without_artifacts_is_told_and_has_the_attestations_all_the_same(
    client: Registry, variant: PlannedVariant
) -> None:
    (warning,) = client.warnings.values()
    assert "in the index of each image alone" in warning.message
    assert all(attested(client, variant).values())
