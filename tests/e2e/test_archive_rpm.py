"""A distro with dnf from an archive: its repository is switched off, and the same fingerprint comes
out.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from bakestone.jobs.archive.catalog import INDEX, PACKAGE
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.project import Project
from tests.e2e import components, rpmdistro
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer, at_gateway
from tests.e2e.oci import Repository
from tests.e2e.workspace import Workspace

REPOSITORY = f"{rpmdistro.SERVER}{rpmdistro.PLACE}"
RPMS = [
    "fuse-2.9.9-17.el9.x86_64.rpm",
    "greet-1.0-1.el9.x86_64.rpm",
    "libGreet_c++-1.0^git5-3.el9_2.1.noarch.rpm",
]
SITE = ("--site", "archive-site/site.yaml")


KEY = "key.asc"
DISTRO = """\
FROM {base}
COPY <<'EOF' /etc/once
{once}
EOF
RUN sed -i 's|^{option}=.*|{option}={url}|' /etc/yum.repos.d/rocky.repo
"""
"""A layer that no run had before, so that what is installed on it comes out of no cache, and
another line in the repository file.
"""


@pytest.fixture(scope="module", params=["mirror", "mirror list"])
def archived(
    engine: Engine,
    prefix: str,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[tuple[Workspace, FileServer]]:
    """A locked project on the stand-in for Rocky Linux and its archive, with the distro's
    repository switched off after it.

    The repository was reached by the site's mirror, the key being a URL, or by the distro's own
    list of mirrors.
    """
    name = request.param.replace(" ", "-")
    repositories = tmp_path_factory.mktemp("repositories")
    workspace = Workspace(
        tmp_path_factory.mktemp(f"archive-rpm-{name}"), engine, f"{prefix}/archive-rpm-{name}/base"
    )
    base = f"{workspace.registry}/stand-in:9"
    rpmdistro.make(engine, base, repositories)
    key = engine.run(base, "cat /etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9").encode()
    with at_gateway(engine) as server:
        rpmdistro.publish(server, repositories / "1")
        listed = request.param == "mirror list"
        server.files["/mirrors"] = f"{server.url}{rpmdistro.PLACE}\n".encode()
        server.files[f"/{KEY}"] = b"no key"
        line = (
            {"option": "mirrorlist", "url": f"{server.url}mirrors"}
            if listed
            else {"option": "gpgkey", "url": rpmdistro.SERVER + KEY}
        )
        text = DISTRO.format(base=base, once=secrets.token_hex(8), **line)
        engine.docker(
            "buildx", "build", "--output", f"type=image,name={base},push=true", "-", stdin=text
        )
        rpmdistro.as_rocky(workspace, base, ["fuse"])
        workspace.site(urls={} if listed else {rpmdistro.SERVER: server.url})
        workspace.images({"name": "rpm", "axes": {"distro": ["rocky@9"]}, "packages": ["greet"]})
        workspace.lock_and_generate()
        if not listed:  # rpms whose signature nobody can check are not taken in
            assert (
                "packages cannot be fetched"
                in workspace.bakestone("archive", "create", "archive", code=3).err
            )
            assert not (workspace.folder / "archive" / "index.json").exists()
            server.files[f"/{KEY}"] = key
        workspace.bakestone("archive", "create", "archive")
        server.files.clear()
        server.asked.clear()
        yield workspace, server


def test_rpms_and_the_whole_metadata_are_under_the_address_in_the_repository_file(
    archived: tuple[Workspace, FileServer],
) -> None:
    workspace, _ = archived
    layout = ArchiveLayout(workspace.folder / "archive")
    entries = layout.catalog().entries
    rpms = [e.name for e in entries if e.kind == PACKAGE]
    assert sorted(name.rpartition("/")[2] for name in rpms) == RPMS, "the closure and nothing else"
    indexes = {e.name.removeprefix(REPOSITORY): e for e in entries if e.kind == INDEX}
    key = indexes.pop(rpmdistro.SERVER + KEY, None)
    assert (key is None) == ("list" in workspace.folder.name)
    assert all(name.startswith("repodata/") for name in indexes), indexes
    repomd = layout.path(indexes["repodata/repomd.xml"].digest).read_text("utf-8")
    assert repomd.count("<location href=") == len(indexes) - 1
    assert all(f'"{name}"' in repomd for name in indexes if name != "repodata/repomd.xml")
    assert all(name.startswith(REPOSITORY) for name in rpms)
    assert all(e.variants for e in entries)


def test_what_is_there_is_not_fetched_again(archived: tuple[Workspace, FileServer]) -> None:
    workspace, server = archived
    index = workspace.folder / "archive" / "index.json"
    before = index.read_bytes()
    workspace.bakestone("archive", "create", "archive")
    assert index.read_bytes() == before
    assert server.asked == []


def test_an_altered_rpm_fails_and_a_right_one_gives_the_same_fingerprint(
    archived: tuple[Workspace, FileServer], engine: Engine
) -> None:
    workspace, server = archived
    layout = ArchiveLayout(workspace.folder / "archive")
    (entry,) = (e for e in layout.catalog().entries if e.kind == PACKAGE and "/greet-" in e.name)
    path = layout.path(entry.digest)
    repository, content = Repository(f"{workspace.registry}/rpm"), path.read_bytes()
    with workspace.serving("archive", "--bind", "docker", "--port", "0"):
        path.write_bytes(components.altered(content))
        try:
            found = workspace.bakestone("archive", "verify", "archive", code=1).err
            assert f"the package {entry.name} is altered; without it" in found
            said = workspace.bakestone("build", "--push", *SITE, code=1).err
            assert "hint: what was fetched does not have the checksum in the lock" in said
            assert not repository.tags
        finally:
            path.write_bytes(content)
        assert "all of it is right" in workspace.bakestone("archive", "verify", "archive").out
        workspace.bakestone("generate", "--check", *SITE)
        workspace.bakestone("build", "--push", *SITE)
    assert server.asked == [], "the distro's own repository was not asked"
    project = Project(workspace.matrix, workspace.lock, workspace.folder / "dockerfiles")
    (variant,) = project.matrix.variants
    fingerprint = f"fp-{project.fingerprint(variant)}"
    assert any(fingerprint.startswith(tag) for tag in repository.fingerprints)
    (image,) = workspace.release()["images"]
    assert image["inventory"]["fuse"] == "2.9.9"
    built, show = f"{image['repository']}:{image['tag']}", "cat /etc/yum.repos.d/rocky.repo"
    assert engine.run(built, "greet") == "1.0\n"
    assert engine.run(built, show) == engine.run(f"{workspace.registry}/stand-in:9", show), (
        "the archive's address is not in it"
    )
