"""Fixtures of the tests of jobs."""

from __future__ import annotations

import pytest

from bakestone.clients.http.session import Patience


@pytest.fixture(autouse=True)
def nobody_waits_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried at once."""
    monkeypatch.setattr(Patience, "get_backoff_time", lambda _self: 0)
