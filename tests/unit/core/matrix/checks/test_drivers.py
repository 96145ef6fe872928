"""A driver that is older than the one a CUDA was made for is told where it works; where not, it
is refused by a rule.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.matrix.checks import drivers
from tests.support.samples import project

MATRIX = """\
version: 1
registry: localhost:5000
accept: [nvidia-eula]
families:
  - name: f
{driver}    axes:
      distro: [ubuntu@22.04]
      cuda: ["12.8.1", "12.2.2", none]
      git: ["2.34.1", none]
"""


def told(driver: str, library: Library, folder: Path) -> list[str]:
    stated = f'    driver: "{driver}"\n' if driver else ""
    loaded = project(folder, MATRIX.format(driver=stated), library=library)
    return [finding.message for finding in drivers.warnings(loaded.matrix.variants)]


def test_minor_version_compatibility_is_told_once_for_a_family_and_its_cuda(
    library: Library, tmp_path: Path
) -> None:
    (found,) = told("535.104.05", library, tmp_path)
    assert found.startswith(
        "driver 535.104.05 of the machines is older than the 570.124.06 that cuda@12.8.1 is made"
    )
    assert "(PTX)" in found
    assert found.endswith("; 2 variants of f")


@pytest.mark.parametrize("driver", ["", "570.124.06", "580.65.06"])
def test_a_driver_that_is_new_enough_or_not_stated_is_no_matter(
    driver: str, library: Library, tmp_path: Path
) -> None:
    assert told(driver, library, tmp_path) == []
