"""Where a published image comes from: the site file, else the CI, else git; it stands in the index,
and the images in it stay as they are.
"""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bakestone.clients import git
from bakestone.clients.engine.capabilities import BY_DIGEST, BY_TAG, LAYOUT
from bakestone.clients.http.session import Session
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.manifest import Manifest
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.render.metadata import Metadata
from bakestone.core.render.plan import BuildPlan
from bakestone.jobs.publish.attest import index
from bakestone.jobs.publish.attest.publish import Publication, complete
from bakestone.jobs.publish.found import Found, FoundPlatform
from bakestone.jobs.publish.metadata import gather
from bakestone.jobs.publish.run import BuildOptions, build
from tests.support.builder import Builder, Onlooker, inventory, push
from tests.support.samples import MANY, locked
from tests.support.writable_registry import WritableRegistry, digest_of

PREFIX = "org.opencontainers.image."
GITHUB = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "team/images",
    "GITHUB_SHA": "a" * 40,
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit, whose remote has an account in its URL."""
    folder = tmp_path / "repository"
    folder.mkdir()
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    for command in (
        ("init", "--quiet"),
        ("remote", "add", "origin", "https://me:hunter2@git.example.com/team/images.git"),
        (*who, "commit", "--quiet", "--allow-empty", "-m", "first"),
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder


def test_git_says_source_and_commit_without_the_account(repository: Path) -> None:
    found = gather(Metadata(), repository, {})
    assert found.source == "https://git.example.com/team/images.git"
    assert (found.revision, len(found.revision)) == (git.commit(repository), 40)


def test_github_s_variables_come_before_git(repository: Path) -> None:
    found = gather(Metadata(), repository, GITHUB)
    assert found == Metadata("https://github.com/team/images", "a" * 40)


def test_the_site_file_wins(repository: Path) -> None:
    said = Metadata(source="https://code.example.com/", vendor="Example Inc.")
    found = gather(said, repository, GITHUB)
    assert (found.source, found.revision, found.vendor) == (said.source, "a" * 40, "Example Inc.")


def test_what_the_environment_says_is_checked(repository: Path) -> None:
    hostile = GITHUB | {"GITHUB_SERVER_URL": "https://me:hunter2@github.com", "GITHUB_SHA": "a\nb"}
    found = gather(Metadata(), repository, hostile)
    assert found.source == "https://github.com/team/images"
    assert found.revision == git.commit(repository)


def test_without_a_repository_or_git_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert gather(Metadata(), tmp_path, {}) == Metadata()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gather(Metadata(), tmp_path, {}) == Metadata()


def test_the_index_says_it_and_the_images_keep_their_digests(
    shelf: WritableRegistry, plan: BuildPlan
) -> None:
    variant = plan.variants[0]
    where = variant.repository.partition("/")[2]
    data = {"schemaVersion": 2, "mediaType": index.MANIFEST, "config": index.EMPTY, "layers": []}
    raw = json.dumps(data).encode()
    digest = shelf.put(where, raw)
    content = inventory(variant.variant)
    found = Found(
        Manifest(digest, index.MANIFEST, raw),
        {variant.platforms[0]: FoundPlatform(digest, 5, content, packages=())},
    )
    publication = Publication(Metadata(vendor="Example Inc."), "2026-11-22T00:00:00Z")
    registry = Registry(Site())
    whole = complete(plan, variant, found, registry, publication)
    base = variant.variant.base.ref
    about = {
        f"{PREFIX}base.digest": plan.lock.bases[base].digest,
        f"{PREFIX}base.name": base,
        f"{PREFIX}created": "2026-11-22T00:00:00Z",
        f"{PREFIX}vendor": "Example Inc.",
    }
    assert whole.data["annotations"] == {**about, index.DONE: "provenance,sbom"}
    (image,) = index.images(whole.data)
    assert (image["digest"], digest_of(raw)) == (digest, digest)
    assert about.items() <= image["annotations"].items()
    assert index.note(image) == (json.dumps(content, separators=(",", ":")), 5)
    assert complete(plan, variant, found, registry, publication).digest == whole.digest
    assert index.attested_by(whole.data, digest)


@pytest.mark.parametrize("attest", [True, False])
def test_a_run_writes_it_where_it_makes_the_index(
    attest: bool, plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    wanted = plan if attest else plan.unattested()
    publication = Publication(Metadata(vendor="Example Inc."), "2026-11-22T00:00:00Z")
    push(wanted, Builder(shelf, wanted, BY_DIGEST), path, publication=publication)
    for variant in wanted.variants:
        where = variant.repository.partition("/")[2]
        top = json.loads(shelf.contents[where][shelf.tags[where][variant.tag]])
        said = index.annotation(top, f"{PREFIX}vendor")
        assert said == ("Example Inc." if attest else "")
        described = {index.annotation(one, f"{PREFIX}created") for one in index.images(top)}
        assert not attest or described == {"2026-11-22T00:00:00Z"}


@pytest.mark.parametrize("way", [BY_DIGEST, LAYOUT])
def test_a_team_s_annotations_are_in_the_index_however_images_come(
    way: str, shelf: WritableRegistry, library: Library, path: Path, tmp_path: Path
) -> None:
    own = "\n    annotations: {com.example.cost: '4711'}\n    axes:"
    project = locked(tmp_path / "own", MANY.replace("\n    axes:", own), library=library)
    project.registry_override = f"{shelf.address}/base"
    plan = project.plan(project.matrix.variants)
    builder = Builder(shelf, plan, way)
    publication = Publication(Metadata(vendor="Example Inc."), "2026-11-22T00:00:00Z")
    push(plan, builder, path, publication=publication)
    for variant in plan.variants:
        where = variant.repository.partition("/")[2]
        top = json.loads(shelf.contents[where][shelf.tags[where][variant.tag]])
        assert index.annotation(top, "com.example.cost") == "4711"
        assert index.annotation(top, f"{PREFIX}vendor") == "Example Inc."
        assert all("com.example.cost" not in one["annotations"] for one in index.images(top))


def test_an_engine_that_writes_no_annotations_is_told(
    shelf: WritableRegistry, library: Library, path: Path, tmp_path: Path
) -> None:
    own = "\n    annotations: {com.example.cost: '4711'}\n    axes:"
    project = locked(tmp_path / "own", MANY.replace("\n    axes:", own), library=library)
    project.registry_override = f"{shelf.address}/base"
    plan = project.plan(project.matrix.variants, attest=False)
    onlooker = Onlooker()
    build(
        plan,
        BuildOptions(path, push=True),
        Builder(shelf, plan, BY_TAG),
        Registry(Site()),
        onlooker,
    )
    (warning,) = onlooker.warnings
    assert warning.message.startswith("a stand-in writes no annotations")


def test_a_clock_that_is_ahead_of_the_registry_s_dates_nothing(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    days = 9 * 86400
    registry = Registry(Site(), Session(Site(), now=lambda: time.time() + days))
    onlooker = Onlooker()
    options = BuildOptions(path, push=True, publication=Publication(time="2026-11-22T00:00:00Z"))
    build(plan, options, Builder(shelf, plan, BY_DIGEST), registry, onlooker)
    (warning,) = onlooker.warnings
    assert warning.message.startswith("this machine's clock is 9 days, 0:00:0")
    assert warning.hint.startswith("set it; ")
    for variant in plan.variants:
        where = variant.repository.partition("/")[2]
        top = json.loads(shelf.contents[where][shelf.tags[where][variant.tag]])
        for one in index.images(top):
            created = datetime.fromisoformat(index.annotation(one, f"{PREFIX}created"))
            late = datetime(2026, 11, 13, tzinfo=UTC) - created
            assert timedelta(0) <= late <= timedelta(minutes=1)


def test_an_image_without_annotations_gets_none() -> None:
    plain = {"digest": "sha256:a", "size": 1}
    assert index.described(plain, {"x": "y"}) == plain
