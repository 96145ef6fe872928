"""BuildKit's words (recorded with buildx 0.29 and Docker 28) become a state per target."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakestone.clients.engine.events import LOG_LINES, State
from tests.support.buildkit_events import RECORDED, vertex


def replay(name: str, *targets: str) -> State:
    state = State(targets)
    for line in (RECORDED / f"{name}.jsonl").read_text("utf-8").splitlines():
        state.feed(line)
    return state


def test_of_two_targets_the_one_that_failed_is_told_from_the_one_that_was_cancelled() -> None:
    (failure,) = replay("two_targets", "ok", "bad").failures()
    assert (failure.target, failure.stage) == ("bad", "inventory")
    assert failure.instruction.startswith("RUN echo ")
    assert "exit code: 3" in failure.error
    assert failure.log == (
        "bakestone: inventory: mpi: openmpi version: expected 5.0.10, measured 5.0.9",
    )


LOST = "failed to copy: failed to send write: error reading from server: EOF"
"""BuildKit's words, when buildx has gone."""


def test_a_step_that_lost_buildx_is_no_cause_where_another_failed() -> None:
    state = State(("a", "b"))
    for name, error in {
        "[b w 2/2] RUN y": "no space left on device",
        "exporting to oci image format": LOST,
    }.items():
        state.feed(vertex(name))
        state.feed(vertex(name, completed="2026-11-30T00:00:01Z", error=error))
    assert [f.error for f in state.failures()] == ["no space left on device"]


def test_a_step_that_lost_buildx_is_told_where_nothing_else_is_known() -> None:
    state = State(("a",))
    state.feed(vertex("exporting to oci image format"))
    state.feed(vertex("exporting to oci image format", error=LOST))
    assert [f.error for f in state.failures()] == [LOST]


def test_events_spread_over_lines_are_understood_as_well() -> None:
    """As buildx 0.13 (Debian 13) writes them."""
    spread = State(("ok", "bad"))
    for line in (RECORDED / "two_targets.jsonl").read_text("utf-8").splitlines():
        for part in (
            json.dumps(json.loads(line), indent=2).splitlines() if line.startswith("{") else [line]
        ):
            spread.feed(part + "\n")
    assert spread == replay("two_targets", "ok", "bad")


def test_a_log_that_comes_in_pieces_is_put_together() -> None:
    """Recorded from apt: its `E:` and the rest of the line came apart; pieces of the two streams
    come in turns.
    """
    state = State(("a",))
    state.feed(vertex("[x 1/1] RUN y"))
    pieces = [
        (2, b"one\nE"),
        (1, b"out"),
        (2, b": Unable to locate \xc3"),
        (1, b"put\n"),
        (2, b"\xa9\nopen"),
    ]
    for stream, data in pieces:
        state.feed(
            json.dumps(
                {
                    "logs": [
                        {
                            "vertex": "sha256:[x 1/1] RUN y",
                            "stream": stream,
                            "data": base64.b64encode(data).decode(),
                        }
                    ]
                }
            )
        )
    state.feed(vertex("[x 1/1] RUN y", completed="2026-11-22T00:00:01Z", error="exit code: 1"))
    (failure,) = state.failures()
    assert failure.log == ("one", "output", "E: Unable to locate \u00e9", "open")


def test_a_target_alone_has_its_name_all_the_same() -> None:
    state = replay("one_target", "bad")
    (failure,) = state.failures()
    assert (failure.target, failure.stage) == ("bad", "inventory")
    assert {s.target for s in state.steps.values()} == {"bad"}


@pytest.mark.parametrize(
    ("name", "targets"), [("two_platforms", ("a", "b")), ("one_target_two_platforms", ("a",))]
)
def test_of_several_platforms_stage_and_target_are_known(
    name: str, targets: tuple[str, ...]
) -> None:
    state = replay(name, *targets)
    assert not state.failures()
    stages = {(s.target, s.stage) for s in state.steps.values() if s.stage}
    assert stages == {(t, s) for t in targets for s in ("files", "image")}


def test_steps_of_a_stage_are_counted() -> None:
    steps = {
        (s.target, s.stage, s.step)
        for s in replay("two_targets", "ok", "bad").steps.values()
        if s.stage == "base"
    }
    assert steps >= {("ok", "base", "1/2"), ("ok", "base", "2/2")} or steps >= {
        ("bad", "base", "1/2"),
        ("bad", "base", "2/2"),
    }


def test_what_buildx_itself_says_is_kept() -> None:
    state = replay("two_targets", "ok", "bad")
    assert state.output[-1].startswith("ERROR: target bad: failed to solve")


def test_the_step_at_work_is_known_while_it_works() -> None:
    state = State(("ok", "bad"))
    seen = set()
    for line in (RECORDED / "two_targets.jsonl").read_text("utf-8").splitlines():
        state.feed(line)
        for target in ("ok", "bad"):
            step = state.running(target)
            if step:
                seen.add((target, step.stage))
    assert ("bad", "inventory") in seen
    assert state.running("ok") is None


NAMES = {
    "[app base 1/3] FROM debian": ("app", "base", "1/3"),
    "[app  2/10] RUN x": ("app", "", "2/10"),
    "[app stage-4  2/10] RUN x": ("app", "stage-4", "2/10"),
    "[app linux/arm64 base 1/3] FROM debian": ("app", "base", "1/3"),
    "[app linux/amd64->arm64 base 1/3] FROM debian": ("app", "base", "1/3"),
    "[app internal] load metadata for debian": ("app", "", ""),
    "exporting to image": ("", "", ""),
    "[internal] load local bake definitions": ("", "", ""),
}


@pytest.mark.parametrize(("name", "parts"), NAMES.items())
def test_a_vertex_name_has_target_stage_and_step(name: str, parts: tuple[str, str, str]) -> None:
    state = State(("app", "other"))
    state.feed(vertex(name))
    (step,) = state.steps.values()
    if parts[1] or not parts[2]:
        assert (step.target, step.stage, step.step) == parts


def test_exporting_is_noticed() -> None:
    state = State(("a",))
    state.feed(vertex("exporting to image"))
    assert state.exporting()
    state.feed(vertex("exporting to image", completed="2026-11-22T00:00:01Z"))
    assert not state.exporting()


def test_only_the_end_of_a_long_log_is_kept() -> None:
    state = State(("a",))
    state.feed(vertex("[base 1/1] RUN x"))
    data = base64.b64encode("\n".join(str(n) for n in range(3 * LOG_LINES)).encode()).decode()
    state.feed(json.dumps({"logs": [{"vertex": "sha256:[base 1/1] RUN x", "data": data}]}))
    (step,) = state.steps.values()
    assert len(step.log) == LOG_LINES
    assert step.log[-1] == str(3 * LOG_LINES - 1)


def test_a_cached_step_stays_cached() -> None:
    state = State(("a",))
    state.feed(vertex("[base 1/1] RUN x", cached=True))
    state.feed(vertex("[base 1/1] RUN x", completed="2026-11-22T00:00:01Z"))
    (step,) = state.steps.values()
    assert step.cached
    assert step.done


@given(st.text(max_size=80))
def test_lines_that_are_no_event_are_kept_as_output(line: str) -> None:
    state = State(("a",))
    state.feed(line)
    assert not state.steps
    assert len(state.output) <= 1
