"""A team's versions.yaml is checked before anything in it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from tests.support import team
from tests.support.samples import made_up, refused


@pytest.mark.parametrize(
    "filename", ["tool-1.0.tar.gz", "tool.whl", "tool-1.0-py3.whl", "tool-x-py3-none-any.whl"]
)
def test_a_wheel_whose_name_is_none_is_marked(filename: str, tmp_path: Path) -> None:
    files = {"linux/amd64": {"filename": filename, "sha256": made_up("w")}}
    wheel = {"name": "tool", "version": "1.0", "files": files}
    methods = {"wheel": {"wheels": [wheel], "source": "a page"}}
    team.write(
        tmp_path,
        team.tool("tool", "tool", {"wheel": {"summary": "a wheel"}}),
        {"1": {"methods": methods}},
    )
    component = Library(tmp_path / "components").get("tool")
    assert component is not None
    (found,) = refused(lambda: list(component.versions))
    assert found.message == f"{filename} is no name of a wheel"
    assert filename in found.text
