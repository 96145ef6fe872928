"""How many inputs each reader gets, and what is said at the end: how many it took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from tests.campaign.tally import Tally

SLICE = 60
"""Inputs of each reader in `make test`; `make campaign` has as many as INPUTS says."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--inputs", type=int, default=SLICE, help="inputs for each reader")


@pytest.fixture(scope="session")
def inputs_of_each(pytestconfig: pytest.Config) -> int:
    """Inputs for each reader; also where all tests run at once, and nobody read the option."""
    return int(pytestconfig.getoption("--inputs", SLICE))


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


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """Counts of the test that asks for it, told in the summary."""
    made = Tally()
    yield made
    record_property("campaign", dict(made.counts))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line a reader, and the sum; from whichever process."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "teardown":  # when the property is recorded
                continue
            for key, counts in report.user_properties:
                if key == "campaign":
                    rows[report.nodeid.rpartition("::test_")[2]].update(counts)
    whole: Counter[str] = Counter()
    for name, counts in sorted(rows.items()):
        whole.update(counts)
        said = ", ".join(f"{number:,} {what}" for what, number in sorted(counts.items()))
        terminalreporter.write_line(f"campaign: {name}: {said}")
    if rows:
        terminalreporter.write_line(f"campaign: {sum(whole.values()):,} inputs in all")
