"""The table of docs/library.md: what the package index has of each component, and what of that is
in the library.
"""

from __future__ import annotations

from collections import Counter

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.jobs.library import update
from tests.support.golden import HINT
from tests.support.samples import ROOT

PAGE = ROOT / "docs" / "library.md"
START, END = "--refresh-golden -->\n", "<!-- end -->"
KINDS = (("a rebuild", " stands for it"), ("not the last patch", "the library has a later patch"))
"""Reasons that name a version -> what they are."""


def reason(text: str) -> str:
    return next((kind for kind, part in KINDS if part in text), text)


def test_the_page_has_what_the_library_says(*, refresh: bool) -> None:
    rows = [
        "| component | on the index | here | left out, and why | read |",
        "| --- | --: | --: | --- | --- |",
    ]
    for component in update.components(Library(BUILT_IN), []):
        found = update.counted(component)
        if found is None:  # a publisher's list of releases: nobody counts what is in it
            continue
        assert found.read, f"{component.name}: bakestone library update {component.name}"
        reasons = Counter(map(reason, found.left_out.values()))
        why = "; ".join(f"{n}: {text}" for text, n in sorted(reasons.items()))
        rows.append(f"| {component.name} | {found.listed} | {found.held} | {why} | {found.read} |")
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(START)
    new = f"{before}{START}\n" + "\n".join(rows) + f"\n\n{END}{rest.partition(END)[2]}"
    if refresh:
        PAGE.write_text(new, "utf-8")
    assert PAGE.read_text("utf-8") == new, HINT
