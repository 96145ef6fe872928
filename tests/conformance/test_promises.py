"""What the client promises, at every registry of the table (tests/support/registrysetups.py)."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import time
from pathlib import Path

import pytest

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import INDEX_TYPES, MANIFEST_TYPES, Registry
from bakestone.errors import ENVIRONMENT, BakestoneError
from tests.support import dockerlogin
from tests.support.registrysetups import at
from tests.support.runningregistry import Place
from tests.support.tokenservice import PASSWORD, REFRESH, USER

LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


@pytest.fixture
def repository(place: Place) -> str:
    """One that is not there yet."""
    return f"{place.address}/base/{secrets.token_hex(6)}"


def push(client: Registry, repository: str, *tags: str, mark: str = "") -> str:
    """An image of one small layer. Gives its digest."""
    layer = f"a layer {mark}".encode()
    config = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
    for content in (layer, config):
        blobs.push(client, repository, io.BytesIO(content), digest(content), len(content))
    entries = [
        {"mediaType": kind, "digest": digest(content), "size": len(content)}
        for kind, content in ((LAYER, layer), ("application/vnd.oci.image.config.v1+json", config))
    ]
    about = {"schemaVersion": 2, "mediaType": MANIFEST_TYPES[0]}
    raw = json.dumps(about | {"config": entries[1], "layers": entries[:1]}).encode()
    found = client.push_manifest(f"{repository}@{digest(raw)}", raw, MANIFEST_TYPES[0])
    for tag in tags:
        assert client.tag(f"{repository}@{found}", tag) == found
    return found


def test_a_repository_that_is_not_there_has_nothing(place: Place, repository: str) -> None:
    client = place.client()
    assert client.heads([f"{repository}:a", f"{repository}:b"]) == {
        f"{repository}:a": None,
        f"{repository}:b": None,
    }


def test_what_is_pushed_is_read_back(place: Place, repository: str) -> None:
    pushed = push(place.client(), repository, "one")
    client = place.client()
    assert client.head(f"{repository}:one") == pushed
    found = client.need(f"{repository}:one")
    assert (found.digest, [layer.media_type for layer in found.layers]) == (pushed, [LAYER])
    assert client.config(f"{repository}:one", found)["architecture"] == "amd64"
    sink, layer = io.BytesIO(), found.layers[0]
    assert blobs.fetch(client, repository, layer.digest, sink, 100) == layer.size
    assert client.blob(f"{repository}@{layer.digest}") == sink.getvalue()
    assert client.manifest(f"{repository}:two") is None
    assert not client.has_blob(repository, digest(b"another"))


@at(lambda setup: setup.program is None)  # where requests are counted
def test_a_run_with_nothing_to_do_asks_once_for_each_variant(place: Place, repository: str) -> None:
    assert place.vendor
    tags = [f"{repository}:{name}" for name in ("one", "two", "three")]
    push(place.client(), repository, "one", "two", "three")
    client = place.client()
    client.head(tags[0])
    place.vendor.asked.clear()
    assert all(client.heads(tags).values())
    assert len(place.vendor.asked) == len(tags), place.vendor.asked


def test_a_stream_of_several_megabytes_arrives_whole(
    place: Place, repository: str, tmp_path: Path
) -> None:
    content = secrets.token_bytes(3 * 2**20)
    (tmp_path / "layer").write_bytes(content)
    client = place.client()
    with (tmp_path / "layer").open("rb") as stream:
        blobs.push(client, repository, stream, digest(content), len(content))
    sink = io.BytesIO()
    blobs.fetch(client, repository, digest(content), sink, len(content))
    assert sink.getvalue() == content


def test_a_tag_moves(place: Place, repository: str) -> None:
    client = place.client()
    push(client, repository, "latest")
    second = push(client, repository, "latest", mark="second")
    assert place.client().head(f"{repository}:latest") == second


def test_a_tag_is_deleted_or_a_sentence_says_why_not(place: Place, repository: str) -> None:
    client = place.client()
    pushed = push(client, repository, "old", "new")
    if place.deletes_tags:
        client.delete_tag(f"{repository}:old")
        client.delete_tag(f"{repository}:old")
        assert client.head(f"{repository}:old") is None
        assert client.head(f"{repository}:new")
        return
    with pytest.raises(BakestoneError, match="deletes no tags"):
        client.delete_tag(f"{repository}:old")
    assert client.head(f"{repository}:old") == pushed == client.head(f"{repository}:new")


def test_an_index_goes_up_or_a_sentence_names_the_option(place: Place, repository: str) -> None:
    client = place.client()
    image = client.need(f"{repository}@{push(client, repository)}")
    entry = {"mediaType": MANIFEST_TYPES[0], "digest": image.digest, "size": len(image.raw)}
    entry |= {"platform": {"os": "linux", "architecture": "amd64"}}
    about = {"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": [entry]}
    raw = json.dumps(about).encode()
    if place.takes_index:
        client.push_manifest(f"{repository}:all", raw, INDEX_TYPES[0])
        assert client.need(f"{repository}:all").platforms == {"linux/amd64": image.digest}
        return
    with pytest.raises(BakestoneError, match="--no-attest"):
        client.push_manifest(f"{repository}:all", raw, INDEX_TYPES[0])


def test_the_rights_that_publishing_needs_are_there(place: Place, repository: str) -> None:
    place.client().probe(repository)


@at(lambda setup: "bearer" in setup.login)
def test_tokens_for_reading_do_not_allow_to_write(place: Place, repository: str) -> None:
    assert place.tokens
    push(place.client(), repository, "one")
    place.tokens.asked.clear()
    place.client().head(f"{repository}:one")
    asked = [scope for scopes in place.tokens.asked for scope in scopes]
    assert asked
    assert not any("push" in scope or "delete" in scope for scope in asked), asked


@at(lambda setup: setup.login == "bearer" and not setup.refresh)  # a password alone allows all
def test_who_may_read_alone_can_read_and_is_told_when_writing(
    place: Place, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = push(place.client(), repository, "one")
    monkeypatch.setattr(place.tokens, "rights", ("pull",))
    client = place.client()
    assert client.head(f"{repository}:one") == pushed
    with pytest.raises(BakestoneError, match=r"refuses access to base/\w+ \(401\)"):
        client.probe(repository)
    assert client.head(f"{repository}:one") == pushed


@at(lambda setup: setup.life <= 2)
def test_a_token_whose_life_is_over_is_renewed(place: Place, repository: str) -> None:
    assert place.tokens
    client, before = place.client(), len(place.tokens.asked)
    pushed = push(client, repository, "one")
    first, end = len(place.tokens.asked), time.monotonic() + 60
    assert first > before
    while len(place.tokens.asked) == first and time.monotonic() < end:
        assert client.head(f"{repository}:one") == pushed
        time.sleep(0.1)
    assert len(place.tokens.asked) > first, "no token was renewed"
    push(client, repository, "two", mark="after")
    assert all(client.heads(f"{repository}:{tag}" for tag in ("one", "two")).values())


@at(lambda setup: bool(setup.login))
@pytest.mark.parametrize("known", [True, False], ids=["wrong password", "nobody"])
def test_who_is_not_let_in_is_told_once_and_without_a_secret(
    place: Place, repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    wrong = f"wrong-{secrets.token_hex(6)}"
    auths = {place.address: {"auth": dockerlogin.basic(USER, wrong)}} if known else None
    config = dockerlogin.write(tmp_path / "other", auths=auths)
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    with pytest.raises(BakestoneError) as caught:
        place.client().heads([f"{repository}:a"])
    said = str(caught.value)
    assert caught.value.code == ENVIRONMENT
    assert f"refuses access to {repository.partition('/')[2]} (401)" in said
    assert f"docker login {place.address}" in said
    assert not any(secret in said for secret in (wrong, PASSWORD, REFRESH))


@at(lambda setup: setup.manners.location == "elsewhere")
def test_no_secret_goes_to_another_host(place: Place, repository: str) -> None:
    assert place.vendor
    assert place.vendor.elsewhere
    push(place.client(), repository, "one")
    assert place.vendor.elsewhere.asked
    assert place.vendor.elsewhere.secrets == []
