"""Versions and the patterns over them."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakestone.core.documents.patterns import compare, in_range, matches, understood, version_key
from bakestone.errors import BakestoneError

VERSIONS = st.lists(st.integers(0, 5000).map(str), min_size=1, max_size=5).map(".".join)
ODD = st.from_regex(r"[0-9A-Za-z]+([.+_~-][0-9A-Za-z]+){0,4}", fullmatch=True)


@given(VERSIONS, VERSIONS)
def test_numbers_are_ordered_by_value_and_not_by_text(left: str, right: str) -> None:
    a, b = [int(p) for p in left.split(".")], [int(p) for p in right.split(".")]
    width = max(len(a), len(b))
    a, b = a + [0] * (width - len(a)), b + [0] * (width - len(b))
    assert compare(left, right) == (a > b) - (a < b)


@given(ODD, ODD)
def test_compare_is_antisymmetric(left: str, right: str) -> None:
    assert compare(left, right) == -compare(right, left)


@given(ODD, ODD, ODD)
def test_compare_is_transitive(a: str, b: str, c: str) -> None:
    if compare(a, b) <= 0 and compare(b, c) <= 0:
        assert compare(a, c) <= 0


@given(st.lists(ODD, max_size=8))
def test_sorting_by_key_does_not_depend_on_the_order_before(versions: list[str]) -> None:
    backwards = versions[::-1]
    keys = [version_key(v) for v in sorted(versions, key=version_key)]
    assert keys == [version_key(v) for v in sorted(backwards, key=version_key)]


@given(VERSIONS)
def test_missing_parts_are_zero(version: str) -> None:
    assert compare(version, version + ".0") == 0
    assert in_range(version, f"=={version}.0")


@given(VERSIONS, VERSIONS)
def test_a_range_and_its_opposite_never_both_hold(version: str, bound: str) -> None:
    assert in_range(version, f">={bound}") != in_range(version, f"<{bound}")
    assert in_range(version, f">{bound}") != in_range(version, f"<={bound}")
    assert in_range(version, f"={bound}") != in_range(version, f"!={bound}")


@given(VERSIONS, VERSIONS, VERSIONS)
def test_all_parts_of_a_range_must_hold(version: str, low: str, high: str) -> None:
    assert in_range(version, f">={low}, <{high}") == (
        in_range(version, f">={low}") and in_range(version, f"<{high}")
    )


@given(ODD)
def test_every_version_matches_itself_and_a_star(version: str) -> None:
    assert matches("*", "component", version)
    assert matches(version, "component", version)
    assert matches(f"component@{version}", "component", version)
    assert not matches(f"other@{version}", "component", version)
    assert not matches("none", "component", version)


def test_only_none_matches_an_empty_slot() -> None:
    assert matches("none", None, None)
    assert not matches("*", None, None)
    assert not matches("openmpi", None, None)
    assert not matches(">=1", None, None)


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("openmpi", True),
        ("open*", True),
        ("openmpi@5.*", True),
        ("openmpi@>=5.0,<6", True),
        ("5.*", True),
        ("5.0.1?", True),
        (">=5.0.9", True),
        ("<5.0.9", False),
        ("openmpi@4.*", False),
        ("intelmpi", False),
        ("5", False),
        ("5.0.1", False),
    ],
)
def test_a_pattern_is_a_component_a_version_or_a_range(pattern: str, holds: bool) -> None:
    assert matches(pattern, "openmpi", "5.0.10") is holds


@pytest.mark.parametrize(
    "text", [">=", ">=1,", "12.0", ">= 1 2", "=>1", ">=1;<2", "", ">=5,garbage!", "<1,>"]
)
def test_a_malformed_range_is_refused_whatever_the_version(text: str) -> None:
    for version in ("1.0", "9.0"):
        with pytest.raises(BakestoneError, match="not a range"):
            in_range(version, text)


@pytest.mark.parametrize(
    ("pattern", "well"),
    [
        (">=5,<6", True),
        ("openmpi>=5", True),
        ("openmpi@>=5,<6", True),
        ("5.*", True),
        ("none", True),
        (">=5,garbage!", False),
        ("openmpi>=5,x", False),
        ("openmpi@>=", False),
    ],
)
def test_what_is_understood_is_what_can_be_asked(pattern: str, well: bool) -> None:
    assert understood(pattern) is well
    with nullcontext() if well else pytest.raises(BakestoneError, match="not a range"):
        matches(pattern, "openmpi", "5.0.10")


@pytest.mark.parametrize("pattern", ["", "openmpi@", "@", "@5.0.10", "none@1"])
def test_half_a_pattern_matches_nothing(pattern: str) -> None:
    assert not matches(pattern, "openmpi", "5.0.10")


def test_prereleases_and_letters_have_a_place() -> None:
    versions = ["1.0", "1.0rc1", "1.0.1", "0.9", "1.0a2"]
    assert sorted(versions, key=version_key)[0] == "0.9"
    assert compare("py313_26.5.3-1", "py313_26.5.2-1") == 1
