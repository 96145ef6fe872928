"""An archive goes through a registry as one artifact and comes out as it was; what is there is not
sent or fetched again.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from bakestone.jobs.archive.catalog import FILE, WHEEL, ArchivedBlob, Catalog, merged
from bakestone.jobs.archive.layout import ArchiveLayout
from tests.e2e.engine import Engine
from tests.e2e.oci import Repository
from tests.e2e.workspace import Workspace


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def made(folder: Path) -> tuple[ArchiveLayout, str]:
    """An archive of a file and a wheel that were never seen before.

    Gives the wheel's digest as well.
    """
    layout = ArchiveLayout(folder)
    layout.prepare()
    names = {
        FILE: "https://files.example.com/greeting-1.0.tar.gz",
        WHEEL: "bakestone_greeting-1.0-py3-none-any.whl",
    }
    contents = {kind: f"{kind} {secrets.token_hex(8)}".encode() for kind in names}
    entries = [
        ArchivedBlob(kind, name, layout.put(contents[kind]), len(contents[kind]), variants=("v1",))
        for kind, name in names.items()
    ]
    layout.seal(Catalog((), "", "", secrets.token_hex(8), merged(entries)))
    return layout, entries[1].digest


def test_an_archive_pushed_and_pulled_is_the_same_and_an_altered_one_is_not_pushed(
    engine: Engine, prefix: str, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "team", engine, prefix)
    folder = workspace.folder / "archive"
    layout, wheel = made(folder)
    place = f"{prefix}/archives-{secrets.token_hex(2)}/archive"
    assert (
        "3 of 3 blobs sent" in workspace.bakestone("archive", "push", "archive", f"{place}:one").err
    )
    assert "0 of " in workspace.bakestone("archive", "push", "archive", f"{place}:two").err
    assert (
        Repository(place).digest("one")
        == Repository(place).digest("two")
        == layout.manifest().digest
    )

    workspace.bakestone("archive", "pull", f"{place}:one", "copy")
    assert files(workspace.folder / "copy") == files(folder)
    ArchiveLayout(workspace.folder / "copy").path(wheel).write_bytes(b"another")
    assert "1 of 2" in workspace.bakestone("archive", "pull", f"{place}:one", "copy").err
    assert files(workspace.folder / "copy") == files(folder)

    layout.path(wheel).write_bytes(b"another")
    said = workspace.bakestone(
        "archive", "push", "archive", f"{prefix}/archives-{secrets.token_hex(2)}/other:one", code=1
    )
    assert "missing or altered" in said.err
    assert "bakestone archive verify archive" in said.err


def test_what_is_no_archive_is_refused(engine: Engine, prefix: str, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "team", engine, prefix)
    said = workspace.bakestone(
        "archive", "pull", f"{engine.mirror or 'docker.io/library'}/debian:12", "copy", code=1
    )
    assert "it is no manifest of an archive" in said.err
    assert not (workspace.folder / "copy" / "index.json").exists()
