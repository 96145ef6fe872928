"""Numbers in sentences."""

from __future__ import annotations

import pytest

from bakestone.core.documents.words import count


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 wheels"), (1, "1 wheel"), (2, "2 wheels"), (11, "11 wheels")]
)
def test_one_is_one_and_others_are_several(number: int, said: str) -> None:
    assert count(number, "wheel") == said
