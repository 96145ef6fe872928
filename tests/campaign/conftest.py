"""How many inputs each reader gets, and what is said at the end: how many it took."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from bakestone.clients.http.session import Patience
from bakestone.clients.registry import client, referrers
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.jobs.publish import deliver
from tests.campaign.projects import NOBODY
from tests.campaign.tally import Tally, tables
from tests.campaign.trials import TRIALS, Place, Stage
from tests.support import realregistry
from tests.support.faultyproxy import proxying
from tests.support.webserver import serving

SLICE = 60
"""Inputs of each reader in `make test`; `make campaign` has as many as INPUTS says."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--inputs", type=int, default=SLICE, help="inputs for each reader")


@pytest.fixture(scope="session")
def inputs_of_each(pytestconfig: pytest.Config) -> int:
    """Inputs for each reader; also where all tests run at once, and nobody read the option."""
    return int(pytestconfig.getoption("--inputs", SLICE))


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What makes a slice another one."""
    return int(pytestconfig.getoption("--hypothesis-seed", None) or 0)


@pytest.fixture(scope="session")
def inputs(inputs_of_each: int, pytestconfig: pytest.Config) -> settings:
    """How hypothesis makes them: the same each time, unless `--hypothesis-seed` says otherwise. No
    other test is made by it.
    """
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(
        max_examples=inputs_of_each,
        deadline=None,  # tests.campaign.calm has its own, which a pause of the machine does not hit
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[*checks, HealthCheck.function_scoped_fixture],
        derandomize=pytestconfig.getoption("--hypothesis-seed", None) is None,
    )


@pytest.fixture(scope="session")
def library() -> Library:
    """The built-in components, read once."""
    return Library(BUILT_IN)


@pytest.fixture(scope="session")
def stages(
    tmp_path_factory: pytest.TempPathFactory, library: Library
) -> Iterator[Callable[[str], Stage]]:
    """The stage of a trial, made once; each kind of registry runs once, behind a proxy."""
    with ExitStack() as stack:
        places: dict[str, Place] = {}
        made: dict[str, Stage] = {}
        web = stack.enter_context(serving())

        def place(program: str) -> Place:
            folder = tmp_path_factory.mktemp("registry")
            port = stack.enter_context(realregistry.running(program, folder, realregistry.Login()))
            return Place(stack.enter_context(proxying(port)), folder / "data", web)

        def stage(name: str) -> Stage:
            trial = TRIALS[name]
            if name not in made:
                program = trial.program()
                if program not in places:
                    places[program] = place(program)
                made[name] = Stage(
                    trial, places[program], tmp_path_factory.mktemp("stage"), library
                )
            return made[name]

        yield stage


@pytest.fixture
def at_once_and_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is tried again is tried at once; nobody outside is asked; temporary files have a folder
    of their own.
    """
    monkeypatch.setattr(Patience, "get_backoff_time", lambda _self: 0)
    for module in (client, deliver, referrers):
        monkeypatch.setattr(module, "PAUSE", 0)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, NOBODY)
        monkeypatch.setenv(name.upper(), NOBODY)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    monkeypatch.delenv("BAKESTONE_SITE", raising=False)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """Counts of the test that asks for it, told in the summary."""
    made = Tally()
    yield made
    if made.counts:
        record_property("campaign", dict(made.counts))
    if made.faults:
        record_property("faults", [[*key, number] for key, number in made.faults.items()])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line a reader, and the sum; a table of faults; from whichever process."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    faults: Counter[tuple[str, str, str]] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "teardown":  # when the property is recorded
                continue
            for key, counts in report.user_properties:
                if key == "campaign":
                    rows[report.nodeid.rpartition("::test_")[2]].update(counts)
                elif key == "faults":
                    faults.update({tuple(about): number for *about, number in counts})
    whole: Counter[str] = Counter()
    for name, counts in sorted(rows.items()):
        whole.update(counts)
        said = ", ".join(f"{number:,} {what}" for what, number in sorted(counts.items()))
        terminalreporter.write_line(f"campaign: {name}: {said}")
    if rows:
        terminalreporter.write_line(f"campaign: {sum(whole.values()):,} inputs in all")
    if faults:
        terminalreporter.write_line(f"campaign: {faults.total():,} faults in all")
        for line in tables(faults):
            terminalreporter.write_line(line)
