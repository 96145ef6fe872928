"""Manifests are read with care: what has another shape than the specification's is refused."""

from __future__ import annotations

import json

import pytest

from bakestone.clients.registry.manifest import (
    INDEX_TYPES,
    Descriptor,
    Manifest,
    check_manifest,
    document,
)

DIGEST = "sha256:" + "0" * 64
GOOD = {"digest": DIGEST, "size": 1, "mediaType": "a/b"}

ODD: dict[str, tuple[object, str]] = {
    "a list": ([], "not a JSON object"),
    "nothing": (None, "not a JSON object"),
    "an empty object": ({}, "neither"),
    "schema 1": ({"schemaVersion": 1, "fsLayers": []}, "old schema 1"),
    "an image and an index": (
        {"manifests": [GOOD], "config": GOOD, "layers": []},
        "both an image manifest and an index",
    ),
    "half a character": ({"config": GOOD | {"mediaType": "\ud800"}}, "text that is none"),
    "SHA-512": ({"manifests": [{"digest": f"sha512:{'0' * 128}"}]}, r"\(SHA-256\)"),
    "manifests is null": ({"manifests": None}, "an entry without a digest"),
    "manifests is a text": ({"manifests": "x"}, "an entry without a digest"),
    "an entry is a list": ({"manifests": [[]]}, "an entry without a digest"),
    "a digest with more": ({"manifests": [{"digest": f"{DIGEST}; id"}]}, "without a digest"),
    "an entry's size is a text": ({"manifests": [GOOD | {"size": "1"}]}, "odd size"),
    "config is null": ({"config": None}, "its configuration"),
    "config is a list": ({"config": []}, "its configuration"),
    "config's digest is a number": ({"config": {"digest": 1}}, "its configuration"),
    "layers is null": ({"config": GOOD, "layers": None}, "a layer"),
    "layers is an object": ({"config": GOOD, "layers": {}}, "a layer"),
    "a layer is null": ({"config": GOOD, "layers": [None]}, "a layer"),
    "a layer's size is a text": ({"config": GOOD, "layers": [GOOD | {"size": "1"}]}, "a layer"),
    "a layer's size is true": ({"config": GOOD, "layers": [GOOD | {"size": True}]}, "a layer"),
    "a layer's size is negative": ({"config": GOOD, "layers": [GOOD | {"size": -1}]}, "a layer"),
    "a layer has no size": ({"config": GOOD, "layers": [{"digest": DIGEST}]}, "a layer"),
    "a layer's type is null": ({"config": GOOD, "layers": [GOOD | {"mediaType": None}]}, "a layer"),
    "notes are a list": ({"config": GOOD, "layers": [GOOD | {"annotations": [1]}]}, "a layer"),
    "a note is a number": ({"config": GOOD, "layers": [GOOD | {"annotations": {"a": 1}}]}, "layer"),
}


@pytest.mark.parametrize(("data", "reason"), ODD.values(), ids=list(ODD))
def test_what_has_an_odd_shape_is_refused_with_a_reason(data: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_manifest(json.dumps(data).encode())


def test_what_is_right_is_taken() -> None:
    check_manifest(json.dumps({"manifests": [GOOD], "more": 1}).encode())
    check_manifest(json.dumps({"config": GOOD, "layers": [GOOD], "more": 1}).encode())


@pytest.mark.parametrize("raw", [b"", b"[" * 100_000, b"\xff", b"1e999", b'{"a": ' + b"9" * 5000])
def test_what_is_no_json_object_has_a_reason(raw: bytes) -> None:
    with pytest.raises(ValueError, match="it is not"):
        document(raw)


def test_a_login_page_is_named() -> None:
    with pytest.raises(ValueError, match="a web page came instead"):
        document(b"  <!DOCTYPE html><p>log in")


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


def test_layers_and_configuration_are_records() -> None:
    raw = json.dumps({"config": GOOD, "layers": [GOOD]}).encode()
    found = Manifest(DIGEST, "", raw)
    assert found.layers == (Descriptor(DIGEST, 1, "a/b"),)
    assert found.config == Descriptor(DIGEST, 1, "a/b")
    assert Manifest(DIGEST, "", b'{"manifests": []}').config is None
