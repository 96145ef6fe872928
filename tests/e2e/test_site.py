"""A site behind a private authority: a registry with TLS and passwords, a package index, a mirror
of files. Nothing of it is in what is built.
"""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from bakestone.clients.engine.buildx import Engine as Buildx
from bakestone.clients.engine.buildx import inline_target
from bakestone.clients.site import site as site_module
from bakestone.core.render.frames import tools
from bakestone.core.render.packages import apt
from tests.e2e import certificate_authority, components
from tests.e2e.certificate_authority import Authority
from tests.e2e.engine import CA, Engine
from tests.e2e.fileserver import FileServer, at_gateway
from tests.e2e.oci import ACCEPT
from tests.e2e.password_registry import PasswordRegistry
from tests.e2e.workspace import MakeWorkspace, Workspace
from tests.support.tokenservice import PASSWORD, USER

CERTIFICATES = Path("/etc/docker/certs.d")
"""Where Docker's daemon looks for the authorities of registries, each time it asks one."""
BELOW = "mirror/of/vendors/greeting/"


@dataclass(frozen=True)
class Account:
    """A name, and a password that exists nowhere else; with characters that have a meaning
    somewhere.
    """

    name: str
    password: str

    @property
    def header(self) -> str:
        return "Basic " + base64.b64encode(f"{self.name}:{self.password}".encode()).decode()

    @property
    def traces(self) -> list[bytes]:
        return [
            text.encode()
            for text in (
                self.password,
                quote(self.password, safe=""),
                self.header.partition(" ")[2],
            )
        ]


@dataclass(frozen=True)
class Place:
    """Everything private: the authority, a registry with Debian in it, an index and a mirror, with
    an account for each.
    """

    authority: Authority
    registry: PasswordRegistry
    index: FileServer
    mirror: FileServer
    indexer: Account
    mirrorer: Account

    @property
    def secrets(self) -> list[bytes]:
        return [*self.indexer.traces, *self.mirrorer.traces, PASSWORD.encode()]


def _account(name: str) -> Account:
    return Account(name, f"{secrets.token_hex(6)}:/@%#\"'${secrets.token_hex(4)}")


@pytest.fixture(scope="module")
def authority(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return certificate_authority.make(tmp_path_factory.mktemp("authority"), engine.gateway)


@pytest.fixture(scope="module")
def place(
    engine: Engine, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    if not engine.mirror:
        pytest.skip("Debian's image is copied from the engine's own registry, and is not in it")
    indexer, mirrorer = _account("reader"), _account("ci")
    with (
        at_gateway(engine, login=indexer.header, tls=authority.tls) as index,
        FileServer("127.0.0.1", login=mirrorer.header) as mirror,
        PasswordRegistry(engine, tmp_path_factory.mktemp("private"), authority) as registry,
    ):
        trusted = CERTIFICATES / registry.address
        try:
            trusted.mkdir(parents=True)
        except OSError:
            pytest.skip(
                f"{CERTIFICATES} cannot be written, so Docker cannot be told of a private authority"
            )
        (trusted / "ca.crt").write_bytes(authority.certificate.read_bytes())
        try:
            host, _, path = engine.mirror.partition("/")
            _copy(f"http://{host}/v2/{path}/debian", "12", registry)
            yield Place(authority, registry, index, mirror, indexer, mirrorer)
        finally:
            (trusted / "ca.crt").unlink()
            trusted.rmdir()
    engine.remove_images(registry.address)


def _copy(source: str, reference: str, registry: PasswordRegistry) -> None:
    """An image from the engine's registry to hub/library/debian of the private one, by plain
    requests.
    """
    target = f"{registry.url}/v2/hub/library/debian"
    session = requests.Session()
    session.trust_env = False  # REQUESTS_CA_BUNDLE would count for more than `verify`
    session.auth, session.verify = ((USER, PASSWORD), registry.verify)
    manifest = requests.get(
        f"{source}/manifests/{reference}", headers={"Accept": ACCEPT}, timeout=60
    )
    assert manifest.status_code == 200
    held = manifest.json()
    for entry in held.get("manifests", []):
        _copy(source, entry["digest"], registry)
    for blob in [held["config"], *held["layers"]] if "layers" in held else []:
        content = requests.get(f"{source}/blobs/{blob['digest']}", timeout=120).content
        place = session.post(f"{target}/blobs/uploads/", timeout=120).headers["Location"]
        answer = session.put(place, params={"digest": blob["digest"]}, data=content, timeout=120)
        assert answer.status_code == 201, answer.text
    kind = {"Content-Type": manifest.headers["Content-Type"]}
    answer = session.put(
        f"{target}/manifests/{reference}", data=manifest.content, headers=kind, timeout=120
    )
    assert answer.status_code == 201, answer.text


@pytest.fixture
def files(place: Place) -> dict[str, dict[str, Any]]:
    """A wheel on the private index and an archive on the mirror, both new; the versions of the
    component that is made of them.
    """
    wheel, content = components.greeting_wheel("1.0", secrets.token_hex(8))
    archive = components.greeting_archive("2.0", secrets.token_hex(8))
    link = f'<a href="/files/{wheel}#sha256={components.digest(content)}">{wheel}</a>'
    place.index.files |= {
        "/simple/bakestone-greeting/": f"<!DOCTYPE html><html><body>{link}</body></html>".encode(),
        f"/files/{wheel}": content,
    }
    place.mirror.files[f"/{BELOW}greeting-2.0.tar.gz"] = archive
    for server in (place.index, place.mirror):
        server.asked.clear()
    return {
        "1.0": components.from_wheel(wheel, content, "1.0"),
        "2.0": components.from_source(archive, "2.0"),
    }


def _project(workspace: Workspace, files: dict[str, dict[str, Any]]) -> Workspace:
    components.write_greeting(workspace.components, files)
    workspace.images(components.greeting_family("1.0", "2.0"))
    return workspace


def _private(workspace: Workspace, place: Place, **changes: Any) -> dict[str, str]:
    """The site file of this place, and the environment that goes with it."""
    bundle = place.authority.bundle(workspace.folder / "ca.pem", CA)
    (workspace.folder.with_name(f"{workspace.folder.name}.password")).write_text(
        place.mirrorer.password + "\n", "utf-8"
    )
    credentials = [
        {
            "host": place.index.url.split("/")[2],
            "username": place.indexer.name,
            "password": {"env": "INDEX_PASSWORD"},
        },
        {
            "url": place.mirror.url + "mirror/",
            "username": place.mirrorer.name,
            "password": {"file": f"../{workspace.folder.name}.password"},
        },
    ]
    settings: dict[str, Any] = {
        "registry": f"{place.registry.address}/base",
        "ca": str(bundle),
        "indexes": {"pip": {"url": f"{place.index.url}simple"}},
        "credentials": credentials,
    }
    workspace.site(
        urls={components.VENDOR: place.mirror.url + BELOW},
        registries={"docker.io/library": f"{place.registry.address}/hub/library"},
        **settings | changes,
    )
    return place.registry.login(PASSWORD) | {"INDEX_PASSWORD": place.indexer.password}


def test_the_same_fingerprints_and_cache_keys_as_without_and_no_secret_anywhere(
    place: Place, files: dict[str, dict[str, Any]], make: MakeWorkspace, engine: Engine
) -> None:
    private = _project(make("private"), files)
    env = _private(private, place)
    said = [
        private.bakestone(*command, env=env)
        for command in (["lock", "--update"], ["generate"], ["build", "--push"])
    ]
    assert f"/{BELOW}greeting-2.0.tar.gz" in place.mirror.asked
    assert any(path.startswith("/files/") for path in place.index.asked)
    images = {image["name"]: image for image in private.release()["images"]}
    for name, version in (("greeting1.0-debian12", "1.0"), ("greeting2.0-debian12", "2.0")):
        assert images[name]["inventory"]["components"]["greeting"]["measured"]["version"] == version
        where = f"{place.registry.address}/base/greeting:{name}"
        assert (
            engine.docker(
                "run", "--rm", "--quiet", "--pull", "always", where, "greet", env=env
            ).strip()
            == version
        )
        history = engine.docker("history", "--no-trunc", where) + engine.docker(
            "image", "inspect", where
        )
        assert _shown(place, history.encode()) == []

    records = _records(engine, private.folder, env)
    assert records
    assert [record for record in records if _shown(place, record.encode())] == []

    # Without any of it the files are out of reach: what was built must be found in the cache, under
    # the same keys.
    plain = _project(make("plain"), files)
    plain.lock.write_bytes(private.lock.read_bytes())
    plain.bakestone("generate")
    assert plain.generated() == {
        path: text.replace(private.registry, plain.registry)
        for path, text in private.generated().items()
    }
    plain.bakestone("build", "--push")
    again = {image["name"]: image for image in plain.release()["images"]}
    for part in (
        "fingerprint",
        "platforms",
    ):  # not `digest`: provenance beside the image says which mirrors were asked
        assert {n: i[part] for n, i in again.items()} == {n: i[part] for n, i in images.items()}

    assert _shown(place, "".join(s.text for s in said).encode()) == []
    assert list(private.temporary.iterdir()) == [], (
        "secrets are gone with the folders that they were in"
    )
    for folder in (private.folder, plain.folder, place.registry.folder / "data"):
        assert [
            path
            for path in folder.rglob("*")
            if path.is_file() and _shown(place, path.read_bytes())
        ] == []


def test_what_buildkit_records_of_a_build_holds_no_secret(
    place: Place,
    workspace: Workspace,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Provenance in its longest form, the image and its layers, of a build that uses every kind of
    secret.
    """
    env = _private(workspace, place, proxies={"http": "http://proxy.test:3128"})
    for name, value in (engine.environment | env).items():
        monkeypatch.setenv(name, value)
    place.mirror.files["/mirror/file"] = b"from the mirror"
    script = (
        "cat /run/secrets/pip /run/secrets/apt | wc -l; test -s /run/secrets/pip; test -s"
        " /run/secrets/apt"
    )
    text = (
        f"FROM docker.io/library/debian:12\nADD {place.mirror.url}mirror/file /file\n"
        f"RUN --mount=type=secret,id=pip --mount=type=secret,id=apt {script} && date +%N > /made\n"
    )
    out = tmp_path / "image.tar"
    target = inline_target(text, "linux/amd64", f"type=oci,dest={out}") | {
        "attest": ["type=provenance,mode=max"]
    }
    state, good = Buildx(site_module.load(workspace.folder / "site.yaml")).bake(
        {"target": {"recorded": target}}
    )
    assert good, state.failures() or state.output
    with tarfile.open(out) as archive:
        blobs = [
            stream.read()
            for member in archive
            if member.isfile() and (stream := archive.extractfile(member))
        ]
    assert any(b"slsa.dev/provenance" in blob for blob in blobs)
    assert [blob[:200] for blob in blobs if _shown(place, blob)] == []
    assert [blob[:200] for blob in blobs if b"proxy.test" in blob] == []


def test_apt_in_a_build_step_logs_in_and_goes_by_the_proxy(
    place: Place, workspace: Workspace, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the lines with which every script of apt begins, against a repository without packages."""
    with at_gateway(engine) as proxy:
        env = _private(workspace, place, proxies={"http": proxy.url, "no_proxy": [engine.gateway]})
        for name, value in (engine.environment | env).items():
            monkeypatch.setenv(name, value)
        empty = gzip.compress(b"")
        place.index.files["/deb/./Packages.gz"] = empty
        proxy.files["http://packages.test/deb/./Packages.gz"] = empty
        sources = (
            f"printf 'deb [trusted=yes] %s ./\\n' {place.index.url}deb http://packages.test/deb >"
            " /etc/apt/sources.list"
        )
        lines = [
            *apt.BEGIN,
            "rm /etc/apt/sources.list.d/*",
            sources,
            f"apt update # {secrets.token_hex(4)}",
        ]
        text = f"{tools(apt.TOOLS)}\nFROM docker.io/library/debian:12\n{apt.run(lines)}"
        state, good = Buildx(site_module.load(workspace.folder / "site.yaml")).bake(
            {"target": {"apt": inline_target(text, "linux/amd64", "type=cacheonly")}}
        )
        assert good, state.failures() or state.output
        assert "/deb/./Packages.gz" in place.index.asked
        assert "http://packages.test/deb/./Packages.gz" in proxy.asked
    log = "\n".join(line for step in state.steps.values() for line in step.log)
    assert _shown(place, log.encode()) == []


def test_a_wrong_password_of_the_index_is_said_without_it(
    place: Place, files: dict[str, dict[str, Any]], workspace: Workspace
) -> None:
    _project(workspace, {"1.0": files["1.0"]}).images(components.greeting_family("1.0"))
    env = _private(workspace, place)
    workspace.lock_and_generate(env)
    said = workspace.bakestone(
        "build", code=1, env=env | {"INDEX_PASSWORD": f"wrong{place.indexer.password}"}
    )
    assert "greeting1.0-debian12" in said.err
    assert "hint: the server does not let us in: `credentials` in the site file" in said.err
    assert _shown(place, said.text.encode()) == []


def test_a_wrong_password_of_the_mirror_is_said_without_it(
    place: Place, files: dict[str, dict[str, Any]], workspace: Workspace
) -> None:
    _project(workspace, {"2.0": files["2.0"]}).images(components.greeting_family("2.0"))
    env = _private(workspace, place)
    workspace.lock_and_generate(env)
    password = workspace.folder.with_name(f"{workspace.folder.name}.password")
    password.write_text(f"wrong{place.mirrorer.password}", "utf-8")
    said = workspace.bakestone("build", code=1, env=env)
    assert (
        "or the server refused the login, whose answer BuildKit takes for the file: `credentials`"
        " in the site file" in said.err
    )
    assert _shown(place, said.text.encode()) == []
    password.unlink()
    said = workspace.bakestone("build", code=1, env=env)
    assert f"site.yaml:{_line(workspace, 'file:')}:" in said.err
    assert "cannot be read: No such file" in said.err


def test_a_variable_that_is_not_set_is_named_where_the_site_file_names_it(
    place: Place, files: dict[str, dict[str, Any]], workspace: Workspace
) -> None:
    _project(workspace, {"2.0": files["2.0"]}).images(components.greeting_family("2.0"))
    env = _private(workspace, place)
    workspace.lock_and_generate(env)
    place.mirror.asked.clear()
    said = workspace.bakestone(
        "build", code=1, env={k: v for k, v in env.items() if k != "INDEX_PASSWORD"}
    )
    assert f"site.yaml:{_line(workspace, 'env:')}:" in said.err
    assert "the variable INDEX_PASSWORD is not set" in said.err
    assert place.mirror.asked == []


def test_an_authority_that_is_not_trusted_is_said(
    place: Place, files: dict[str, dict[str, Any]], workspace: Workspace
) -> None:
    _project(workspace, {"1.0": files["1.0"]}).images(components.greeting_family("1.0"))
    env = _private(workspace, place)
    workspace.lock_and_generate(env)
    other = certificate_authority.make(workspace.temporary, "127.0.0.1").bundle(
        workspace.folder / "other.pem", CA
    )
    _private(workspace, place, ca=str(other))
    said = workspace.bakestone("build", "--push", code=3, env=env)
    assert f"{place.registry.address}: TLS failed: certificate verify failed" in said.err
    assert "`ca` in the site file" in said.err
    said = workspace.bakestone("build", code=1, env=env)
    assert "hint: a certificate is not trusted: `ca` in the site file" in said.err
    assert _shown(place, said.text.encode()) == []


def _records(engine: Engine, folder: Path, env: dict[str, str]) -> list[str]:
    """What BuildKit keeps of the builds of a folder: their settings, materials and logs. buildx has
    their names beside its configuration.
    """
    listed = engine.docker(
        "buildx", "history", "ls", "--format", "{{.Ref}} {{.Name}}", env=env
    ).splitlines()
    ours = [
        line.split()[0] for line in listed if line.endswith("-debian12)") and " greeting (" in line
    ]
    about = {
        ref: engine.docker("buildx", "history", "inspect", ref, code=None, env=env) for ref in ours
    }
    return [
        text + engine.docker("buildx", "history", "logs", ref, code=None, env=env)
        for ref, text in about.items()
        if str(folder) in text
    ]


def _line(workspace: Workspace, word: str) -> int:
    lines = (workspace.folder / "site.yaml").read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if word in line)


def _shown(place: Place, content: bytes) -> list[bytes]:
    """The secrets that are in some bytes, as they are or compressed."""
    if content[:2] == b"\x1f\x8b":
        content += gzip.decompress(content)
    return [
        secret
        for secret in place.secrets
        if secret in content or json.dumps(secret.decode())[1:-1].encode() in content
    ]
