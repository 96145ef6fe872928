"""The SBOM of a published image beside what others' programs find in the image itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.workspace import Workspace
from tests.support import sbomtools

NAME = "openmpi5.0.10-debian12"
Both = tuple[sbomtools.Json, sbomtools.Json]


@pytest.fixture(scope="module")
def both(published: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """The SBOM in the registry, and syft's own of the same image."""
    repository = published.repository("mpi")
    index = repository.get(f"manifests/{NAME}").json()
    (digest,) = (
        entry["digest"]
        for entry in index["manifests"]
        if "vnd.docker.reference.digest" in entry.get("annotations", {})
    )
    (layer,) = (
        layer["digest"]
        for layer in repository.manifest(digest)["layers"]
        if layer["annotations"]["in-toto.io/predicate-type"] == "https://spdx.dev/Document"
    )
    ours = json.loads(repository.blob(layer))["predicate"]
    folder = tmp_path_factory.mktemp("syft")
    return ours, sbomtools.syft(f"registry:{repository.name}:{NAME}", folder / "syft.json")


def test_syft_finds_the_packages_that_the_sbom_lists(both: Both) -> None:
    ours, theirs = both
    listed = sbomtools.packages(ours, prefix="SPDXRef-package-")
    assert {kind for kind, _, _ in listed} >= {"deb"}
    assert listed == sbomtools.packages(theirs)


def test_osv_scanner_finds_the_same_in_both(both: Both, tmp_path: Path) -> None:
    ours, theirs = both
    listed = sorted(sbomtools.packages(ours, prefix="SPDXRef-package-"))
    wrong = [one for one in listed if one[:2] == ("deb", "bash")]  # its source has its name
    wrong += [one for one in listed if one[0] == "pypi"][:1]
    sbomtools.database(tmp_path, "Debian:12", wrong)
    found = sbomtools.advisories(ours, tmp_path, "ours")
    assert {advisory for _, advisory in found} == {f"TEST-{one[0]}-{one[1]}" for one in wrong}
    assert found == sbomtools.advisories(theirs, tmp_path, "theirs")
