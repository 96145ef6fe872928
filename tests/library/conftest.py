"""What the tests of the whole library share, and what they say at their end: how much was rendered
and parsed.
"""

from __future__ import annotations

from collections import Counter

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN

COUNTED = (
    "variants",
    "Dockerfile instructions, each once",
    "scripts, each once but for their numbers",
)


@pytest.fixture(scope="session")
def library() -> Library:
    """The built-in components, read once."""
    return Library(BUILT_IN)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The sums over all tests, whichever process ran them."""
    sums: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        sums.update(
            {key: int(str(value)) for key, value in report.user_properties if key in COUNTED}
        )
    if sums:
        terminalreporter.write_line(
            "rendered and parsed: " + "; ".join(f"{sums[key]:,} {key}" for key in COUNTED)
        )
