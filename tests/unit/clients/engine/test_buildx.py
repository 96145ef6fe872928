"""What a bake call is given: site settings beside the Dockerfile, no proxy in provenance; and how
images come to a registry.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bakestone.clients.engine.buildx import Definition, Engine, inline_target
from bakestone.clients.engine.capabilities import (
    BY_DIGEST,
    BY_TAG,
    LAYOUT,
    abilities,
    layout,
    pushed,
)
from bakestone.clients.engine.policy import source_policy
from bakestone.clients.site import site
from bakestone.clients.site.site import Site
from bakestone.core.render.bakefile import NO_ATTESTATIONS, PROVENANCE
from bakestone.core.render.compression import GZIP, Compression
from tests.support.samples import refused
from tests.support.site_files import with_secrets


def test_secrets_and_mirrors_reach_the_engine_beside_the_dockerfile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAKESTONE_TEST_PASSWORD", "hunter2")
    loaded = site.load(with_secrets(tmp_path / "site"))
    definition: Definition = {"target": {"a": {"context": "x", "args": {"A": "${B}"}}}}
    with Engine(loaded).prepared(definition) as prepared:
        path = prepared.path
        plain = json.loads(path.read_text("utf-8"))
        policy = Path(prepared.variables["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"]).read_text("utf-8")
        mirrors = path.with_name("mirrors").read_text("utf-8")
        assert path.parent.stat().st_mode & 0o777 == 0o700
    header = "HTTP_AUTH_HEADER_files.example.com"
    assert sorted(plain["target"]["a"]["secret"]) == [
        f"id={header},src={path.with_name(header)}",
        f"id=apt,src={path.with_name('apt')}",
        f"id=ca,src={tmp_path / 'site' / 'ca.pem'}",
        f"id=mirrors,src={path.with_name('mirrors')}",
        f"id=pip,src={tmp_path / 'site' / 'pip.conf'}",
    ]
    assert mirrors == "".join(f"{a} {b}\n" for a, b in loaded.urls.items())
    assert plain["target"]["a"]["args"] == {"A": "$${B}"}
    assert json.loads(policy) == source_policy(loaded)
    assert "hunter2" not in json.dumps(plain) + json.dumps(dict(prepared.variables))
    assert not path.parent.exists()


def test_without_a_site_there_is_neither_secret_nor_policy() -> None:
    with Engine(Site()).prepared({"target": {"a": {"context": "x"}}}) as prepared:
        plain = json.loads(prepared.path.read_text("utf-8"))
    assert plain == {"target": {"a": {"context": "x"}}}
    assert "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY" not in prepared.variables


def test_provenance_names_no_proxy_of_docker_s_configuration() -> None:
    own: dict[str, object] = {"args": {"SOURCE_DATE_EPOCH": "7", "HTTP_PROXY": "http://ours"}}
    definition: Definition = {
        "target": {
            "pushed": {**own, "attest": PROVENANCE},
            "plain": {**own, "attest": NO_ATTESTATIONS},
            "silent": {**own},
        }
    }
    with Engine(Site()).prepared(definition) as prepared:
        targets = json.loads(prepared.path.read_text("utf-8"))["target"]
    for name in ("plain", "silent"):
        assert targets[name]["args"] == own["args"], "steps may need the proxy"
    blank = {name for name, value in targets["pushed"]["args"].items() if value == ""}
    assert {"HTTPS_PROXY", "https_proxy", "NO_PROXY", "FTP_PROXY", "ALL_PROXY"} <= blank
    assert targets["pushed"]["args"]["HTTP_PROXY"] == "http://ours"
    assert targets["pushed"]["args"]["SOURCE_DATE_EPOCH"] == "7"


@pytest.mark.parametrize(
    ("driver", "containerd", "asked", "way"),
    [
        ("docker", True, False, LAYOUT),
        ("docker", True, True, LAYOUT),
        ("docker", False, False, BY_TAG),
        ("docker-container", False, False, BY_DIGEST),
        ("kubernetes", False, True, LAYOUT),
        ("remote", False, False, BY_DIGEST),
    ],
)
def test_how_images_come_to_the_registry(
    driver: str, containerd: bool, asked: bool, way: str
) -> None:
    found = abilities(docker(driver, containerd=containerd), "", export=asked)
    assert found.delivery == way
    assert found.whole == (way != BY_TAG)
    assert found.name.startswith("Docker 28.5.2" if driver == "docker" else "the builder name")


def test_who_wants_exports_of_a_docker_that_has_none_is_told() -> None:
    client = docker("docker", containerd=False)
    (found,) = refused(lambda: abilities(client, "", export=True), code=3)
    assert found.message.startswith("Docker 28.5.2 without the containerd image store cannot exp")


def docker(driver: str, *, containerd: bool) -> Any:
    """A stand-in for Docker's command line, as far as it is asked."""
    store = [["driver-type", "io.containerd.snapshotter.v1"]] if containerd else []
    inspected = f"echo 'Name: name'; echo 'Driver: {driver}'"
    return SimpleNamespace(
        client_config=SimpleNamespace(docker_cmd=["sh", "-c", inspected]),
        info=lambda: SimpleNamespace(server_version="28.5.2", driver_status=store),
    )


@pytest.mark.parametrize("kind", ["gzip", "zstd", "estargz"])
def test_a_builder_of_its_own_writes_every_compression(kind: str) -> None:
    own = docker("docker-container", containerd=False)
    assert abilities(own, "", compression=Compression(kind)).delivery == BY_DIGEST


@pytest.mark.parametrize(
    ("compression", "containerd", "said"),
    [
        (Compression("estargz"), True, "Docker's builtin builder does not write estargz"),
        (Compression("estargz"), False, "Docker's builtin builder does not write estargz"),
        (Compression("zstd", 3), False, "compresses layers its own way, not by zstd with level 3"),
        (Compression("gzip", 9), False, "compresses layers its own way, not by gzip with level 9"),
    ],
)
def test_a_compression_that_docker_does_not_write_is_refused(
    compression: Compression, containerd: bool, said: str
) -> None:
    client = docker("docker", containerd=containerd)
    (found,) = refused(lambda: abilities(client, "", compression=compression), code=3)
    assert found.message.endswith(said)
    assert "`compression`" in found.hint


def test_docker_with_its_image_store_writes_zstd() -> None:
    client = docker("docker", containerd=True)
    assert abilities(client, "", compression=Compression("zstd", 3)).delivery == LAYOUT


@pytest.mark.parametrize(
    "compression", [GZIP, Compression("gzip", 0), Compression("zstd", 19), Compression("estargz")]
)
def test_the_outputs_write_one_form(compression: Compression, tmp_path: Path) -> None:
    by_digest = pushed("r.example/x", compression, by_digest=True, plain_http=True)
    by_tag = pushed("r.example/x:fp-1", compression, by_digest=False, plain_http=False)
    exported = layout("r.example/x:fp-1", tmp_path / "image", compression)
    written = (by_digest, by_tag, exported)
    options = [dict(o.split("=", 1) for o in out.split(",")) for out in written]
    assert options[0].pop("push-by-digest") == options[0].pop("registry.insecure") == "true"
    assert options[0]["name"] == "r.example/x", "no tag"
    assert options[2].pop("dest") == str(tmp_path / "image")
    assert options[2].pop("tar") == "false"
    for one in options:
        for own in ("type", "name", "push"):
            one.pop(own, None)
        assert one == compression.options


def test_an_inline_target_has_no_context_of_anybodys() -> None:
    target = inline_target("FROM scratch\n", "linux/amd64", "type=cacheonly")
    with Engine(Site()).prepared({"target": {"a": target}}) as prepared:
        plain = json.loads(prepared.path.read_text("utf-8"))
        context = Path(plain["target"]["a"]["context"])
        assert context.parent == prepared.path.parent
        assert list(context.iterdir()) == []


DOCKER = """\
#!/bin/sh
# stands in for docker: tells of one push, in the metadata file
while [ $# -gt 0 ]; do [ "$1" = --metadata-file ] && file=$2; shift; done
printf '%s' "$METADATA" >"$file"
echo 'ERROR: no JSON'
"""
DIGEST = f"sha256:{'a' * 64}"
TOLD = {
    "a descriptor": ({"a": {"containerimage.descriptor": {"digest": DIGEST}}}, {"a": DIGEST}),
    "a digest": ({"a": {"containerimage.digest": DIGEST}}, {"a": DIGEST}),
    "nothing": ({"a": {}}, {}),
    "odd values": ({"a": 3, "b": {"containerimage.digest": 4}, "buildx.build.warnings": []}, {}),
    "a list": ([], {}),
}


@pytest.mark.parametrize(("metadata", "digests"), TOLD.values(), ids=list(TOLD))
def test_what_buildx_tells_of_its_pushes_is_read_whatever_it_is(
    metadata: object, digests: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker"
    program.write_text(DOCKER, "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("METADATA", json.dumps(metadata))
    engine = Engine(Site(builder="own"))

    class Client:
        """As much of python-on-whales' client as is asked for."""

        class client_config:  # noqa: N801
            docker_cmd = (str(program),)

    monkeypatch.setattr(engine, "client", Client)
    state, good = engine.bake({"target": {"a": {}}})
    assert good
    assert state.digests == digests
    assert state.output == ["ERROR: no JSON"]


def test_an_engine_that_was_stopped_begins_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(Site(builder="own"))

    class Client:
        """As much of python-on-whales' client as is asked for."""

        class client_config:  # noqa: N801
            docker_cmd = ("false",)

    monkeypatch.setattr(engine, "client", Client)
    engine.stop()
    (found,) = refused(lambda: engine.bake({"target": {"a": {}}}), code=3)
    assert found.message == "the build was given up"
