"""The engine is brought up by the suite itself; every test gets folders and a registry path that no
other run uses.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import components, sources
from tests.e2e import engine as engine_module
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.workspace import MakeWorkspace, Workspace
from tests.support import transient

LONGEST = [
    "test_reproduce.py",
    "test_source.py",
    "test_arm64.py",
    "test_airgap.py",
    "test_archive_rpm.py",
    "test_export.py",
    "test_site.py",
    "test_runtimes.py",
    "test_mpi.py",
    "test_mpi_options.py",
    "test_vendor_apt.py",
    "test_rpm.py",
    "test_publish.py",
    "test_change.py",
    "test_gate.py",
    "test_registries.py",
]
"""The modules that take minutes, longest first: two workers that take whole modules in this order
end at about the same time. The others follow as they are named.
"""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    rank = {name: number for number, name in enumerate(LONGEST)}
    for item in items:
        if item.path.parent == here:
            item.add_marker(
                pytest.mark.flaky(only_rerun=list(transient.PATTERNS), **transient.TRIES)
            )
    items.sort(
        key=lambda item: rank.get(item.path.name, len(rank)) if item.path.parent == here else -1
    )


_prepared: dict[str, float] = {}
"""Test -> seconds that its fixtures took."""


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """What `-v` says of a test that passed: how long it took, with what was made for it.

    A run that somebody ended early says by it where the time went.
    """
    if report.when == "setup":
        _prepared[report.nodeid] = report.duration
    if not (report.passed and report.when == "call"):
        return None
    seconds = report.duration + _prepared.pop(report.nodeid, 0)
    return "passed", ".", f"PASSED in {seconds:.0f} s"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """A running engine and registry with Debian 12 and 13 bases."""
    return engine_module.up()


KEPT = ("locked", "tarballs", "published")
"""What the names of a session's folders begin with; all others are of one module."""
_in_use: list[tuple[Engine, str]] = []
"""The engine and the path of this session, once there are."""


@pytest.fixture(scope="session")
def prefix(engine: Engine) -> Iterator[str]:
    """A path in the registry for this session alone; BuildKit's cache is shared with all others."""
    path = f"{engine.registry}/e2e-{secrets.token_hex(4)}"
    _in_use.append((engine, path))
    yield path
    engine.remove_images(path)


@pytest.fixture(scope="module", autouse=True)
def room_on_the_disk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A module that ends gives back what it took: its images in the engine's store, and its
    folders, unless a test of it failed and a person wants to look at them.

    All of a run, archives of wheels among it, is more than some machines have room for.
    """
    failed = request.session.testsfailed
    yield
    for engine, path in _in_use:
        engine.remove_images(path)
    if request.session.testsfailed == failed:
        for folder in tmp_path_factory.getbasetemp().iterdir():
            if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith(KEPT):
                shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def locked(engine: Engine, prefix: str, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A project locked from nothing, with every package set that the suite uses.

    Other workspaces begin with its lock, as a team does: `bakestone lock`
    keeps what is still needed.
    """
    workspace = Workspace(tmp_path_factory.mktemp("locked"), engine, f"{prefix}/locked")
    components.write_greeting(workspace.components, {"1.0": components.from_source(b"", "1.0")})
    conda = {
        "name": "conda",
        "axes": {"distro": ["debian@12"], "conda": ["miniconda@py313_26.5.3-1"]},
    }
    workspace.images(components.mpi_family(), components.greeting_family("1.0"), conda)
    workspace.bakestone("lock")
    return workspace


@pytest.fixture(scope="session")
def tarballs(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """File name -> upstream's sources, from Debian's archive."""
    return sources.fetch(engine, tmp_path_factory.mktemp("tarballs"))


@pytest.fixture(scope="session")
def make(
    engine: Engine, prefix: str, locked: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> MakeWorkspace:
    """Makes workspaces with a folder and a registry path of their own, and the session's lock to
    begin with.
    """

    def make_workspace(name: str) -> Workspace:
        workspace = Workspace(
            tmp_path_factory.mktemp(name), engine, f"{prefix}/{name}-{secrets.token_hex(2)}/base"
        )
        workspace.lock.write_bytes(locked.lock.read_bytes())
        return workspace

    return make_workspace


@pytest.fixture
def workspace(make: MakeWorkspace, request: pytest.FixtureRequest) -> Workspace:
    """A fresh workspace, named after the test's module."""
    return make(Path(request.node.path).stem.removeprefix("test_").replace("_", "-"))


@pytest.fixture(scope="session")
def published(make: MakeWorkspace) -> Workspace:
    """The mpi family, locked, generated, built and pushed. Tests read it and leave it as it is."""
    workspace = make("published")
    workspace.images(components.mpi_family())
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    return workspace


@pytest.fixture
def vendor() -> Iterator[FileServer]:
    """Stands in for a vendor's download server.

    BuildKit fetches files in this machine's own network.
    """
    with FileServer("127.0.0.1") as server:
        yield server
