"""What is put into a registry, in which order; what is believed of what is there."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bakestone.clients.engine.capabilities import BY_DIGEST, BY_TAG, LAYOUT
from bakestone.clients.registry import compressed
from bakestone.clients.registry.client import Registry
from bakestone.core.library.catalog import Library
from bakestone.core.render import release
from bakestone.core.render.compression import Compression
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.jobs.publish import published, records, run, watching
from bakestone.jobs.publish.attest import index
from tests.support import zstd
from tests.support.builder import (
    GPU,
    LIST_PLACE,
    LISTED,
    PLACE,
    Builder,
    Onlooker,
    image,
    inventory,
    layer,
    place,
    push,
)
from tests.support.samples import Shown, locked, refused
from tests.support.writable_registry import WritableRegistry


def publish(
    plan: BuildPlan, shelf: WritableRegistry, path: Path, way: str = BY_DIGEST, **asked: Any
) -> tuple[run.Outcome, Builder]:
    engine = Builder(shelf, plan, way)
    return push(plan, engine, path, **asked), engine


def unfit(plan: BuildPlan, shelf: WritableRegistry, path: Path, name: str) -> Shown:
    """What is said of the one variant that fails; the others are built, and no tag moves."""
    outcome, engine = publish(plan, shelf, path)
    (found,) = refused(outcome.raise_failures, code=3)
    assert name in str(found)
    assert set(outcome.built) == {v.name for v in plan.variants} - {name}
    assert not any(name in done for done in engine.order)
    assert (outcome.moved, outcome.images, path.exists()) == ((), (), False)
    return found


@pytest.mark.parametrize("way", [BY_DIGEST, LAYOUT])
def test_the_fingerprint_tag_is_put_once_and_last(
    way: str, plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    shelf.immutable = lambda tag: tag.startswith("fp-")
    outcome, _ = publish(plan, shelf, path, way)
    assert sorted(outcome.built) == sorted(v.name for v in plan.variants)
    assert Counter(shelf.written()) == Counter(t for v in plan.variants for t in (v.tag, v.name))
    for variant in plan.variants:
        tag = variant.repository.partition("/")[2]
        puts = [a for a in shelf.asked if a.startswith("PUT") and f"/{tag}/manifests/" in a]
        first = puts.index(f"PUT /v2/{tag}/manifests/{variant.tag}")
        top = json.loads(shelf.contents[tag][shelf.tags[tag][variant.tag]])
        assert index.is_done(top)
        digest = shelf.tags[tag][variant.tag]
        assert puts.index(f"PUT /v2/{tag}/manifests/{digest}") < first
        assert puts.index(f"PUT /v2/{tag}/manifests/{variant.name}") > first
        attested = [
            kind
            for entry in index.images(top)
            for one in index.attested_by(top, str(entry["digest"]))
            for kind in _predicates(shelf, tag, one)
        ]
        assert attested == ["https://slsa.dev/provenance/v0.2", "https://spdx.dev/Document"] * len(
            variant.platforms
        )


@pytest.mark.parametrize("lists", [True, False], ids=["lists them", "has a tag for them"])
def test_attestations_refer_to_their_image(
    lists: bool, plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    shelf.lists = lists
    publish(plan, shelf, path)
    for variant in plan.variants:
        repository = variant.repository.partition("/")[2]
        kept, tags = shelf.contents[repository], shelf.tags[repository]
        top = json.loads(kept[tags[variant.tag]])
        for entry in index.images(top):
            digest = str(entry["digest"])
            (attested,) = index.attested_by(top, digest)
            manifest = json.loads(kept[attested])
            about = {"mediaType": index.MANIFEST, "digest": digest, "size": len(kept[digest])}
            assert (manifest["subject"], manifest["artifactType"]) == (about, index.ARTIFACT)
            tag = digest.replace(":", "-")
            assert (tag in tags) is not lists
            if not lists:
                (listed,) = json.loads(kept[tags[tag]])["manifests"]
                assert (listed["digest"], listed["artifactType"]) == (attested, index.ARTIFACT)


def test_a_registry_that_takes_no_artifacts_gets_attestations_without_a_subject_told_once(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    shelf.no_artifacts = 400
    watcher = Onlooker()
    outcome = push(plan, Builder(shelf, plan), path, watcher)
    assert len(outcome.images) == len(plan.variants)
    (warning,) = watcher.warnings
    assert "in the index of each image alone" in warning.message
    assert "MANIFEST_INVALID" in warning.message
    for variant in plan.variants:
        repository = variant.repository.partition("/")[2]
        top = json.loads(shelf.contents[repository][shelf.tags[repository][variant.tag]])
        for entry in index.images(top):
            (attested,) = index.attested_by(top, str(entry["digest"]))
            assert "https://spdx.dev/Document" in _predicates(shelf, repository, attested)
            assert "subject" not in json.loads(shelf.contents[repository][attested])


def _predicates(shelf: WritableRegistry, repository: str, digest: str) -> list[str]:
    layers = json.loads(shelf.contents[repository][digest])["layers"]
    return [layer["annotations"]["in-toto.io/predicate-type"] for layer in layers]


def test_docker_without_its_image_store_pushes_by_tag_and_is_compared_too(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    plain = plan.unattested()
    outcome, _ = publish(plain, shelf, path, BY_TAG)
    assert len(outcome.moved) == 4
    assert set(shelf.written()) == {v.name for v in plan.variants}


@pytest.mark.parametrize("way", [BY_DIGEST, LAYOUT, BY_TAG])
def test_an_image_that_is_not_what_its_name_says_moves_no_tag(
    way: str, plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    engine = Builder(shelf, plan, way)
    wrong = engine.inventories[GPU]["components"]["mpi"]
    wrong["measured"] = {"version": "3.1.2"}
    outcome = push(plan, engine, path)
    (found,) = refused(outcome.raise_failures)
    assert "mpi: openmpi version: expected 5.0.10, measured 3.1.2" in found.message
    assert len(outcome.built) == 3
    assert outcome.moved == ()
    assert not path.exists()
    assert not {v.name for v in plan.variants} & set(shelf.written())
    repository, tag = place(plan, GPU)
    assert way == BY_TAG or tag not in shelf.tags.get(repository, {})


def test_an_image_of_somebody_else_under_a_fingerprint_is_compared_before_any_tag_moves(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    (variant,) = (v for v in plan.variants if v.name == GPU)
    content = inventory(variant.variant)
    content["components"]["mpi"] |= {"pinned": "3.1.2", "measured": {"version": "3.1.2"}}
    forged = image(variant.platforms, layer(json.dumps(content).encode()))
    repository, tag = place(plan, GPU)
    before = forged.put(shelf, repository, tag)
    outcome, engine = publish(plan, shelf, path)
    (found,) = refused(outcome.raise_failures)
    assert "mpi: expected openmpi 5.0.10, measured openmpi 3.1.2" in found.message
    assert found.message.count("linux/") == 2, "every platform is compared"
    assert shelf.tags[repository][tag] == before
    assert outcome.moved == ()
    assert not any(GPU in done for done in engine.order)


def test_an_image_with_layers_by_zstd_is_read_and_compared(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    plan = replace(plan, compression=Compression("zstd", 3))
    for variant in plan.variants:
        raw = gzip.decompress(layer(json.dumps(inventory(variant.variant)).encode()))
        repository = variant.repository.partition("/")[2]
        image(variant.platforms, zstd.compress(raw)).put(shelf, repository, variant.tag)
    outcome, engine = publish(plan, shelf, path)
    assert (set(outcome.present), engine.order) == ({v.name for v in plan.variants}, [])


def test_a_run_that_could_not_read_what_it_pushes_ends_before_it_builds(
    plan: BuildPlan, shelf: WritableRegistry, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed, "reader", None)
    plan = replace(plan, compression=Compression("zstd", 3))
    engine = Builder(shelf, plan, BY_DIGEST)
    (found,) = refused(lambda: push(plan, engine, path), code=3)
    assert found.message == "this Python does not read zstd"
    assert engine.order == []


def _bomb(size: int) -> bytes:
    """A layer whose header unpacks to `size` bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("x")
        member.pax_headers = {"comment": "x" * size}
        archive.addfile(member)
    return gzip.compress(raw.getvalue())


GOOD = b'{"variant": "x", "components": {"mpi": {"component": "a", "pinned": "1", "measured": {}}}}'
UNFIT: dict[str, bytes] = {
    "another file": layer(b"{}", "etc/passwd"),
    "a link": layer(b"", PLACE, tarfile.SYMTYPE),
    "a large file": layer(b"y" * (published.MAX_INVENTORY + 1), "x"),
    "no archive": b"hello",
    "an empty layer": b"",
    "bzip2": bz2.compress(b"x" * 100_000),
    "a cut gzip": layer(GOOD)[:-20],
    "a header that unpacks to more than it may": _bomb(published.MAX_UNPACKED * 4),
    "no JSON": layer(b"hello"),
    "a list": layer(b"[]"),
    "no components": layer(b'{"variant": "x"}'),
    "components of no shape": layer(b'{"components": {"mpi": 3}}'),
    "a component without a name": layer(b'{"components": {"mpi": {"measured": {}}}}'),
    "deep nesting": layer(b"[" * 100_000),
    "two inventories": gzip.compress(
        gzip.decompress(layer(GOOD))[:1024] + gzip.decompress(layer(GOOD))
    ),
    "odd values": layer(GOOD.replace(b'"1"', b'"\\u001b[31m"')),
    "two lists of packages": layer(GOOD, packages=[LISTED, LISTED]),
    "an empty list of packages": layer(GOOD, packages=[b""]),
    "a list of packages that is a link": layer(b"", LIST_PLACE, tarfile.SYMTYPE, packages=[]),
    "a large list of packages": layer(GOOD, packages=[b"y" * (published.MAX_INVENTORY + 1)]),
    "a package with an escape": layer(GOOD, packages=[LISTED.replace(b"MIT", b"\x1b[31m")]),
}


@pytest.mark.parametrize("last", UNFIT.values(), ids=list(UNFIT))
def test_an_image_of_odd_shape_is_a_sentence(
    last: bytes, plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    variant = plan.variants[0]
    repository, tag = place(plan, variant.name)
    image(variant.platforms, last).put(shelf, repository, tag)
    found = unfit(plan, shelf, path, variant.name)
    assert "is no image of Bakestone: " in found.message
    assert "pushed by something else" in found.hint


ODD: dict[str, Callable[[dict[str, Any]], object]] = {
    "no layers": lambda manifest: manifest.pop("layers"),
    "an empty list": lambda manifest: manifest.update(layers=[]),
    "a size that is a text": lambda manifest: manifest["layers"][-1].update(size="7"),
    "a size below nothing": lambda manifest: manifest["layers"][0].update(size=-1),
    "a layer that is a number": lambda manifest: manifest.update(layers=[1]),
    "a digest that is none": lambda manifest: manifest["layers"][-1].update(digest="../x"),
}


@pytest.mark.parametrize("spoil", ODD.values(), ids=list(ODD))
def test_a_manifest_of_odd_shape_is_a_sentence(
    spoil: Callable[[dict[str, Any]], object], plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    variant = plan.variants[0]
    made = image(variant.platforms, layer(GOOD), attest=False)
    manifest = json.loads(made.blobs[made.top])
    spoil(manifest)
    repository, tag = place(plan, variant.name)
    shelf.put_json(repository, manifest, tag)
    found = unfit(plan, shelf, path, variant.name)
    assert "is no image of Bakestone: " in found.message or "gave no manifest" in found.message


@pytest.mark.parametrize("platforms", [["linux/amd64"], ["linux/amd64"] * 2 + ["linux/arm64"]])
def test_an_index_has_each_platform_once(
    platforms: list[str], plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    (variant,) = (v for v in plan.variants if v.name == GPU)
    good = layer(json.dumps(inventory(variant.variant)).encode())
    repository, tag = place(plan, GPU)
    image(platforms, good).put(shelf, repository, tag)
    found = unfit(plan, shelf, path, GPU)
    assert "is no image of Bakestone: " in found.message


@pytest.mark.parametrize("attest", [True, False])
def test_an_image_without_a_list_of_packages_is_refused_where_it_must_be_attested(
    attest: bool, plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    plan = plan if attest else plan.unattested()
    variant = plan.variants[0]
    repository, tag = place(plan, variant.name)
    content = json.dumps(inventory(variant.variant)).encode()
    earlier = image(variant.platforms, layer(content, packages=[]), attest=attest)
    before = earlier.put(shelf, repository, tag)
    if attest:
        found = unfit(plan, shelf, path, variant.name)
        assert "is no image of Bakestone: " in found.message
        assert "has no usr/share/bakestone/packages.tsv" in found.message
    else:
        outcome, _ = publish(plan, shelf, path)
        assert variant.name in outcome.present
    assert shelf.tags[repository][tag] == before


def test_what_was_published_is_there_for_the_next_run(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    publish(plan, shelf, path)
    before = path.read_bytes()
    shelf.asked.clear()
    outcome, engine = publish(plan, shelf, path)
    assert (outcome.built, outcome.moved, outcome.wrote) == ((), (), False)
    assert engine.order == []
    assert path.read_bytes() == before
    assert [a.partition(" ")[0] for a in shelf.asked] == ["HEAD"] * 4, "one request a variant"
    path.unlink()
    shelf.asked.clear()
    outcome, _ = publish(plan, shelf, path)
    assert (outcome.built, outcome.moved, outcome.wrote) == ((), (), True)
    kinds = Counter(a.partition(" ")[0] for a in shelf.asked)
    assert kinds == {"GET": 4, "HEAD": 4}, "two requests a variant"
    assert path.read_bytes() == before


def test_an_entry_of_a_family_that_was_renamed_hides_none_of_the_new_one(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    publish(plan, shelf, path)
    loaded = json.loads(path.read_text("utf-8"))
    loaded["images"].append(loaded["images"][0] | {"family": "before"})
    path.write_text(json.dumps(loaded), "utf-8")
    shelf.asked.clear()
    outcome, _ = publish(plan, shelf, path)
    assert [a.partition(" ")[0] for a in shelf.asked] == ["HEAD"] * 4
    assert [i.image.family for i in outcome.retired] == ["before"]


def test_a_floating_tag_that_was_moved_away_comes_back(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    publish(plan, shelf, path)
    repository, tag = place(plan, GPU)
    good, other = shelf.tags[repository][tag], shelf.put_json(repository, {"config": {}})
    shelf.tags[repository][GPU] = other
    shelf.asked.clear()
    outcome, _ = publish(plan, shelf, path)
    assert outcome.moved == (GPU,)
    assert shelf.tags[repository][GPU] == good
    heads = [a for a in shelf.asked if a.startswith("HEAD")]
    assert len(heads) == 5, "two for the one whose tag was elsewhere, one for each other"


def test_a_record_that_says_another_digest_is_not_believed(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    publish(plan, shelf, path)
    before = path.read_text("utf-8")
    loaded = json.loads(before)
    loaded["images"][0]["digest"] = f"sha256:{'0' * 64}"
    path.write_text(json.dumps(loaded), "utf-8")
    publish(plan, shelf, path)
    assert path.read_text("utf-8") == before


def test_a_floating_tag_that_may_not_move_is_named(
    plan: BuildPlan, shelf: WritableRegistry, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bakestone.clients.registry.client import ImmutableTagError

    def put(_registry: Registry, source: str, tag: str) -> str:
        raise ImmutableTagError(f"{source.partition('@')[0]}:{tag}", "x", "tag is immutable")

    monkeypatch.setattr(Registry, "tag", put)
    found = refused(lambda: publish(plan, shelf, path), code=3)
    assert len(found) == 4
    assert all("does not let the tag" in one.message and "fp-*" in one.hint for one in found)
    assert not path.exists()


def test_a_part_of_the_matrix_changes_that_part_of_the_release(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    publish(plan, shelf, path)
    whole = path.read_text("utf-8")
    part = plan.of([v for v in plan.variants if v.name == GPU])
    loaded = json.loads(whole)
    loaded["images"] = [i | {"size": 1} for i in loaded["images"]]
    path.write_text(json.dumps(loaded), "utf-8")
    publish(part.unattested(), shelf, path)
    after = json.loads(path.read_text("utf-8"))["images"]
    assert [i["name"] for i in after] == [v.name for v in plan.variants]
    assert [i["size"] == 1 for i in after] == [i["name"] != GPU for i in after]


def test_a_variant_that_is_gone_from_the_matrix_is_named(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    publish(plan, shelf, path)
    left = [v for v in plan.variants if v.name != GPU]
    fewer = replace(plan.of(left), known=tuple((v.family, v.name) for v in left))
    outcome, _ = publish(fewer, shelf, path)
    assert [i.tag for i in outcome.retired] == [GPU]
    record = release.read(path)
    assert record is not None
    assert [i.name for i in record.images][-1] == GPU


WRONG = {
    "no JSON": ("hello", "it is not JSON"),
    "a list": ("[]", "$ is not as schemas/release.schema.json says"),
    "a newer version": ('{"version": 2}', "written by a newer bakestone"),
    "no images": ('{"version": 1, "registry": "r.example"}', "$ is not as"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=list(WRONG))
def test_a_record_of_another_shape_is_refused_before_anything_is_built(
    text: str, said: str, plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    path.write_text(text, "utf-8")
    (found,) = refused(lambda: publish(plan, shelf, path))
    assert said in found.message
    assert shelf.asked == []


def test_two_runs_at_once_keep_what_both_published(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    parts = [plan.of([v]) for v in plan.variants]
    problems: list[BaseException] = []

    def work(part: BuildPlan) -> None:
        try:
            publish(part, shelf, path)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    record = release.read(path)
    assert record is not None
    assert [i.name for i in record.images] == [v.name for v in plan.variants]
    assert [p.name for p in path.parent.glob(".release*")] == []


def test_a_record_that_cannot_be_written_is_a_sentence(plan: BuildPlan, tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("", "utf-8")
    (found,) = refused(lambda: records.write(folder / "release.json", plan, []), code=3)
    assert isinstance(found, Shown)
    assert "cannot write" in found.message


def test_a_run_that_waits_says_for_what(
    plan: BuildPlan, shelf: WritableRegistry, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onlooker, held = Onlooker(), threading.Event()

    def hold() -> None:
        """As another run does, until it is said that it is waited for."""
        with records.alone(path):
            held.set()
            while not onlooker.lines:
                time.sleep(0.01)

    publish(plan, shelf, path)
    monkeypatch.setattr(watching, "SOON", 1)
    other = threading.Thread(target=hold, daemon=True)
    other.start()
    assert held.wait(60)
    push(plan, Builder(shelf, plan, BY_DIGEST), path, onlooker)
    other.join()
    assert onlooker.lines[-1] == f"waiting for another run, which holds {path}"


def test_what_is_over_soon_is_not_spoken_of(
    plan: BuildPlan, shelf: WritableRegistry, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SOON", 60)
    onlooker = Onlooker()
    push(plan, Builder(shelf, plan, BY_DIGEST), path, onlooker)
    assert onlooker.lines == []


HUNDRED = """\
version: 1
registry: localhost:5000/base
families:
  - name: many
    axes:
      distro: [ubuntu@24.04]
      mpi:
        [openmpi@5.0.0, openmpi@5.0.1, openmpi@5.0.2, openmpi@5.0.3, openmpi@5.0.4,
         openmpi@5.0.5, openmpi@5.0.6, openmpi@5.0.7, openmpi@5.0.8, openmpi@5.0.9]
      git: ["2.53.0", "2.52.0", "2.51.2", "2.51.1", "2.51.0", "2.50.1", "2.50.0", "2.49.1",
            "2.49.0", "2.48.2"]
    methods: {openmpi: source}
"""


def shelve(shelf: WritableRegistry, variant: PlannedVariant, **notes: object) -> None:
    """A variant as it is published, without a build; `notes` are other annotations."""
    content = inventory(variant.variant)
    made = image(variant.platforms[:1], layer(json.dumps(content).encode()), attest=False)
    manifest = json.loads(made.blobs[made.top])
    system, _, architecture = variant.platforms[0].partition("/")
    described = {
        "mediaType": index.MANIFEST,
        "digest": made.top,
        "size": len(made.blobs[made.top]),
        "platform": {"os": system, "architecture": architecture},
    }
    entry: Any = index.noted(described, content, sum(one["size"] for one in manifest["layers"]))
    entry["annotations"] |= notes
    attested, _ = index.plain_manifest([])
    top = index.index([entry], {made.top: attested}).content
    repository = variant.repository.partition("/")[2]
    made.put(shelf, repository)
    for tag in (variant.tag, variant.name):
        shelf.put(repository, top, tag)


def test_a_run_with_nothing_to_do_asks_once_for_each_of_a_hundred_variants(
    shelf: WritableRegistry, library: Library, tmp_path: Path, path: Path
) -> None:
    project = locked(tmp_path, HUNDRED, library=library)
    project.registry_override = f"{shelf.address}/base"
    plan = project.plan(project.matrix.variants)
    count = len(plan.variants)
    assert count == 100
    for variant in plan.variants:
        shelve(shelf, variant)

    outcome, engine = publish(plan, shelf, path)
    assert (len(outcome.present), outcome.moved, outcome.wrote) == (count, (), True)
    assert len(set(shelf.asked)) == len(shelf.asked)
    kinds = Counter(a.partition(" ")[0] for a in shelf.asked)
    assert kinds == {"HEAD": count, "GET": count}, "its index, and the floating tag"

    for tags in (True, False):
        shelf.asked.clear()
        outcome, engine = publish(plan, shelf, path, tags=tags)
        assert len(outcome.present) == count
        assert engine.order == []
        assert len(shelf.asked) == len(set(shelf.asked)) == count


def one(plan: BuildPlan) -> tuple[BuildPlan, PlannedVariant]:
    """A plan of one variant that has one platform."""
    variant = next(v for v in plan.variants if len(v.platforms) == 1)
    return plan.of([variant]), variant


NOTES: dict[str, tuple[dict[str, str], int, str]] = {
    "no JSON": ({index.INVENTORY: "hello"}, 3, "it is not JSON"),
    "a list": ({index.INVENTORY: "[]"}, 3, "it names no components"),
    "half a character": ({index.INVENTORY: '{"variant": "\ud800"}'}, 3, "holds text that is none"),
    "deep nesting": ({index.INVENTORY: "[" * 60_000}, 3, "it is not JSON"),
    "too much": ({index.INVENTORY: " " * (index.MAX_INVENTORY + 1)}, 3, "holds no inventory"),
    "no size": ({index.SIZE: "-1"}, 3, "is no size"),
    "an endless size": ({index.SIZE: "9" * 5000}, 3, "is no size"),
    "a size of nothing": ({index.SIZE: "0"}, 3, "is no size"),
    "another variant": (
        {index.INVENTORY: '{"variant": "x", "user": "u", "fuse": "", "components": {"mpi": '
         '{"component": "openmpi", "pinned": "3.1.2", "measured": {"version": "3.1.2"}}}}'},
        1,
        "measured openmpi 3.1.2",
    ),
    "more than a record holds": (
        {index.INVENTORY: '{"variant": "x", "components": {"mpi": '
         '{"component": "openmpi", "pinned": "3.1.2", "measured": {"version": "3.1.2"}}}}'},
        3,
        "$ is not as schemas/release.schema.json says",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("notes", "code", "said"), NOTES.values(), ids=list(NOTES))
def test_what_an_index_says_of_its_images_is_compared_as_well(
    notes: dict[str, str], code: int, said: str,
    plan: BuildPlan, shelf: WritableRegistry, path: Path,
) -> None:  # fmt: skip
    plan, variant = one(plan)
    shelve(shelf, variant, **notes)
    outcome, engine = publish(plan, shelf, path)
    (found,) = refused(outcome.raise_failures, code=code)
    assert said in found.message
    assert engine.order == []
    assert not path.exists()


def test_an_index_that_says_nothing_of_its_images_has_them_read(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    """As those of earlier versions, and as those of inventories that are too large."""
    plan, variant = one(plan)
    shelve(shelf, variant)
    repository = variant.repository.partition("/")[2]
    top = json.loads(shelf.contents[repository][shelf.tags[repository][variant.tag]])
    for entry in top["manifests"]:
        entry["annotations"] = {
            k: v for k, v in entry["annotations"].items() if k not in (index.INVENTORY, index.SIZE)
        }
    shelf.put_json(repository, top, variant.tag)
    outcome, _ = publish(plan, shelf, path)
    assert [i.name for i in outcome.images] == [variant.name]
    assert [a.partition(" ")[0] for a in shelf.asked][:3] == ["GET"] * 3
    assert outcome.images[0].inventory == inventory(variant.variant)


def test_what_is_written_into_an_index_is_the_same_every_time() -> None:
    image_: dict[str, object] = {
        "digest": "sha256:x",
        "annotations": {index.SIZE: "forged", "kept": "1"},
    }
    said = index.noted(image_, {"b": 1, "a": "ü"}, 7)
    assert said["annotations"] == {
        "kept": "1", index.INVENTORY: '{"b":1,"a":"\\u00fc"}', index.SIZE: "7"
    }  # fmt: skip
    assert index.note(said) == ('{"b":1,"a":"\\u00fc"}', 7)
    much = index.noted(image_, {"a": "x" * index.MAX_INVENTORY}, 7)
    assert much["annotations"] == {"kept": "1"}
    assert index.note(much) is None


def test_a_record_of_another_registry_is_not_replaced(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    publish(plan, shelf, path)
    text = path.read_text("utf-8").replace(plan.registry, "registry.example.com/base")
    path.write_text(text, "utf-8")
    shelf.asked.clear()
    (found,) = refused(lambda: publish(plan, shelf, path))
    assert "the release is of registry.example.com/base, not of" in found.message
    assert "--release FILE" in found.hint
    assert shelf.asked == []
    assert path.read_text("utf-8") == text
    outcome, _ = publish(plan, shelf, path, tags=False)
    assert len(outcome.present) == 4, "a run that writes no record"


def test_fail_fast_builds_nothing_after_an_unfit_image(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    variant = plan.variants[0]
    repository, tag = place(plan, variant.name)
    shelf.put_json(repository, {"config": {}}, tag)
    outcome, engine = publish(plan, shelf, path, keep_going=False)
    assert engine.order == []
    assert len(refused(outcome.raise_failures, code=3)) == 1


def test_a_registry_that_lets_nobody_in_is_said_once(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    shelf.refuses = 403
    (found,) = refused(lambda: publish(plan, shelf, path), code=3)
    assert "refuses access" in found.message


@pytest.mark.parametrize("status", [401, 403])
def test_a_repository_that_is_denied_as_long_as_it_is_not_there_is_published_to(
    status: int, plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    shelf.denies = status
    outcome, _ = publish(plan, shelf, path)
    assert len(outcome.moved) == 4


def test_an_attestation_with_a_platform_is_no_image(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    """An index that is not whole, whose attestation says it is an image of the second platform."""
    (variant,) = (v for v in plan.variants if v.name == GPU)
    repository, tag = place(plan, GPU)
    good = layer(json.dumps(inventory(variant.variant)).encode())
    made = image(variant.platforms, good)
    top = json.loads(made.blobs[made.top])
    _, second, attested, _ = top["manifests"]
    attested["platform"] = second["platform"]
    second["platform"] = {"os": "unknown", "architecture": "unknown"}
    made.put(shelf, repository)
    shelf.put_json(repository, top, tag)
    assert "for no platform" in unfit(plan, shelf, path, GPU).message
