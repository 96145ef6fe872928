"""images.yaml -> lock -> Dockerfiles -> measured images in a registry."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bakestone.project import Project
from tests.e2e import components
from tests.e2e.engine import ROOT, Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.workspace import Workspace

VERSIONS = {"openmpi5.0.10-debian12": ("12", "2.39.5"), "openmpi5.0.10-debian13": ("13", "2.47.3")}


def test_lock_pins_bases_by_digest_and_packages_by_exact_version(locked: Workspace) -> None:
    lock = yaml.safe_load(locked.lock.read_text("utf-8"))
    assert set(lock["bases"]) == {"docker.io/library/debian:12", "docker.io/library/debian:13"}
    for base in lock["bases"].values():
        assert base["from"] == "registry"
        assert base["digest"].startswith("sha256:")
    for packages in lock["packages"].values():
        assert packages["pins"] == "versions"
        for entry in packages["platforms"]["linux/amd64"]:
            not_in_a_base = {"bzip2", "g++", "gcc", "git", "openssh-client", "python3-pip"}
            brought = {line.partition(" ")[0] for line in entry["versions"].splitlines()}
            assert not_in_a_base & set(entry["install"]) <= brought


def test_generate_a_second_time_changes_nothing(published: Workspace) -> None:
    before = published.generated()
    assert ", 0 written, 0 removed" in published.bakestone("generate").out
    assert "up to date" in published.bakestone("generate", "--check").out
    assert published.generated() == before


@pytest.mark.parametrize("name", VERSIONS)
def test_image_has_the_versions_in_its_name_for_its_own_user(
    published: Workspace, engine: Engine, name: str
) -> None:
    distro, git = VERSIONS[name]
    image = f"{published.registry}/mpi:{name}"
    said = engine.run(
        image, ". /etc/os-release; id -un; echo $ID $VERSION_ID; mpirun --version; git --version"
    )
    assert said.splitlines()[:2] == ["dockeruser", f"debian {distro}"]
    assert "mpirun (Open MPI) 5.0.10" in said
    assert f"git version {git}" in said
    inventory = json.loads(engine.run(image, "cat /usr/share/bakestone/inventory.json"))
    measured = {slot: part["measured"]["version"] for slot, part in inventory["components"].items()}
    assert inventory["variant"] == name
    assert measured == {"distro": distro, "mpi": "5.0.10", "git": git}


@pytest.mark.parametrize("name", VERSIONS)
def test_image_compiles_and_runs_an_mpi_program_for_its_own_user(
    published: Workspace, engine: Engine, name: str
) -> None:
    source = (ROOT / "generator/bakestone/components/openmpi/programs/hello.c").read_text("utf-8")
    script = f"cat > h.c <<'END'\n{source}\nEND\nmpicc h.c -o h && mpirun --oversubscribe -n 2 ./h"
    assert "ranks=2 library=Open MPI v5.0.10" in engine.run(
        f"{published.registry}/mpi:{name}", script, "--network", "none"
    )


def test_release_names_what_the_registry_has(published: Workspace) -> None:
    release = published.release()
    schema = json.loads((ROOT / "schemas" / "release.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(release)
    repository = published.repository("mpi")
    assert {image["name"] for image in release["images"]} == set(VERSIONS)
    for image in release["images"]:
        assert image["repository"] == repository.name
        assert (
            image["digest"]
            == repository.digest(image["tag"])
            == repository.digest(f"fp-{image['fingerprint']}")
        )
        assert image["size"] == sum(
            layer["size"] for layer in repository.manifest(image["digest"])["layers"]
        )


def test_variants_over_two_bases_share_the_mpi_layer(published: Workspace) -> None:
    repository = published.repository("mpi")
    layers = {name: repository.layer(name, "COPY /out/ /") for name in VERSIONS}
    assert len({layer["digest"] for layer in layers.values()}) == 1
    bases = {repository.manifest(name)["layers"][0]["digest"] for name in VERSIONS}
    assert len(bases) == 2
    blob = repository.blob(next(iter(layers.values()))["digest"])
    with tarfile.open(fileobj=BytesIO(blob)) as archive:
        assert "opt/openmpi/bin/mpirun" in [name.removeprefix("./") for name in archive.getnames()]


def test_building_again_builds_nothing_and_says_so(published: Workspace) -> None:
    repository, release = published.repository("mpi"), published.release()
    tags = {tag: repository.digest(tag) for tag in repository.tags}
    again = published.bakestone("build", "--push")
    assert "nothing to do: all 2 images" in again.out
    assert again.seconds < 10
    assert {tag: repository.digest(tag) for tag in repository.tags} == tags
    assert published.release() == release


def test_a_lost_release_is_written_again_from_the_registry(published: Workspace) -> None:
    path = published.folder / "release.json"
    before = path.read_bytes()
    path.unlink()
    assert (
        "0 built, 2 already there, 0 floating tags moved"
        in published.bakestone("build", "--push").out
    )
    assert path.read_bytes() == before


def test_build_without_push_measures_and_publishes_nothing(published: Workspace) -> None:
    tags = published.repository("mpi").tags
    assert (
        "2 variants built and verified; nothing was published" in published.bakestone("build").out
    )
    assert published.repository("mpi").tags == tags


def test_loaded_image_runs_by_its_tag(published: Workspace, engine: Engine) -> None:
    image = f"{published.registry}/mpi:openmpi5.0.10-debian12"
    engine.docker("image", "rm", "--force", image, code=None)
    assert (
        "loaded into the engine"
        in published.bakestone("build", "openmpi5.0.10-debian12", "--load").out
    )
    assert "mpirun (Open MPI) 5.0.10" in engine.run(image, "mpirun --version", pull="never")


def raw_index(workspace: Workspace, reference: str) -> dict[str, Any]:
    """The index behind a reference, as Docker's own command line reads it."""
    raw = workspace.engine.docker("buildx", "imagetools", "inspect", "--raw", reference)
    loaded: dict[str, Any] = json.loads(raw)
    return loaded


def test_fingerprint_tags_are_on_whole_indexes(published: Workspace) -> None:
    repository = published.repository("mpi")
    for tag in repository.fingerprints:
        index = raw_index(published, f"{repository.name}:{tag}")
        assert index["annotations"]["io.bakestone.attestations"] == "provenance,sbom"
        assert index["annotations"]["org.opencontainers.image.created"].endswith("Z")
        assert index["annotations"]["org.opencontainers.image.base.name"].startswith(
            "docker.io/library/debian:"
        )
        (image, _) = index["manifests"]
        said = json.loads(image["annotations"]["io.bakestone.inventory"])
        (known,) = (i for i in published.release()["images"] if f"fp-{i['fingerprint']}" == tag)
        assert said == known["inventory"]
        assert image["annotations"]["io.bakestone.size"] == str(known["size"])


@pytest.mark.parametrize("field", ["SBOM", "Provenance"])
def test_docker_s_own_command_line_reads_attestations_that_refer_to_their_image(
    published: Workspace, field: str
) -> None:
    name = f"{published.repository('mpi').name}:openmpi5.0.10-debian12"
    (_, entry) = raw_index(published, name)["manifests"]
    attested = published.repository("mpi").manifest(entry["digest"])
    assert attested["subject"]["digest"] == entry["annotations"]["vnd.docker.reference.digest"]
    given = ("buildx", "imagetools", "inspect", "--format", f"{{{{json .{field}}}}}", name)
    said = json.loads(published.engine.docker(*given))
    assert (said["SPDX"]["spdxVersion"] == "SPDX-2.3") if field == "SBOM" else said["SLSA"]


def test_a_part_of_the_matrix_leaves_the_rest_of_the_release(published: Workspace) -> None:
    before = published.release()
    published.bakestone("build", "openmpi5.0.10-debian12", "--push")
    assert published.release() == before


def test_provenance_names_no_proxy_of_docker_s_own_configuration(
    workspace: Workspace, vendor: FileServer, tmp_path: Path
) -> None:
    """The password of a proxy that nothing here needs: hosts are excepted."""
    content = vendor.files["/greeting-1.0.tar.gz"] = components.greeting_archive(
        "1.0", secrets.token_hex(8)
    )
    components.write_greeting(workspace.components, {"1.0": components.from_source(content, "1.0")})
    workspace.site(urls={components.VENDOR: vendor.url})
    workspace.images(components.greeting_family("1.0"))
    workspace.lock_and_generate()
    proxy = "http://somebody:hunter2-of-a-proxy@127.0.0.1:9"
    proxies = {"default": {"httpProxy": proxy, "httpsProxy": proxy, "noProxy": "*"}}
    config = tmp_path / "docker"
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    if own.is_dir():  # plugins and builders are there
        shutil.copytree(own, config)
    config.mkdir(exist_ok=True)
    path = config / "config.json"
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    path.write_text(json.dumps(known | {"proxies": proxies}), "utf-8")
    before = path.read_bytes()
    workspace.bakestone("build")  # steps that fetch do so without that proxy; they are kept after
    said = workspace.bakestone("build", "--push", env={"DOCKER_CONFIG": str(config)})
    assert path.read_bytes() == before
    assert "hunter2" not in said.text
    repository = workspace.repository("greeting")
    (tag,) = repository.floating
    index = raw_index(workspace, f"{repository.name}:{tag}")
    attested = [
        repository.manifest(entry["digest"])
        for entry in index["manifests"]
        if "vnd.docker.reference.digest" in entry.get("annotations", {})
    ]
    statements = [repository.blob(layer["digest"]) for m in attested for layer in m["layers"]]
    assert len(statements) == 2
    assert not any(b"hunter2" in statement for statement in statements)


def test_a_variant_that_is_gone_is_named_and_retired(
    workspace: Workspace, vendor: FileServer
) -> None:
    versions = {}
    for version in ("1.0", "2.0"):
        content = vendor.files[f"/greeting-{version}.tar.gz"] = components.greeting_archive(
            version, secrets.token_hex(8)
        )
        versions[version] = components.from_source(content, version)
    components.write_greeting(workspace.components, versions)
    workspace.site(urls={components.VENDOR: vendor.url})
    workspace.images(components.greeting_family("1.0", "2.0"))
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    workspace.images(components.greeting_family("2.0"))
    workspace.lock_and_generate()
    gone = f"{workspace.registry}/greeting:greeting1.0-debian12"
    said = workspace.bakestone("build", "--push")
    assert f"{gone} is in release.json" in said.err.replace(f"{workspace.folder}/", "")
    assert f"{gone}  to remove" in workspace.bakestone("retire").out
    repository = workspace.repository("greeting")
    assert len(repository.floating) == 2
    # Debian's registry deletes no tags: it is said, and nothing else is touched
    code, out, err = workspace.start("retire", "--yes").ended(120)
    assert "Traceback" not in out + err
    assert len(repository.fingerprints) == 2
    assert "greeting2.0-debian12" in repository.floating
    assert (code, len(repository.floating)) in ((0, 1), (3, 2))


def test_further_tags_move_with_the_release_and_those_of_a_day_stay(
    workspace: Workspace, vendor: FileServer
) -> None:
    versions = {}
    for version in ("1.0", "2.0"):
        content = vendor.files[f"/greeting-{version}.tar.gz"] = components.greeting_archive(
            version, secrets.token_hex(8)
        )
        versions[version] = components.from_source(content, version)
    components.write_greeting(workspace.components, versions)
    workspace.site(urls={components.VENDOR: vendor.url})
    tags = [{"tag": "latest", "when": "greeting=2.*"}, "{greeting_major}-{distro}", "{name}-{date}"]
    family = components.greeting_family("1.0", "2.0", tags=tags)
    workspace.images(family | {"env": {"ROUND": "1"}})
    workspace.lock_and_generate()
    said = workspace.bakestone("build", "--push")
    assert "2 built, 0 already there, 2 floating tags and 5 aliases moved" in said.out
    repository = workspace.repository("greeting")
    first = repository.floating
    images = {image["name"]: image for image in workspace.release()["images"]}
    old, new = images["greeting1.0-debian12"], images["greeting2.0-debian12"]
    assert new["aliases"] == ["latest", "2-debian12"]
    (dated,) = new["dated"]
    assert re.fullmatch(r"greeting2\.0-debian12-20\d{6}", dated)
    for image in (old, new):
        for tag in (image["name"], *image["aliases"], *image["dated"]):
            assert first[tag] == image["digest"]
    assert len(first) == 7

    # the same day, another image of each
    workspace.images(family | {"env": {"ROUND": "2"}})
    workspace.bakestone("generate")
    said = workspace.bakestone("build", "--push")
    second = repository.floating
    for tag in ("greeting1.0-debian12", "1-debian12", "greeting2.0-debian12", "latest"):
        assert second[tag] != first[tag]
    assert second[dated] == first[dated]
    if len(second) == len(first):  # else midnight (UTC) came in between
        assert "of an earlier release of" in said.err
        assert "a tag with a date never moves" in said.err

    # one is gone: it is named as long as it is there
    workspace.images(family | {"env": {"ROUND": "2"}, "tags": tags[1:]})
    workspace.bakestone("generate")
    said = workspace.bakestone("build", "--push")
    assert "0 built, 2 already there" in said.out
    assert f"{repository.name}:latest is in release.json" in said.err.replace(
        f"{workspace.folder}/", ""
    )
    assert f"{repository.name}:latest  to remove" in workspace.bakestone("retire").out


def test_an_image_that_somebody_left_under_a_fingerprint_moves_no_tag(
    workspace: Workspace, vendor: FileServer, engine: Engine
) -> None:
    versions = {}
    for version in ("1.0", "2.0"):
        content = vendor.files[f"/greeting-{version}.tar.gz"] = components.greeting_archive(
            version, secrets.token_hex(8)
        )
        versions[version] = components.from_source(content, version)
    components.write_greeting(workspace.components, versions)
    workspace.site(urls={components.VENDOR: vendor.url})
    workspace.images(components.greeting_family("1.0", "2.0"))
    workspace.lock_and_generate()
    workspace.bakestone("build", "greeting1.0-debian12", "--push", "--no-tags")
    repository = workspace.repository("greeting")
    (old,) = repository.fingerprints
    made = Project(
        workspace.matrix,
        workspace.lock,
        workspace.folder / "dockerfiles",
        workspace.folder / "site.yaml",
    )
    (variant,) = made.select(["greeting2.0-debian12"])
    forged = f"{repository.name}:fp-{made.fingerprint(variant)}"
    engine.docker("buildx", "imagetools", "create", "--tag", forged, f"{repository.name}:{old}")
    said = workspace.bakestone("build", "--push", code=1)
    assert "greeting: expected greeting 2.0, measured greeting 1.0" in said.err
    assert repository.floating == {}
    assert not (workspace.folder / "release.json").exists()
