"""A lock follows the matrix: what is kept is still right, and what one name cannot mean twice is
refused.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.clients.registry.client import Manifest, Registry
from bakestone.core.lock import lockfile
from bakestone.jobs.lock import bases, resolve
from bakestone.project import Project
from tests.support.samples import refused

OLD_UBUNTU = """\
version: 1
registry: registry.example.com/base
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: old
    axes:
      distro: [ubuntu@16.04]
      gpu:
        - {{cuda: "9.0", cudnn: "{first}", nccl: "{nccl}"}}
    methods: {{cuda: image, cudnn: image, nccl: image}}
{more}"""
SECOND = """\
    include:
      - {distro: ubuntu@16.04, cuda: "9.0", cudnn: "7.6.3.30", nccl: "2.4.8", because: a second build}
    name_slots: [cuda, cudnn, nccl, distro]
"""


@pytest.fixture(autouse=True)
def nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No registry has anything: digests come from the library."""
    monkeypatch.setattr(Registry, "manifest", lambda _self, _reference: None)


def lock(folder: Path, text: str) -> Project:
    (folder / "images.yaml").write_text(text, "utf-8")
    project = Project(folder / "images.yaml", folder / "images.lock.yaml", folder / "dockerfiles")
    resolve.resolve(project, [], update=False, say=lambda _text: None)
    return Project(folder / "images.yaml", folder / "images.lock.yaml", folder / "dockerfiles")


def test_a_package_that_comes_later_is_pinned_in_a_frozen_archive_too(tmp_path: Path) -> None:
    plain = (
        "version: 1\nregistry: registry.example.com/base\nfamilies:\n  - name: old\n    axes:\n    "
        "  distro: [ubuntu@16.04]\n"
    )
    lock(tmp_path, plain)
    project = lock(tmp_path, plain + '      git: ["2.7.4"]\n')
    assert "git=1:2.7.4-0ubuntu1.10" in next(iter(project.dockerfiles.values()))


def test_other_contents_of_one_tag_make_the_lock_stale_and_bring_their_own_digest(
    tmp_path: Path,
) -> None:
    project = lock(tmp_path, OLD_UBUNTU.format(first="7.4.2.24", nccl="2.4.2", more=""))
    before = project.lock.bases["docker.io/nvidia/cuda:9.0-cudnn7-devel-ubuntu16.04"].digest
    text = OLD_UBUNTU.format(first="7.6.3.30", nccl="2.4.8", more="")
    (tmp_path / "images.yaml").write_text(text, "utf-8")
    changed = Project(
        tmp_path / "images.yaml", tmp_path / "images.lock.yaml", tmp_path / "dockerfiles"
    )
    assert "stale" in refused(lambda: changed.lock)[0].message
    after = (
        lock(tmp_path, text).lock.bases["docker.io/nvidia/cuda:9.0-cudnn7-devel-ubuntu16.04"].digest
    )
    assert before != after


def test_one_tag_with_two_contents_is_refused(tmp_path: Path) -> None:
    (found,) = refused(
        lambda: lock(tmp_path, OLD_UBUNTU.format(first="7.4.2.24", nccl="2.4.2", more=SECOND))
    )
    assert "docker.io/nvidia/cuda:9.0-cudnn7-devel-ubuntu16.04" in found.message
    assert "7.4.2.24" in found.message
    assert "7.6.3.30" in found.message
    assert not (tmp_path / "images.lock.yaml").exists()


def test_a_base_without_a_digest_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = OLD_UBUNTU.format(first="7.5.1.10", nccl="2.4.7", more="").replace('"9.0"', '"10.1"')
    ref = "docker.io/nvidia/cuda:10.1-cudnn7-devel-ubuntu16.04"
    assert lock(tmp_path, text).lock.bases[ref].digest == ""
    unchanged = (tmp_path / "images.lock.yaml").read_bytes()
    lock(tmp_path, text)
    assert (tmp_path / "images.lock.yaml").read_bytes() == unchanged, (
        "asking again without an answer changes nothing"
    )

    monkeypatch.setattr(
        Registry, "manifest", lambda _self, _reference: Manifest("sha256:" + "a" * 64, "x", b"{}")
    )
    monkeypatch.setattr(
        bases, "_platforms", lambda _ref, found, _registry: {"linux/amd64": found.digest}
    )
    monkeypatch.setattr(bases, "_epoch", lambda *_: 1)
    assert lock(tmp_path, text).lock.bases[ref].digest == "sha256:" + "a" * 64
    assert lockfile.load(tmp_path / "images.lock.yaml").bases[ref].resolved_from == "registry"
