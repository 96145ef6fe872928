"""How the end-to-end tests are run: what is tried again, and in which order."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from tests.e2e import conftest
from tests.support import transient
from tests.support.samples import ROOT

LONGEST = conftest.LONGEST
E2E = ROOT / "tests" / "e2e"


@pytest.mark.parametrize(
    "said",
    [
        "AssertionError: E: Could not connect to 172.28.0.1:8650, connection timed out",
        "AssertionError: read tcp 127.0.0.1:5000: connection reset by peer",
        "AssertionError: ERROR: failed to build: no such job x1y2z3",
        "AssertionError: net/http: TLS handshake timeout",
        "TimeoutExpired: Command '['docker']' ended not",
        "Failed: Temporary failure resolving",
    ],
)
def test_what_networks_and_engines_do_is_tried_again(said: str) -> None:
    assert any(re.search(pattern, said) for pattern in transient.PATTERNS)


@pytest.mark.parametrize(
    "said",
    [
        "AssertionError: bakestone build: exit 1, wanted 0\nfound: expected 5.0.10, measured 3.1.2",
        "KeyError: 'images'",
        "AssertionError: assert {'one'} == {'two'}",
    ],
)
def test_what_the_product_does_wrong_is_not(said: str) -> None:
    assert not any(re.search(pattern, said) for pattern in transient.PATTERNS)


FAILS = """
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

tried = Path(__file__).with_name("tried")


def test_transient():
    tried.write_text(tried.read_text() + "x" if tried.exists() else "x")
    assert len(tried.read_text()) > 1, "connection timed out"


def test_wrong():
    assert False, "expected one, measured another"
"""


def test_a_test_is_tried_once_more_and_the_summary_says_so(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILS, "utf-8")
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n"
        f"    mark = pytest.mark.flaky(only_rerun={list(transient.PATTERNS)!r}, reruns=1)\n"
        "    for item in items:\n        item.add_marker(mark)\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-rR", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), "-c", "/dev/null"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed, 1 rerun" in done.stdout, done.stdout
    assert "RERUN test_it.py::test_transient" in done.stdout


def test_the_longest_modules_that_come_first_are_there() -> None:
    assert len(set(LONGEST)) == len(LONGEST)
    assert [name for name in LONGEST if not (E2E / name).is_file()] == []


@dataclass
class Item:
    """Stands in for a collected test."""

    path: Path
    marks: list[pytest.MarkDecorator] = field(default_factory=list)

    def add_marker(self, mark: pytest.MarkDecorator) -> None:
        self.marks.append(mark)


def test_only_end_to_end_tests_are_tried_again_and_the_longest_begin() -> None:
    names = ["unit/test_errors.py", "e2e/test_base.py", f"e2e/{LONGEST[1]}", f"e2e/{LONGEST[0]}"]
    items = [Item(ROOT / "tests" / name) for name in names]
    conftest.pytest_collection_modifyitems(cast(list[pytest.Item], items))
    assert [str(item.path.relative_to(ROOT / "tests")) for item in items] == [
        "unit/test_errors.py",
        f"e2e/{LONGEST[0]}",
        f"e2e/{LONGEST[1]}",
        "e2e/test_base.py",
    ]
    assert [[mark.name for mark in item.marks] for item in items] == [[], *[["flaky"]] * 3]
    assert items[1].marks[0].kwargs["reruns"] == 1
