"""When a stage of a target is over: on every platform, at its last step."""

from __future__ import annotations

import pytest

from bakestone.clients.engine.events import State
from tests.support.buildkit_events import vertex

ENDED = "2026-11-22T00:00:01Z"
LAST = "openmpi5.0.10-debian12"


def test_a_stage_has_ended_when_its_last_step_is_done_on_every_platform() -> None:
    state = State(("a", "b"), last={"a": LAST, "b": LAST})
    state.feed(vertex(f"[a linux/amd64 {LAST} 1/2] FROM x", completed=ENDED))
    state.feed(vertex(f"[a linux/amd64 {LAST}.inventory 2/2] RUN x", completed=ENDED))
    assert not state.ended("a"), "not the last step, and another stage"
    state.feed(vertex(f"[a linux/amd64 {LAST} 2/2] COPY x"))
    assert not state.ended("a"), "it runs"
    state.feed(vertex(f"[a linux/amd64 {LAST} 2/2] COPY x", completed=ENDED))
    assert state.ended("a")
    assert not state.ended("a", 2)
    assert not state.ended("b")
    state.feed(vertex(f"[a linux/arm64 {LAST} 2/2] COPY x", completed=ENDED, cached=True))
    assert state.ended("a", 2)


def test_a_stage_whose_last_step_failed_has_not_ended() -> None:
    state = State(("a",), last={"a": LAST})
    state.feed(vertex(f"[{LAST} 2/2] COPY x", completed=ENDED, error="no such file"))
    assert not state.ended("a")


@pytest.mark.parametrize("begin", ["", "linux/amd64 ", "one ", "one linux/amd64 "])
def test_a_target_alone_may_be_called_as_its_last_stage(begin: str) -> None:
    state = State(("one",), last={"one": "one"})
    state.feed(vertex(f"[{begin}one 2/2] COPY x", completed=ENDED))
    assert state.ended("one")
