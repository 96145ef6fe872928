"""References to images are taken apart as registries understand them; manifests are read with care."""

from __future__ import annotations

import json

import pytest

from bakestone.clients.registry.client import INDEX_TYPES, Manifest, Reference
from bakestone.clients.site.site import Site

DIGEST = "sha256:" + "0" * 64

CASES = {
    "docker.io/library/debian:12": ("docker.io", "library/debian", "12"),
    "docker.io/library/debian": ("docker.io", "library/debian", "latest"),
    "localhost:5000/base/debian:openmpi5.0.10": ("localhost:5000", "base/debian", "openmpi5.0.10"),
    "localhost:5000/base/debian": ("localhost:5000", "base/debian", "latest"),
    f"ghcr.io/a/b@{DIGEST}": ("ghcr.io", "a/b", DIGEST),
    f"localhost:5000/a/b:tag@{DIGEST}": ("localhost:5000", "a/b", DIGEST),
    "[::1]:5000/a:b": ("[::1]:5000", "a", "b"),
}


@pytest.mark.parametrize(("text", "parts"), CASES.items())
def test_a_reference_has_a_host_a_repository_and_a_tag(
    text: str, parts: tuple[str, str, str]
) -> None:
    reference = Reference.parse(text)
    assert (reference.host, reference.repository, reference.target) == parts


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:5000",
        "127.0.0.1:5000",
        "127.0.0.1",
        "[::1]:5000",
        "mirror.example.com:5000",
        "plain.example.com:80",
    ],
)
def test_loopback_and_named_hosts_are_spoken_to_in_plain_http(host: str) -> None:
    assert Site(insecure=("mirror.example.com:5000", "plain.example.com")).plain_http(host)


@pytest.mark.parametrize(
    "host",
    [
        "docker.io",
        "registry.example.com:5000",
        "10.0.0.1:5000",
        "localhost.example.com",
        "mirror.example.com",
    ],
)
def test_everything_else_is_spoken_to_in_tls(host: str) -> None:
    assert not Site(insecure=("mirror.example.com:5000",)).plain_http(host)


def test_an_index_tells_its_platforms_without_attestations() -> None:
    index = {
        "manifests": [
            {"digest": "sha256:a", "platform": {"os": "linux", "architecture": "amd64"}},
            {
                "digest": "sha256:b",
                "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"},
            },
            {
                "digest": "sha256:c",
                "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
            },
            {"digest": "sha256:d", "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": "sha256:e", "platform": {"os": "windows", "architecture": "amd64"}},
            {"digest": "sha256:f"},
        ]
    }
    manifest = Manifest(DIGEST, INDEX_TYPES[0], json.dumps(index).encode())
    assert manifest.platforms == {
        "linux/amd64": "sha256:a",
        "linux/arm64": "sha256:b",
        "linux/arm/v7": "sha256:c",
    }


def test_a_single_manifest_has_no_platforms_of_its_own() -> None:
    assert (
        Manifest(DIGEST, "application/vnd.oci.image.manifest.v1+json", b'{"layers": []}').platforms
        == {}
    )
