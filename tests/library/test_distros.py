"""Distros by what they are like: packages by range and by likeness, bases of a team's own, and what
nobody knows refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import survey
from bakestone.project import Project
from tests.support import team
from tests.support.samples import locked, project, refused

SOURCE = {
    "source": {"summary": "from source", "builder": "distro", "packages": {"debian": ["gcc"]}}
}
ARTIFACTS = {"1": {"methods": {"source": {"artifacts": [team.artifact("a")]}}}}


def golden(folder: Path, **more: Any) -> None:
    """A distro component `golden` of one version."""
    data = {**team.DISTRO, "component": "golden", "label": "golden{{ version }}"}
    about = {"codename": "x", "image": "registry.example.com/golden:1", "pins": "versions"}
    team.write(folder, {**data, **more}, {"1": about})


def asked(made: Project) -> dict[str, set[str]]:
    """Base image -> the packages that are wanted on it."""
    needs = survey.collect(made.matrix.variants, made.matrix.library)
    return {ref: {n for names in sets for n in names} for ref, sets in needs.packages.items()}


def test_packages_follow_what_a_distro_is_like(tmp_path: Path) -> None:
    golden(tmp_path, like="debian@12")
    text = team.matrix('{distro: [golden@1], mpi: [openmpi@5.0.10], git: ["2.53.0"]}')
    packages = asked(project(tmp_path, text + "    methods: {openmpi: source}\n"))
    found = packages["registry.example.com/golden:1"]
    assert {"gcc", "make", "perl", "libcurl3-gnutls", "libcurl4-gnutls-dev"} <= found


def test_what_is_said_of_a_distro_itself_counts_before_what_it_is_like(tmp_path: Path) -> None:
    golden(tmp_path, like="debian@12")
    packages = {"debian": ["one"], "golden": ["two"], "golden>=1": ["three"], "golden<1": ["four"]}
    team.write(tmp_path, team.tool("tool", "mpi", SOURCE, packages=packages), ARTIFACTS)
    made = project(tmp_path, team.matrix("{distro: [golden@1], mpi: [tool@1]}"))
    assert asked(made)["registry.example.com/golden:1"] == {"gcc", "two", "three"}


def test_likeness_goes_on(tmp_path: Path) -> None:
    golden(tmp_path, like="almalinux@9", package_manager="dnf")
    made = project(tmp_path, team.matrix("{distro: [golden@1], git: ['2.53.0']}"))
    assert "pcre2-devel" in asked(made)["registry.example.com/golden:1"]
    assert made.matrix.variants[0].distro.line == (
        ("golden", "1"),
        ("almalinux", "9"),
        ("rocky", "9"),
    )


@pytest.mark.parametrize(
    ("like", "why"),
    [
        ("plan9@4", "golden is like plan9@4, which is no distro of the library"),
        ("debian@3", "golden is like debian@3, which is no distro of the library"),
        ("openmpi@5.0.10", "golden is like openmpi@5.0.10, which is no distro of the library"),
        ("golden", "golden is like golden@1, which is like golden"),
    ],
)
def test_a_likeness_to_nothing_is_refused(like: str, why: str, tmp_path: Path) -> None:
    golden(tmp_path, like=like)
    text = team.matrix("{distro: [golden@1], git: ['2.53.0']}")
    found = refused(lambda: project(tmp_path, text).matrix)
    assert [f.message for f in found] == [why]


def test_packages_that_nobody_knows_are_refused_by_name(tmp_path: Path) -> None:
    golden(tmp_path)
    team.write(tmp_path, team.tool("tool", "mpi", SOURCE), ARTIFACTS)
    text = team.matrix("{distro: [golden@1], mpi: [tool@1]}")
    (found,) = refused(lambda: project(tmp_path, text).matrix)
    assert found.message == (
        "tool@1 cannot be installed here (source: its packages are known for debian, not for"
        " golden@1: a distro says with `like` in its component.yaml which of them it is like)"
    )


def test_packages_of_the_image_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    golden(tmp_path)
    methods = {"source": {"summary": "from source", "builder": "distro"}}
    team.write(tmp_path, team.tool("tool", "mpi", methods, packages={"debian": ["abc"]}), ARTIFACTS)
    text = team.matrix("{distro: [golden@1], mpi: [tool@1]}")
    (found,) = refused(lambda: project(tmp_path, text).matrix)
    assert found.message.startswith("tool@1 cannot be installed here (its packages are known for")


def test_a_builder_is_what_packages_of_a_stage_are_looked_up_for(tmp_path: Path) -> None:
    golden(tmp_path)
    methods = {"source": {**SOURCE["source"], "builder": "ubuntu@22.04"}}
    team.write(tmp_path, team.tool("tool", "mpi", methods), ARTIFACTS)
    text = team.matrix("{distro: [golden@1], mpi: [tool@1]}")
    (found,) = refused(lambda: project(tmp_path, text).matrix)
    assert "not for ubuntu@22.04" in found.message


def test_an_empty_list_is_known(tmp_path: Path) -> None:
    golden(tmp_path)
    methods = {"source": {**SOURCE["source"], "packages": {"golden": []}}}
    team.write(tmp_path, team.tool("tool", "mpi", methods, packages={"golden": []}), ARTIFACTS)
    made = project(tmp_path, team.matrix("{distro: [golden@1], mpi: [tool@1]}"))
    assert asked(made)["registry.example.com/golden:1"] == set()


def test_a_condition_on_a_distro_holds_for_what_is_like_it(tmp_path: Path) -> None:
    golden(tmp_path, like="debian@12")
    methods = {"source": {**SOURCE["source"], "distros": ["debian>=12"]}}
    rule = {
        "id": "tool-distro", "when": {"mpi": "*"}, "require": {"distro": "debian@12"},
        "because": "its notes say so", "source": "its notes",
    }  # fmt: skip
    team.write(tmp_path, team.tool("tool", "mpi", methods, rules=[rule]), ARTIFACTS)
    made = project(tmp_path, team.matrix("{distro: [golden@1], mpi: [tool@1]}"))
    assert made.matrix.variants


@pytest.mark.parametrize("distro", ["ubuntu@24.04", "ubuntu@26.04"])
def test_a_newer_ubuntu_follows_by_range(distro: str, tmp_path: Path) -> None:
    axes = f'{{distro: ["{distro}"], git: ["2.53.0"], ucx: ["1.21.0"]}}'
    (packages,) = asked(project(tmp_path, team.matrix(axes))).values()
    assert {
        "libcurl3t64-gnutls", "libpcre2-8-0", "libpcre2-dev", "libfuse2t64", "librdmacm1t64",
        "ibverbs-providers",
    } <= packages  # fmt: skip


def test_every_method_knows_what_its_builder_calls_its_packages(library: Library) -> None:
    for component in library.components():
        for method in component.methods.values():
            name, mark, version = method.builder.partition("@")
            distro = library.get(name) if mark else None
            if distro and method.packages:
                assert any(key.startswith(name) for key in method.packages), (component, method)
                assert version in distro.versions


DIGEST = "sha256:" + "5" * 64
OWN = "{image: registry.example.com/base/golden:2026.09, like: debian@12}"


def own(*values: str, rest: str = "git: ['2.53.0']") -> str:
    return team.matrix(f"{{distro: [{', '.join(values)}], {rest}}}")


def test_a_base_of_ones_own_needs_no_component(tmp_path: Path) -> None:
    made = locked(tmp_path, own(OWN, rest="mpi: [openmpi@5.0.10], git: ['2.53.0']"))
    (variant,) = made.matrix.variants
    assert variant.name == "openmpi5.0.10-golden2026.09"
    assert variant.distro.line == (("golden", "2026.09"), ("debian", "12"))
    (text,) = made.dockerfiles.values()
    assert "\nFROM registry.example.com/base/golden:2026.09@sha256:" in text
    assert "distro golden 2026.09 /usr version=12 codename=bookworm gcc=12 glibc=2.36" in text
    assert {"g++", "libcurl3-gnutls", "fuse"} <= asked(made)[variant.base.ref]


def test_a_base_of_ones_own_by_digest_is_that_one(tmp_path: Path) -> None:
    image = f"registry.example.com/base/golden:1@{DIGEST}"
    made = locked(tmp_path, own(f"{{image: {image!r}, like: rocky@9, name: corp, version: '7'}}"))
    (variant,) = made.matrix.variants
    assert (variant.name, variant.base.digest) == ("corp7", DIGEST)
    assert variant.base.ref == f"registry.example.com/base/golden@{DIGEST}"
    (text,) = made.dockerfiles.values()
    assert (
        f"\nFROM registry.example.com/base/golden@{made.lock.bases[variant.base.ref].digest}"
        in text
    )
    assert "@sha256:5" not in text.replace(f"golden@{DIGEST}", "")


def test_a_base_by_digest_alone_has_the_version_of_what_it_is_like(tmp_path: Path) -> None:
    made = project(
        tmp_path, own(f"{{image: 'registry.example.com/golden@{DIGEST}', like: debian@12}}")
    )
    assert [v.name for v in made.matrix.variants] == ["golden12"]


@pytest.mark.parametrize(
    ("values", "why", "hint"),
    [
        ("{image: golden, like: debian@12}", "image cannot be", "HOST/REPOSITORY:TAG"),
        ('{image: "r.example.com/a:1$(x)", like: debian@12}', "image cannot be", "HOST/REPOSITORY"),
        ("{image: r.example.com/a:1}", "the key 'like' is missing", ""),
        ("{image: r.example.com/a:1, like: debian}", "like cannot be", "debian@12"),
        ("{image: r.example.com/a:1, like: plan9@4}", "plan9 is no distro of the library", ""),
        ("{image: r.example.com/a:1, like: git@2.53.0}", "git is no distro of the library", ""),
        ("{image: r.example.com/a:1, like: debian@3}", "debian has no version 3", "did you mean"),
        ("{image: r.example.com/debian:1, like: debian@12}", "has a component debian", "`name:"),
        ("{image: r.example.com/a_b:1, like: debian@12}", "a_b, from the image,", "name: golden"),
        ("{image: r.example.com/tools:1, like: debian@12}", "tools, from the image,", "name: go"),
        ("{image: r.example.com/a:_1, like: debian@12}", "_1, the image's tag,", "version: "),
        (
            "{image: r.example.com/a:1, like: debian@12}, {image: example.com/b/a:1, like: ubi@8}",
            "a@1 is r.example.com/a:1 like debian@12 as well",
            "another `name`",
        ),
    ],
)
def test_a_base_that_cannot_be_is_refused(values: str, why: str, hint: str, tmp_path: Path) -> None:
    found = refused(lambda: project(tmp_path, own(values)).matrix)
    assert any(why in f.message and hint in f.hint for f in found), found
    assert all(f.line == 5 for f in found), found


def test_a_base_belongs_to_the_axis_distro(tmp_path: Path) -> None:
    text = team.matrix(f"{{distro: [debian@12], mpi: [{OWN}]}}")
    (found,) = refused(lambda: project(tmp_path, text).matrix)
    assert found.message == "a base image of your own fills the slot distro"


def test_a_base_is_excluded_and_selected_by_its_own_name(tmp_path: Path) -> None:
    rest = "    exclude: [{distro: debian, because: not these}]\n"
    made = project(tmp_path, own(OWN, "debian@12") + rest)
    assert [v.name for v in made.matrix.variants] == ["golden2026.09"]
