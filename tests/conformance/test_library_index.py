"""The library is complete against the package index: all that was published up to the day on which
it was read is in the library, or has its reason.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bakestone.clients.site.site import Site
from bakestone.core.library import indexed
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN, Component
from bakestone.errors import ENVIRONMENT, BakestoneError
from bakestone.jobs.library import update

LIBRARY = Library(BUILT_IN)
NAMES = [c.name for c in update.components(LIBRARY, []) if update.known(c)]


@pytest.fixture(scope="module")
def updater(tmp_path_factory: pytest.TempPathFactory) -> update.Updater:
    folder: Path = tmp_path_factory.mktemp("components")
    return update.Updater(LIBRARY, Site(), folder, date(2026, 1, 1), lambda _: None)


def _component(name: str) -> Component:
    found = LIBRARY.get(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_both_sides_have_the_same(name: str, updater: update.Updater) -> None:
    component = _component(name)
    rules, counted = update.known(component), update.counted(component)
    assert rules
    assert counted
    here, left_out = update.pairs(rules, component), counted.left_out.keys()
    there: dict[tuple[str, str], str] = {}
    named: dict[tuple[str, str], tuple[str, str]] = {}
    for project in [rules.release] if rules.release else [p.name for p in rules.projects]:
        try:
            files = updater.files(project)
        except BakestoneError as problem:
            if problem.code == ENVIRONMENT:
                pytest.skip(
                    f"compares with the real package index, which gives no answer: {problem}"
                )
            raise
        for version, listed in indexed.wheels(files).items():
            pair = (project, str(version))
            there[pair] = min(file.published for file, _ in listed)
            # a release is called as the library calls it
            named[pair] = (project, rules.version(version)) if rules.release else pair
    then = {pair for pair, day in there.items() if day < counted.read}
    assert then, "the index says no days"
    lacking = {pair for pair in then if pair not in left_out and named[pair] not in here}
    assert lacking == set(), "on the index, and neither here nor left out"
    gone = {pair for pair in left_out if pair not in there} | (here - {*named.values()})
    assert gone == set(), "here, and no longer on the index"
