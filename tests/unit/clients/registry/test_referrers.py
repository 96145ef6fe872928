"""The list of what refers to an image, at registries that keep none by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bakestone.clients.registry import referrers
from bakestone.clients.registry.client import RefusedError, Registry
from bakestone.clients.registry.manifest import INDEX, MANIFEST, Json, digest_of
from bakestone.clients.site.site import Site
from tests.support.writable_registry import WritableRegistry, writable_registry

SUBJECT = "sha256:" + "a" * 64
TAG = "sha256-" + "a" * 64
PLACE = "base/cpu"


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableRegistry]:
    monkeypatch.setattr(referrers, "PAUSE", 0)
    with writable_registry() as registry:
        registry.lists = False
        yield registry


@pytest.fixture
def client() -> Registry:
    return Registry(Site())


def artifact(mark: str = "", **more: object) -> bytes:
    config = {"mediaType": "application/x-config", "digest": SUBJECT, "size": 1}
    subject = {"mediaType": MANIFEST, "digest": SUBJECT, "size": 1}
    about = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
    return json.dumps(about | {"subject": subject, "mark": mark, **more}).encode()


def push(client: Registry, shelf: WritableRegistry, raw: bytes) -> str:
    referrers.push(client, f"{shelf.address}/{PLACE}", raw)
    return digest_of(raw)


def listed(shelf: WritableRegistry) -> list[Json]:
    entries: list[Json] = json.loads(shelf.contents[PLACE][shelf.tags[PLACE][TAG]])["manifests"]
    return entries


def test_a_registry_that_lists_by_itself_gets_no_tag(
    shelf: WritableRegistry, client: Registry
) -> None:
    shelf.lists = True
    assert push(client, shelf, artifact()) in shelf.contents[PLACE]
    assert shelf.tags == {}


def test_what_is_listed_stays_and_nothing_is_listed_twice(
    shelf: WritableRegistry, client: Registry
) -> None:
    other = {"mediaType": MANIFEST, "digest": digest_of(b"x"), "size": 1, "annotations": {"a": "b"}}
    before = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [other],
        "annotations": {"c": "d"},
    }
    shelf.put_json(PLACE, before, TAG)
    raws = [artifact("1", artifactType="application/x"), artifact("2", annotations={"k": "v"})]
    digests = [push(client, shelf, raw) for raw in (*raws, raws[0])]
    first, second = (
        {"mediaType": MANIFEST, "digest": digest, "size": len(raw), "artifactType": kind, **more}
        for digest, raw, kind, more in zip(
            digests,
            raws,
            ("application/x", "application/x-config"),
            ({}, {"annotations": {"k": "v"}}),
            strict=False,
        )
    )
    assert listed(shelf) == [other, first, second]
    assert json.loads(shelf.contents[PLACE][shelf.tags[PLACE][TAG]])["annotations"] == {"c": "d"}
    assert shelf.written() == [TAG, TAG]
    assert client.warnings == {}


def test_who_writes_the_list_at_the_same_time_keeps_what_is_his(
    shelf: WritableRegistry, client: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, others = client.push_manifest, [artifact("other 1"), artifact("other 2")]
    theirs = [{"mediaType": MANIFEST, "digest": digest_of(raw), "size": 1} for raw in others]
    written: list[Json] = []

    def slow(reference: str, raw: bytes, media_type: str) -> str:
        digest = real(reference, raw, media_type)
        if len(written) < len(theirs):  # somebody read the list before this, and writes it after
            written.append(theirs[len(written)])
            shelf.put_json(PLACE, {"mediaType": INDEX, "manifests": written}, TAG)
        return digest

    monkeypatch.setattr(client, "push_manifest", slow)
    ours = push(client, shelf, artifact())
    assert [entry["digest"] for entry in listed(shelf)] == [
        *(entry["digest"] for entry in theirs),
        ours,
    ]


def unlisted(shelf: WritableRegistry, client: Registry) -> str:
    """What is said of a list that cannot be written; the artifact itself is there."""
    assert push(client, shelf, artifact()) in shelf.contents[PLACE]
    (warning,) = client.warnings.values()
    assert warning.severity == "warning"
    assert "in the index of each image alone" in warning.message
    return warning.message


def test_something_else_under_the_tag_is_left_and_told(
    shelf: WritableRegistry, client: Registry
) -> None:
    before = shelf.put(PLACE, artifact("an image"), TAG)
    assert "no list of referrers" in unlisted(shelf, client)
    assert shelf.tags[PLACE][TAG] == before


def test_a_tag_that_may_not_move_is_told_once(shelf: WritableRegistry, client: Registry) -> None:
    shelf.immutable = lambda _tag: True
    before = shelf.put_json(PLACE, {"mediaType": INDEX, "manifests": []}, TAG)
    for mark in "12":
        push(client, shelf, artifact(mark))
    assert "does not let the tag" in unlisted(shelf, client)
    assert shelf.tags[PLACE][TAG] == before


def test_others_who_always_come_in_between_do_not_hold_a_run(
    shelf: WritableRegistry, client: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "push_manifest", lambda *_: None)
    assert "is written by others all the time" in unlisted(shelf, client)


def test_a_registry_that_takes_no_artifact_refuses_it(
    shelf: WritableRegistry, client: Registry
) -> None:
    shelf.no_artifacts = 415
    with pytest.raises(RefusedError, match="MANIFEST_INVALID"):
        push(client, shelf, artifact())
    assert shelf.tags == {}
