"""A team's component is text that reaches Dockerfiles: its files lie in the team's repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from tests.support import team
from tests.support.samples import refused

READ: dict[str, Callable[[Component], object]] = {
    "component.yaml": lambda component: component.data,
    "versions.yaml": lambda component: component.versions,
    "inventory.sh": lambda component: component.inventory,
    "install.source.j2": lambda component: component.has_template("source"),
    "programs/own.c": lambda component: component.programs,
}


def component(folder: Path) -> Component:
    """The tool of a team's library, read anew."""
    found = Library(folder / "components").get("own")
    assert found
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A team's repository with one component, beside a file that is none of its business."""
    (tmp_path / "secret").write_text("password=hunter2\n", "utf-8")
    repository = tmp_path / "repository"
    data = team.tool("own", "own", {"source": {"summary": "from source"}})
    versions = {"1": {"methods": {"source": {"artifacts": [team.artifact("own-1.tar.gz")]}}}}
    team.write(repository, data, versions, install_source_j2="RUN make\n")
    programs = repository / "components" / "own" / "programs"
    programs.mkdir()
    (programs / "own.c").write_text("int main() { return 0; }\n", "utf-8")
    return repository


@pytest.mark.parametrize("name", READ)
def test_a_link_that_leads_out_of_the_repository_is_not_read(name: str, folder: Path) -> None:
    READ[name](component(folder))
    path = folder / "components" / "own" / name
    path.unlink()
    path.symlink_to(folder.parent / "secret")
    (found,) = refused(lambda: READ[name](component(folder)))
    assert found.message.endswith(f"is a link that leads out of {folder}")
    assert "hunter2" not in found.text


def test_a_folder_of_the_component_that_leads_out_is_not_read(folder: Path) -> None:
    own = folder / "components" / "own"
    own.rename(folder.parent / "own")
    own.symlink_to(folder.parent / "own")
    (found,) = refused(lambda: component(folder))
    assert "leads out of" in found.message


@pytest.mark.parametrize("name", READ)
def test_a_link_within_the_repository_is_read(name: str, folder: Path) -> None:
    path = folder / "components" / "own" / name
    path.rename(folder / "shared")
    path.symlink_to(folder / "shared")
    READ[name](component(folder))


@pytest.mark.parametrize("name", ["inventory.sh", "programs/own.c"])
def test_a_link_that_leads_nowhere_is_told(name: str, folder: Path) -> None:
    path = folder / "components" / "own" / name
    path.unlink()
    path.symlink_to(folder / "nothing")
    (found,) = refused(lambda: READ[name](component(folder)))
    assert "not found" in found.message
