"""When a target is measured: on every platform, at the end of its last stage."""

from __future__ import annotations

from bakestone.clients.engine.events import State
from tests.support.buildkit_events import vertex

ENDED = "2026-11-22T00:00:01Z"


def test_a_target_is_measured_when_its_last_stage_is_done_on_every_platform() -> None:
    state = State(("a", "b"))
    state.feed(vertex("[a linux/amd64 stage-9 1/2] RUN x", completed=ENDED))
    state.feed(vertex("[a linux/amd64 inventory 2/2] RUN x", completed=ENDED))
    assert not state.measured("a"), "not the last step, and another stage"
    state.feed(vertex("[a linux/amd64 stage-9 2/2] COPY x"))
    assert not state.measured("a"), "it runs"
    state.feed(vertex("[a linux/amd64 stage-9 2/2] COPY x", completed=ENDED))
    assert state.measured("a")
    assert not state.measured("a", 2)
    assert not state.measured("b")
    state.feed(vertex("[a linux/arm64 stage-9 2/2] COPY x", completed=ENDED, cached=True))
    assert state.measured("a", 2)


def test_a_last_stage_that_failed_measured_nothing() -> None:
    state = State(("a",))
    state.feed(vertex("[stage-9 2/2] COPY x", completed=ENDED, error="no such file"))
    assert not state.measured("a")
