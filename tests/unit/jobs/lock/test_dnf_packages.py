"""A component that is the distro's own package where dnf is: git on Rocky Linux and UBI."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import samples
from bakestone.core.render.dockerfile import Renderer
from tests.support.samples import project, refused

MATRIX = """\
version: 1
registry: localhost:5000
families:
  - name: f
    axes: {{distro: [{distro}], git: ["{git}"]}}
{rest}"""


def text(distro: str, git: str, rest: str = "") -> str:
    return MATRIX.format(distro=distro, git=git, rest=rest)


@pytest.mark.parametrize(
    ("distro", "git"),
    [("rocky@9", "2.52.0"), ("ubi@9", "2.52.0"), ("rocky@8", "2.43.7"), ("ubi@8", "2.43.7")],
)
def test_git_is_the_distro_s_own_package(
    distro: str, git: str, library: Library, tmp_path: Path
) -> None:
    (variant,) = project(tmp_path, text(distro, git), library=library).matrix.variants
    assert variant.slots["git"].method == "dnf"
    assert variant.slots["git"].of_distro
    stages = Renderer(library, samples.lock([variant], library)).stages(variant)
    dockerfile = "\n".join(stage.text for stage in stages)
    assert "  git-0:0-0.noarch \\\n" in dockerfile
    assert f"\ngit git {git} /usr version={git}\n" in dockerfile
    assert "/usr/local/git" not in dockerfile, (
        "it has no build stage and is not on PATH a second time"
    )


def test_a_version_of_another_release_is_built(library: Library, tmp_path: Path) -> None:
    (variant,) = project(tmp_path, text("rocky@8", "2.52.0"), library=library).matrix.variants
    assert variant.slots["git"].method == "source"
    assert "dnf: rocky@8 has another version" in variant.slots["git"].why


def test_a_family_can_set_the_method(library: Library, tmp_path: Path) -> None:
    (variant,) = project(
        tmp_path, text("rocky@9", "2.52.0", "    methods: {git: source}\n"), library=library
    ).matrix.variants
    assert variant.slots["git"].method == "source"
    (found,) = refused(
        lambda: (
            project(
                tmp_path, text("debian@12", "2.52.0", "    methods: {git: dnf}\n"), library=library
            ).matrix
        )
    )
    assert (
        "git@2.52.0 cannot be installed here (dnf: debian@12 has another version)" in found.message
    )
