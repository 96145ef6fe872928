"""What people write in options, and what it means."""

from __future__ import annotations

import datetime

import click
import pytest

from bakestone.cli.options import Size, day


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("80", 80),
        ("2k", 2000),
        ("500M", 500_000_000),
        ("4GiB", 4 * 2**30),
        ("1KiB", 1024),
        ("3GB", 3 * 10**9),
    ],
)
def test_sizes_are_written_as_people_write_them(text: str, count: int) -> None:
    assert Size().convert(text, None, None) == count


def test_a_day_is_written_as_in_iso_8601() -> None:
    assert day("2028-06-30") == datetime.date(2028, 6, 30)


@pytest.mark.parametrize("text", ["", "30.6.2028", "2028-02-30", "tomorrow"])
def test_what_is_no_day_is_wrong_usage_that_shows_one(text: str) -> None:
    with pytest.raises(click.BadParameter, match="2028-06-30"):
        day(text)
