"""A lock that somebody edited: what cannot be so is refused, at its entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import lockfile, survey
from bakestone.core.lock.lock import Lock, LockedBase, LockedPackages
from tests.support.command import Command
from tests.support.samples import AZUREML, EPOCH, MANY, locked, made_up, refused, stale

DEBIAN = "docker.io/library/debian:12"
UBUNTU = "docker.io/library/ubuntu:22.04"
XENIAL = "docker.io/library/ubuntu:16.04"


def base(ref: str, **other: object) -> Callable[[Lock], None]:
    """Write something else into a base image's entry."""

    def edit(lock: Lock) -> None:
        lock.bases[ref] = replace(lock.bases[ref], **other)  # type: ignore[arg-type]

    return edit


def packages(ref: str, **other: object) -> Callable[[Lock], None]:
    """Write something else into the entry of the packages on a base."""

    def edit(lock: Lock) -> None:
        lock.packages[ref] = replace(lock.packages[ref], **other)  # type: ignore[arg-type]

    return edit


def owner(lock: Lock) -> None:
    """Write another component into the entry of a file."""
    url = next(iter(lock.artifacts))
    lock.artifacts[url] = replace(lock.artifacts[url], component="git@1")


def wheel_size(lock: Lock) -> None:
    """Write another size into the entry of a wheel."""
    key, wheel = next(iter(lock.wheels.items()))
    platform, (name, sha256, size) = next(iter(wheel.files.items()))
    lock.wheels[key] = replace(wheel, files=wheel.files | {platform: (name, sha256, size + 1)})


EDITED = {
    "another digest of the library": (
        base(DEBIAN, digest=f"sha256:{made_up('x')}"),
        "the library's digest is sha256:",
    ),
    "another digest for a platform": (
        base(UBUNTU, platforms={"linux/amd64": f"sha256:{made_up('x')}"}),
        "the library's digest for linux/amd64 is sha256:",
    ),
    "another time of the library's image": (
        base(DEBIAN, epoch=EPOCH + 400 * 86400),
        f"the library's `epoch` is 1789689600, and it says {EPOCH + 400 * 86400}",
    ),
    "no time of the library's image": (base(DEBIAN, epoch=0), "the library's `epoch` is "),
    "a registry's answer without a digest": (
        base(DEBIAN, digest="", platforms={}, resolved_from="registry"),
        "it says that a registry answered, and has no digest",
    ),
    "another size of a wheel": (wheel_size, " bytes, and it says "),
    "a time that is yet to come": (
        base(DEBIAN, resolved="2099-01-01T00:00:00Z"),
        "it says that it was resolved 2099-01-01T00:00:00Z, which is yet to come",
    ),
    "a live archive as a frozen one": (
        packages(UBUNTU, pins="frozen", snapshot="", versions={}),
        "it says that the archive of ubuntu@22.04 no longer changes, and it does",
    ),
    "an archive of years ago": (
        packages(UBUNTU, snapshot="20230101T000000Z"),
        "the archive as of 20230101T000000Z is older than the base image, which was made 2026-",
    ),
    "an archive of tomorrow": (
        packages(UBUNTU, snapshot="20261231T000000Z"),
        "the archive as of 20261231T000000Z was not there when it was resolved",
    ),
    "an archive of the day after tomorrow": (
        packages(UBUNTU, snapshot="20261124T000000Z", resolved="2026-11-22T23:00:00Z"),
        "the archive as of 20261124T000000Z was not there when it was resolved",
    ),
    "another distro": (
        packages(UBUNTU, distro="debian@12"),
        "the image is ubuntu@22.04, and it says debian@12",
    ),
    "another owner": (owner, "'s, and it says git@1"),
}


@pytest.mark.parametrize(("edit", "said"), EDITED.values(), ids=list(EDITED))
def test_what_cannot_be_so_is_refused_at_its_entry(
    edit: Callable[[Lock], None], said: str, library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    needs = survey.collect(made.matrix.variants, library)
    assert stale(lockfile.load(made.lock_path), needs, made.lock_path) == []
    lock = lockfile.load(made.lock_path)
    edit(lock)
    lockfile.write(lock, made.lock_path)
    (found,) = stale(lockfile.load(made.lock_path), needs, made.lock_path)
    assert said in found.message
    assert found.where
    assert found.where.text.endswith(":")
    assert "bakestone lock" in found.hint or "lock again" in found.hint


def test_another_size_than_the_library_knows_is_refused(library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, MANY, library=library)
    needs = survey.collect(made.matrix.variants, library)
    url, artifact = next(iter(needs.artifacts.items()))
    needs.artifacts[url] = replace(artifact, size=7)
    made.lock.artifacts[url] = replace(made.lock.artifacts[url], size=8)
    (found,) = stale(made.lock, needs, made.lock_path)
    assert found.message == "the library's size is 7 bytes, and it says 8"


def test_a_version_that_a_frozen_archive_does_not_have_is_refused(
    library: Library, tmp_path: Path
) -> None:
    text = AZUREML.replace("2.53.0", "2.7.4")  # which Ubuntu 16.04 has
    text = text.replace("ubuntu@16.04, ubuntu@22.04, debian@12", "ubuntu@16.04")
    made = locked(tmp_path, text, library=library)
    lock = lockfile.load(made.lock_path)
    before = lock.packages[XENIAL]
    assert before.pins == "frozen"
    name, version = next(iter(before.known.items()))
    lock.packages[XENIAL] = replace(before, known={**before.known, name: "0.1"})
    needs = survey.collect(made.matrix.variants, library)
    (found,) = stale(lock, needs, made.lock_path)
    assert found.message == f"the library's version of {name} is {version}, and it says 0.1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"known": {}}, "is 1:2.7.4-0ubuntu1.10, and it says none"),
        ({"pins": "versions", "known": {}}, "no longer changes, and it says versions"),
        (
            {"pins": "snapshot", "snapshot": "20260101T000000Z", "known": {}},
            "no longer changes, and it says snapshot",
        ),
    ],
)
def test_a_frozen_archive_stays_frozen_with_all_that_is_known_of_it(
    change: dict[str, object], said: str, library: Library, tmp_path: Path
) -> None:
    text = AZUREML.replace("2.53.0", "2.7.4")
    made = locked(
        tmp_path,
        text.replace("ubuntu@16.04, ubuntu@22.04, debian@12", "ubuntu@16.04"),
        library=library,
    )
    lock = lockfile.load(made.lock_path)
    packages(XENIAL, **change)(lock)
    found = stale(lock, survey.collect(made.matrix.variants, library), made.lock_path)
    assert any(said in finding.message for finding in found)


def test_a_version_that_its_own_installation_contradicts_is_refused(
    library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    lock = lockfile.load(made.lock_path)
    before = lock.packages[DEBIAN]
    names = ("libcudnn9=9.14.0.64-1",)
    versions = {
        p: {**sets, names: {"libcudnn9": "9.9-evil"}} for p, sets in before.versions.items()
    }
    lock.packages[DEBIAN] = replace(before, versions=versions)
    found = stale(lock, survey.collect(made.matrix.variants, library), made.lock_path)
    said = "libcudnn9=9.14.0.64-1 is asked for, and it says 9.9-evil"
    assert said in [finding.message for finding in found]


def test_contents_that_were_taken_out_do_not_hide_another_digest(
    library: Library, tmp_path: Path
) -> None:
    """An image of NVIDIA's that brings CUDA and cuDNN: the entry says what it was wanted with."""
    gpu = '{cuda: "12.8.1", cudnn: "9.8.0.87", nccl: "2.25.1"}'
    text = MANY[: MANY.index("families:")] + (
        f"families:\n  - name: gpu\n    axes: {{distro: [ubuntu@22.04], gpu: [{gpu}]}}\n"
    )
    made = locked(tmp_path, text, library=library)
    lock = lockfile.load(made.lock_path)
    (ref,) = [ref for ref, base_of in lock.bases.items() if base_of.provides]
    base(ref, provides={}, digest=f"sha256:{made_up('x')}")(lock)
    found = stale(lock, survey.collect(made.matrix.variants, library), made.lock_path)
    assert any("the library's digest is" in finding.message for finding in found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("epoch: 1789689600", "epoch: 1789689600.0"),
        ("epoch: 1789689600", "epoch: 99999999999999"),
        ("resolved: '2026-11-22T00:00:00Z'", "resolved: '9999-12-31T23:59:59Z'"),
        ("resolved: '2026-11-22T00:00:00Z'", "resolved: '0001-01-01T00:00:00Z'"),
    ],
)
def test_numbers_and_times_at_the_end_of_the_world_are_findings(
    old: str, new: str, bakestone: Command, library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    text = made.lock_path.read_text("utf-8")
    assert old in text
    made.lock_path.write_text(text.replace(old, new), "utf-8")
    for command in (("lock", "--check"), ("generate",)):
        result = bakestone(*command)
        assert "a fault of bakestone" not in result.output
        assert result.exit_code == 1


def test_what_a_registry_said_is_not_compared_with_the_library(
    library: Library, tmp_path: Path
) -> None:
    """A tag moves: what a registry says today is `lock --verify`'s to ask."""
    made = locked(tmp_path, MANY, library=library)
    lock = lockfile.load(made.lock_path)
    base(DEBIAN, digest=f"sha256:{made_up('x')}", platforms={}, resolved_from="registry")(lock)
    needs = survey.collect(made.matrix.variants, library)
    assert stale(lock, needs, made.lock_path) == []


@pytest.mark.parametrize("command", [("lock", "--check"), ("generate",), ("generate", "--check")])
def test_every_command_that_needs_the_lock_refuses_it(
    command: tuple[str, ...], bakestone: Command, library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    assert bakestone("generate").exit_code == 0
    files = {p: p.read_bytes() for p in made.output.rglob("*") if p.is_file()}
    text = made.lock_path.read_text("utf-8")
    made.lock_path.write_text(text.replace("distro: ubuntu@22.04", "distro: ubuntu@20.04"), "utf-8")
    result = bakestone(*command)
    assert result.exit_code == 1
    assert "the image is ubuntu@22.04, and it says ubuntu@20.04" in result.output
    assert {p: p.read_bytes() for p in made.output.rglob("*") if p.is_file()} == files


def test_a_lock_of_a_later_format_is_never_written_over(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    text = made.lock_path.read_text("utf-8").replace("version: 2\n", "version: 3\n", 1)
    made.lock_path.write_text(text, "utf-8")
    for command in (("lock",), ("lock", "--update"), ("lock", "--check"), ("generate",)):
        result = bakestone(*command)
        assert result.exit_code == 1
        assert "images.lock.yaml:2:10: it was made by a newer bakestone" in result.output
        assert "hint: upgrade bakestone" in result.output
        assert made.lock_path.read_text("utf-8") == text


def test_the_marks_of_a_merge_are_told_as_what_they_are(library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, MANY, library=library)
    text = made.lock_path.read_text("utf-8")
    half = text.replace("bases:\n", "<<<<<<< HEAD\nbases:\n=======\nbases:\n>>>>>>> other\n", 1)
    made.lock_path.write_text(half, "utf-8")
    (found,) = refused(lambda: lockfile.load(made.lock_path))
    assert (found.message, found.line) == ("a merge conflict was left here", 4)
    assert "git checkout --ours" in found.hint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("resolved: '2026-11-22T", "resolved: '2026-02-30T"),
        ("snapshot: 20261122T", "snapshot: 20261322T"),
    ],
)
def test_a_time_that_there_is_not_is_a_finding(
    old: str, new: str, library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    text = made.lock_path.read_text("utf-8")
    assert old in text
    made.lock_path.write_text(text.replace(old, new, 1), "utf-8")
    (found,) = refused(lambda: lockfile.load(made.lock_path))
    assert found.message.endswith(": there is no such time")


def test_records_of_the_lock_have_no_place_of_their_own() -> None:
    """Two locks that say the same are equal, wherever their entries stand."""
    entry = LockedBase("", {}, "registry", "")
    other = Lock(bases={"a": entry}, packages={"a": LockedPackages("frozen", "x", "")})
    assert other == replace(other, places={("bases", "a"): other})  # type: ignore[dict-item]


def test_packages_keep_the_way_they_are_pinned_and_a_change_is_told(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    """Debian's are usually as of a time; a site file had them by version."""
    made = locked(tmp_path, MANY, library=library)
    before = made.lock_path.read_bytes()
    assert made.lock.packages[DEBIAN].pins == "versions"
    result = bakestone("lock")
    assert (result.exit_code, made.lock_path.read_bytes()) == (0, before), result.output

    (tmp_path / "site.yaml").write_text("version: 1\npins: {debian: snapshot}\n", "utf-8")
    result = bakestone("lock", "--site", "site.yaml")
    assert result.exit_code == 0, result.output
    assert (
        f"{DEBIAN}: its packages are pinned by snapshot now, as the site file says; by versions"
        " before" in result.output
    )
    assert lockfile.load(made.lock_path).packages[DEBIAN].pins == "snapshot"


def test_a_folder_where_the_journal_would_be_is_told(
    bakestone: Command, library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    (tmp_path / ".images.lock.yaml.partial").mkdir()
    before = made.lock_path.read_bytes()
    result = bakestone("lock", "--update", "git")
    assert result.exit_code == 1
    assert ".images.lock.yaml.partial: a folder is where" in result.output
    assert made.lock_path.read_bytes() == before
