"""A version read on its own is the version that a YAML parser finds in the whole file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import version_key
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN, Component
from bakestone.core.library.version import Versions

LIBRARY = Library(BUILT_IN)


@pytest.mark.parametrize(
    "name", [name for name in LIBRARY.names if (BUILT_IN / name / "versions.yaml").is_file()]
)
def test_built_in_versions_are_read_one_by_one_as_they_would_be_together(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    component = LIBRARY.get(name)
    assert component is not None
    whole = yamldoc.fast(component.folder / "versions.yaml")["versions"]
    # the whole file is not read again: if it is, see Versions
    monkeypatch.setattr(yamldoc, "fast", None)
    found = dict(Versions(component.make_version, component.folder / "versions.yaml", []))
    assert list(found) == sorted(whole, key=version_key, reverse=True)
    for version, entry in found.items():
        data = whole[version] or {}
        assert entry.methods == {m: d or {} for m, d in data.get("methods", {}).items()}
        known = {key: value for key, value in data.items() if key != "methods"}
        assert entry == component.make_version(version, known, dict)
    assert list(component.versions) == sorted(whole, key=version_key, reverse=True)


def test_other_forms_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "versions.yaml").write_text('versions: {"1.9": {}, "1.10": {label: "1"}}\n')
    component = Component("tool", "mpi", tmp_path, {}, {}, (), "components/tool")
    assert list(component.versions) == ["1.10", "1.9"]
    assert component.versions["1.10"].label == "1"
    assert component.versions.get("1.11") is None
    assert "1.11" not in component.versions
