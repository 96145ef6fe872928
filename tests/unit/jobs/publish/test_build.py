"""What becomes of a build: failures in a person's words, site settings beside the Dockerfile,
publishing all or nothing.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from bakestone.clients.engine.buildx import Engine, Watch, inline_target
from bakestone.clients.engine.capabilities import Abilities, choose
from bakestone.clients.engine.events import State
from bakestone.clients.engine.policy import source_policy
from bakestone.clients.registry.client import INDEX_TYPES, MANIFEST_TYPES, Manifest, Registry
from bakestone.clients.registry.layout import Layout
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.render.bakefile import WHOLE
from bakestone.jobs.publish import failures, release, run
from bakestone.jobs.publish import push_layout as export
from bakestone.project import Project
from tests.support.buildkit_events import RECORDED, vertex
from tests.support.samples import MANY, Shown, locked, made_up, refused
from tests.support.site_files import with_secrets


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    project = locked(tmp_path, MANY, library=library)
    project.generate()
    return project


def failed(made: Project, state: State) -> dict[str, Shown]:
    return {
        name: Shown.of(f.finding)
        for name, f in failures.explain(made, state, made.matrix.variants).items()
    }


def said(made: Project, stage: str, error: str, *log: str, variant: int = 0) -> dict[str, Shown]:
    """The findings when a stage of a variant ended with `error` after writing `log`."""
    target = made.matrix.variants[variant].target
    state = State(tuple(v.target for v in made.matrix.variants))
    name = f"[{target} {stage} 2/3] RUN x"
    state.feed(vertex(name))
    state.feed(
        json.dumps(
            {
                "logs": [
                    {
                        "vertex": f"sha256:{name}",
                        "data": base64.b64encode("\n".join(log).encode()).decode(),
                    }
                ]
            }
        )
    )
    state.feed(vertex(name, completed="2026-11-22T00:00:01Z", error=error))
    return failed(made, state)


EXIT = 'process "/bin/sh -c x" did not complete successfully: exit code: 1'


def test_a_wrong_measurement_shows_expected_and_measured(made: Project) -> None:
    found = said(
        made,
        "inventory",
        EXIT,
        "something",
        "bakestone: inventory: mpi: openmpi version: expected 4.1.8, measured 4.1.7",
    )
    name = made.matrix.variants[0].name
    assert set(found) == {name}
    assert (
        found[name].message
        == "the image is not what its name says:\n    mpi: openmpi version: expected 4.1.8,"
        " measured 4.1.7"
    )
    assert "nothing was pushed" in found[name].hint
    assert f"{name} ({made.path_of(made.matrix.variants[0])})" in found[name].text


def test_a_failed_stage_shows_its_last_lines_for_every_variant_that_has_it(made: Project) -> None:
    found = said(made, "miniforge", EXIT, *[f"line {n}" for n in range(40)])
    assert set(found) == {v.name for v in made.matrix.variants if v.family.name == "cpu"}
    first = next(iter(found.values()))
    assert first.message.splitlines()[0] == "the stage miniforge failed: exit code 1"
    assert first.message.splitlines()[-1] == "    | line 39"
    assert len(first.message.splitlines()) == 1 + failures.LOG_TAIL


HINTS = {
    "checksum of a file": (
        "failed to load cache key: digest mismatch sha256:a: sha256:b",
        (),
        "does not have the checksum in the lock",
    ),
    "digest of a base's layer": (
        (
            'failed commit on ref "layer-sha256:a": unexpected commit digest sha256:b, expected'
            " sha256:a: failed precondition"
        ),
        (),
        "does not have the checksum in the lock",
    ),
    "hash of a package": (
        EXIT,
        ("E: Failed to fetch http://deb.test/git.deb  Hash Sum mismatch",),
        "does not have the checksum in the lock",
    ),
    "hash of a wheel": (
        EXIT,
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",),
        "does not have the checksum in the lock",
    ),
    "a version that left": (
        EXIT,
        ("E: Version '1.0' for 'git' was not found",),
        "bakestone lock --update",
    ),
    "a package that is none": (EXIT, ("E: Unable to locate package x",), "bakestone lock --update"),
}


@pytest.mark.parametrize(("error", "log", "hint"), HINTS.values(), ids=list(HINTS))
def test_a_known_cause_has_its_hint(
    error: str, log: tuple[str, ...], hint: str, made: Project
) -> None:
    found = said(made, "openmpi", error, *log)
    assert found
    assert all(hint in f.hint for f in found.values())


def test_a_server_that_cannot_be_reached_is_the_environment(made: Project) -> None:
    state = State(tuple(v.target for v in made.matrix.variants))
    name = f"[{made.matrix.variants[0].target} openmpi-files 1/1] ADD https://example.com/x /x"
    state.feed(
        vertex(
            name,
            completed="2026-11-22T00:00:01Z",
            error="dial tcp 127.0.0.1:1: connect: connection refused",
        )
    )
    found = failures.explain(made, state, made.matrix.variants)
    assert found
    assert all(f.environment and "mirrors" in f.finding.hint for f in found.values())


def test_an_error_of_the_engine_is_told_from_one_of_the_build(made: Project) -> None:
    first, second = (v.target for v in made.matrix.variants[:2])
    state = State(tuple(v.target for v in made.matrix.variants))
    commit = (
        "failed to finalize parent during merge: failed to commit a to b during finalize: snapshot"
        " a does not exist: not found"
    )
    state.feed(
        vertex(f"[{first} image 2/3] COPY --link x", completed="2026-11-22T00:00:01Z", error=commit)
    )
    state.feed(
        vertex(f"[{second} inventory 2/3] RUN x", completed="2026-11-22T00:00:01Z", error=EXIT)
    )
    found = failures.explain(made, state, made.matrix.variants)
    assert [f.environment for f in found.values()] == [True, False]


class Flaky(Engine):
    """An engine whose network breaks off a few times."""

    def __init__(self, made: Project, times: int) -> None:
        super().__init__(Site())
        self.made, self.times, self.calls = made, times, 0

    def bake(self, definition: dict[str, Any], *, watch: Watch | None = None) -> tuple[State, bool]:
        self.calls += 1
        state = State(tuple(definition["target"]))
        if self.calls > self.times:
            return state, True
        name = f"[{next(iter(definition['target']))} miniforge 2/3] RUN x"
        state.feed(vertex(name))
        log = base64.b64encode(b"ReadTimeoutError: Read timed out.").decode()
        state.feed(json.dumps({"logs": [{"vertex": f"sha256:{name}", "data": log}]}))
        state.feed(vertex(name, completed="2026-11-22T00:00:01Z", error=EXIT))
        return state, False


@pytest.mark.parametrize(("times", "built"), [(0, 4), (run.TRIES - 1, 4), (run.TRIES, 0)])
def test_a_network_that_breaks_off_is_tried_again(
    times: int, built: int, made: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = Flaky(made, times)
    monkeypatch.setattr(run, "Engine", lambda _site: engine)
    monkeypatch.setattr(run, "PAUSE", 0)
    options = run.Options(
        form=WHOLE,
        push=False,
        tags=False,
        load=False,
        keep_going=False,
        chunk=10,
        release=tmp_path / "release.json",
    )
    if built:
        run.build(made, [], options)
        assert engine.calls == times + 1
    else:
        found = refused(lambda: run.build(made, [], options), code=3)
        assert "broke off" in found[0].hint


def test_a_source_that_the_lock_does_not_hold_is_named_with_its_variant(made: Project) -> None:
    variants = made.matrix.variants
    state = State(tuple(v.target for v in variants))
    state.feed(
        f"ERROR: target {variants[1].target}: failed to solve: failed to load LLB: error evaluating"
        ' the source policy: source "https://evil.test/z" denied by policy: source denied by'
        " policy"
    )
    (only,) = failures.explain(made, state, variants).items()
    assert only[0] == variants[1].name
    assert only[1].finding.message == "the source https://evil.test/z is not in the lock"
    assert variants[1].name in only[1].finding.name
    assert not only[1].environment


def test_buildx_names_no_target_when_it_has_only_one(made: Project) -> None:
    variant, *_ = made.matrix.variants
    state = State((variant.target,))
    state.feed(
        "ERROR: failed to solve: could not resolve image due to policy: source"
        ' "docker-image://docker.io/library/alpine:3" denied by policy'
    )
    assert (
        failures.explain(made, state, [variant])[variant.name].finding.message
        == "the source docker.io/library/alpine:3 is not in the lock"
    )


def test_secrets_in_what_a_step_writes_are_covered(made: Project) -> None:
    variant, *_ = made.matrix.variants
    state = State((variant.target,), hidden=("hunter2-long", "hunter2"))
    name = f"[{variant.target} base 2/3] RUN x"
    state.feed(vertex(name))
    state.feed(
        json.dumps(
            {
                "logs": [
                    {
                        "vertex": f"sha256:{name}",
                        "data": base64.b64encode(b"curl -u x:hunter2-long y\n").decode(),
                    }
                ]
            }
        )
    )
    state.feed(vertex(name, completed="2026-11-22T00:00:01Z", error=f"{EXIT} hunter2"))
    state.feed("ERROR: hunter2")
    said = str(failed(made, state)) + str(state.failures()) + str(state.output)
    assert "curl -u x:*** y" in said
    assert "hunter2" not in said


def test_a_registry_that_refuses_the_push_is_the_environment(made: Project) -> None:
    state = State(tuple(v.target for v in made.matrix.variants))
    state.feed("ERROR: failed to push localhost:5000/x: unauthorized")
    (found,) = refused(lambda: failures.explain(made, state, made.matrix.variants), code=3)
    assert "unauthorized" in found.message
    assert "logged in" in found.hint


def test_of_a_recorded_build_only_the_target_that_failed_is_reported(made: Project) -> None:
    first = made.matrix.variants[0]
    state = State((first.target, "ok"))
    for line in (
        (RECORDED / "two_targets.jsonl")
        .read_text("utf-8")
        .replace("[bad ", f"[{first.target} ")
        .splitlines()
    ):
        state.feed(line)
    assert set(failed(made, state)) == {first.name}


def test_secrets_and_mirrors_reach_the_engine_beside_the_dockerfile(
    made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bakestone.clients.site import site

    monkeypatch.setenv("BAKESTONE_TEST_PASSWORD", "hunter2")
    loaded = site.load(with_secrets(tmp_path / "site"))
    definition = {"target": {"a": {"context": "x", "args": {"A": "${B}"}}}}
    with Engine(loaded)._workspace(definition) as (path, variables, _):
        plain = json.loads(path.read_text("utf-8"))
        policy = json.loads(
            Path(variables["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"]).read_text("utf-8")
        )
        mirrors = path.with_name("mirrors").read_text("utf-8")
    assert sorted(plain["target"]["a"]["secret"]) == [
        f"id=HTTP_AUTH_HEADER_files.example.com,src={path.with_name('HTTP_AUTH_HEADER_files.example.com')}",
        f"id=apt,src={path.with_name('apt')}",
        f"id=ca,src={tmp_path / 'site' / 'ca.pem'}",
        f"id=mirrors,src={path.with_name('mirrors')}",
        f"id=pip,src={tmp_path / 'site' / 'pip.conf'}",
    ]
    assert mirrors == "".join(f"{a} {b}\n" for a, b in loaded.urls.items())
    assert plain["target"]["a"]["args"] == {"A": "$${B}"}
    assert policy == source_policy(loaded)
    assert "hunter2" not in json.dumps(plain) + json.dumps(variables)
    assert not path.parent.exists()


def test_without_a_site_there_is_neither_secret_nor_policy() -> None:
    with Engine(Site())._workspace({"target": {"a": {"context": "x"}}}) as (path, variables, _):
        assert json.loads(path.read_text("utf-8")) == {"target": {"a": {"context": "x"}}}
    assert "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY" not in variables


def test_a_push_goes_to_the_fingerprint_tag_and_nowhere_else(made: Project, tmp_path: Path) -> None:
    options = run.Options(
        form=WHOLE,
        push=True,
        tags=True,
        load=False,
        keep_going=True,
        chunk=10,
        release=tmp_path / "release.json",
    )
    abilities = Abilities(made.form, copy=False, layouts=True, name="Docker")
    definition = run._definition(made, made.matrix.variants, options, abilities)
    for variant in made.matrix.variants:
        (output,) = definition["target"][variant.target]["output"]
        assert output.startswith(
            f"type=image,name=registry.example.com/base/{variant.family.name}:fp-{made.fingerprint(variant)},push=true,"
        )
        assert f":{variant.name}" not in output
        assert "rewrite-timestamp=true" in output
        assert "store=false" in output
        assert definition["target"][variant.target]["attest"][0] == "type=provenance,mode=max"
        assert "tags" not in definition["target"][variant.target]


def test_what_is_exported_is_built_first_and_then_written_as_it_would_be_pushed(
    made: Project, tmp_path: Path
) -> None:
    options = run.Options(
        form=WHOLE,
        push=True,
        tags=True,
        load=False,
        keep_going=True,
        chunk=10,
        release=tmp_path / "release.json",
    )
    definition = run._definition(
        made, made.matrix.variants, options, choose("docker", "default", "27.5.1", containerd=True)
    )
    assert {tuple(t["output"]) for t in definition["target"].values()} == {("type=cacheonly",)}
    variant = made.matrix.variants[0]
    ((name, target),) = export.definition(made, variant, Layout(tmp_path / "image"))[
        "target"
    ].items()
    assert name == variant.target
    pushed = choose("docker", "default", "28.5.2", containerd=True).push(
        release.fingerprint_reference(made, variant), made.form, plain_http=False
    )
    (output,) = target["output"]
    asked = dict(option.split("=", 1) for option in output.split(","))
    assert asked.pop("dest") == str(tmp_path / "image")
    assert asked | {"type": "image", "push": "true", "store": "false"} == dict(
        option.split("=", 1) for option in pushed.split(",")
    ) | {"tar": "false"}
    assert target["attest"][0] == "type=provenance,mode=max"


@pytest.mark.parametrize(
    ("driver", "version", "containerd", "asked", "how"),
    [
        ("docker", "28.5.2+dfsg4", True, False, "push without a copy"),
        ("docker", "29.0.0", True, False, "push without a copy"),
        ("docker", "28.5.2", True, True, "export"),
        ("docker", "27.5.1", True, False, "export"),
        ("docker", "26.1.5+dfsg1", True, False, "export"),
        ("docker", "dev", True, False, "export"),
        ("docker", "28.5.2", False, False, "plain"),
        ("docker", "28.5.2", False, True, "plain"),
        ("docker", "20.10.24", False, False, "plain"),
        ("docker-container", "", False, False, "push"),
        ("kubernetes", "", False, True, "export"),
        ("remote", "", False, False, "push"),
    ],
)
def test_how_images_come_to_the_registry(
    driver: str, version: str, containerd: bool, asked: bool, how: str
) -> None:
    found = choose(driver, "name", version, containerd=containerd, export=asked)
    whole = found.form == WHOLE
    assert whole == (how != "plain")
    assert found.layouts == whole
    assert found.export == (how == "export")
    if how.startswith("push"):
        assert ("store=false" in found.push("r.example/x:1", found.form, plain_http=False)) == (
            how == "push without a copy"
        )


def test_an_export_that_is_cut_off_or_altered_is_not_sent(tmp_path: Path) -> None:
    content = b"layer" * 1000
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    path = tmp_path / "blobs" / "sha256" / digest.removeprefix("sha256:")
    path.parent.mkdir(parents=True)
    descriptor = {"digest": digest, "size": len(content)}
    for wrong in (content[:-1], content[:-1] + b"R"):
        path.write_bytes(wrong)
        (found,) = refused(lambda: Layout(tmp_path).checked(descriptor), code=3)
        assert found.message == f"the builder's export has no whole {digest}"
    path.unlink()
    (found,) = refused(lambda: Layout(tmp_path).checked(descriptor), code=3)
    assert found.message.endswith(f"{digest}: No such file or directory")
    (found,) = refused(lambda: Layout(tmp_path).checked({"digest": "sha256:../../x", "size": 1}))
    assert "is no SHA-256 digest" in found.message
    path.write_bytes(content)
    with Layout(tmp_path).checked(descriptor) as stream:
        assert stream.read() == content


def test_without_push_and_load_nothing_leaves_the_engine(made: Project, tmp_path: Path) -> None:
    options = run.Options(
        form=WHOLE,
        push=False,
        tags=True,
        load=False,
        keep_going=True,
        chunk=10,
        release=tmp_path / "release.json",
    )
    outputs = {
        tuple(t["output"])
        for t in run._definition(made, made.matrix.variants, options)["target"].values()
    }
    assert outputs == {("type=cacheonly",)}


def test_an_inline_target_has_no_context_of_anybodys() -> None:
    target = inline_target("FROM scratch\n", "linux/amd64", "type=cacheonly", 7)
    assert target["args"] == {"SOURCE_DATE_EPOCH": "7"}
    with Engine(Site())._workspace({"target": {"a": target}}) as (path, _, _):
        context = Path(json.loads(path.read_text("utf-8"))["target"]["a"]["context"])
        assert context.parent == path.parent
        assert list(context.iterdir()) == []


class Published(Registry):
    """A registry that holds one image, in memory."""

    def __init__(self, layer: bytes) -> None:
        super().__init__(Site())
        self.moved: dict[str, str] = {}
        self.layer = layer
        manifest = {
            "layers": [
                {"digest": "sha256:x", "size": 1000},
                {"digest": self.digest(layer), "size": len(layer)},
            ]
        }
        self.store = {self.digest(raw): raw for raw in [json.dumps(manifest).encode()]}
        self.single = next(iter(self.store))
        index = {
            "manifests": [
                {"digest": self.single, "platform": {"os": "linux", "architecture": "amd64"}}
            ]
        }
        raw = json.dumps(index).encode()
        self.store[self.digest(raw)] = raw
        self.top = self.digest(raw)

    @staticmethod
    def digest(raw: bytes) -> str:
        return f"sha256:{hashlib.sha256(raw).hexdigest()}"

    def manifest(self, reference: str) -> Manifest | None:
        if "@" in reference:
            digest = reference.partition("@")[2]
        elif ":fp-" in reference:
            digest = self.top
        else:
            digest = self.moved.get(reference, "")
        raw = self.store.get(digest)
        return (
            Manifest(digest, INDEX_TYPES[0] if digest == self.top else MANIFEST_TYPES[0], raw)
            if raw
            else None
        )

    def head(self, reference: str) -> str | None:
        found = self.manifest(reference)
        return found.digest if found else None

    def blob(self, reference: str) -> bytes:
        return self.layer

    def tag(self, source: str, tag: str) -> str:
        self.moved[f"{source.partition(':fp-')[0]}:{tag}"] = self.top
        return self.top


def layer(name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size, member.type = len(content), kind
        archive.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue())


INVENTORY: dict[str, Any] = {
    "components": {
        "mpi": {"component": "openmpi", "measured": {"version": "4.1.8"}},
        "distro": {"component": "ubuntu", "measured": {"version": "22.04"}},
    }
}


def test_digest_size_and_inventory_are_read_back_from_the_registry(made: Project) -> None:
    registry = Published(
        layer("usr/share/bakestone/inventory.json", json.dumps(INVENTORY).encode())
    )
    image = release.read_back(made, made.matrix.variants[0], registry)
    assert image.digest == registry.top
    assert image.platforms == {"linux/amd64": registry.single}
    assert image.size == 1000 + len(registry.layer)
    assert release.measured(image) == "ubuntu 22.04, openmpi 4.1.8"


@pytest.mark.parametrize(
    "content",
    [
        layer("etc/passwd", b"{}"),
        layer("usr/share/bakestone/inventory.json", b"", tarfile.SYMTYPE),
        layer("x", b"y" * (release.MAX_INVENTORY + 1)),
    ],
    ids=["another file", "a link", "a large file"],
)
def test_an_image_of_somebody_else_is_refused(content: bytes, made: Project) -> None:
    (found,) = refused(lambda: release.read_back(made, made.matrix.variants[0], Published(content)))
    assert "pushed by something else" in found.hint


def test_a_floating_tag_moves_once(made: Project) -> None:
    registry = Published(
        layer("usr/share/bakestone/inventory.json", json.dumps(INVENTORY).encode())
    )
    images = [release.read_back(made, v, registry) for v in made.matrix.variants]
    assert len(release.move_tags(images, registry)) == 4
    assert release.move_tags(images, registry) == []
    assert set(registry.moved) == {
        f"registry.example.com/base/{v.family.name}:{v.name}" for v in made.matrix.variants
    }


def test_the_fingerprint_tag_is_a_tag() -> None:
    assert len(release.fingerprint_tag(made_up("x"))) == 67
