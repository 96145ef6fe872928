"""Questions that builds answer: what is read of the answers, and what is said without one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bakestone.clients.engine import questions
from bakestone.clients.engine.buildx import Definition, Engine
from bakestone.clients.engine.events import State, Step
from bakestone.clients.engine.questions import BuildQuestion, put, texts, unanswered
from bakestone.clients.site.site import Site

ASKED = {
    name: BuildQuestion(f"FROM debian:{name}\n", "linux/arm64") for name in ("first", "second")
}


class Recording(Engine):
    """An engine that keeps what it is to build, and says how that ended."""

    def __init__(self, *, good: bool) -> None:
        super().__init__(Site())
        self.good = good
        self.definition: Definition = {}

    def bake(self, definition: Definition, **_more: object) -> tuple[State, bool]:
        self.definition = definition
        return State(tuple(definition["target"])), self.good


def failed(*steps: Step) -> State:
    return State(("first", "second"), steps={str(n): step for n, step in enumerate(steps)})


def step(target: str, error: str, *lines: str) -> Step:
    made = Step("RUN", target, "ask", error=error)
    made.write(2, "".join(f"{line}\n" for line in lines).encode())
    return made


def test_all_questions_are_one_build_and_each_answer_has_a_folder(tmp_path: Path) -> None:
    engine = Recording(good=True)
    assert put(engine, ASKED, tmp_path) is None
    assert engine.definition["target"] == {
        name: {
            "dockerfile-inline": f"FROM debian:{name}\n",
            "platforms": ["linux/arm64"],
            "output": [f"type=local,dest={tmp_path}/{name}"],
        }
        for name in ASKED
    }


def test_a_build_that_failed_says_what_buildkit_said(tmp_path: Path) -> None:
    state = put(Recording(good=False), ASKED, tmp_path)
    assert state is not None
    assert state.targets == ("first", "second")


def test_a_reason_is_that_of_the_question_that_failed() -> None:
    state = failed(step("first", "exit code: 100", "E: none"), step("second", "canceled: Canceled"))
    assert unanswered(state, "first").reason(list) == "E: none"
    assert not unanswered(state, "second")
    assert unanswered(state).reason(list) == "E: none"


@pytest.mark.parametrize(
    ("log", "errors", "reason"),
    [
        (("Hit:1", "E: this", "Done"), ("exit code: 1",), "E: this"),
        (("one", "two", "three", "four"), ("exit code: 1",), "two three four"),
        ((), ("not found",), "not found"),
        ((), (), "BuildKit gave no reason"),
        (("x" * 9999,), (), "x" * 500),
    ],
)
def test_a_reason_is_the_end_of_the_best_that_was_said(
    log: tuple[str, ...], errors: tuple[str, ...], reason: str
) -> None:
    found = questions.Unanswered(log, errors)
    assert found.reason(lambda lines: [x for x in lines if x.startswith("E:")]) == reason


def test_where_no_step_failed_the_engine_says_why() -> None:
    state = failed()
    state.feed("ERROR: no builder")
    assert unanswered(state).reason(list) == "ERROR: no builder"
    assert not unanswered(state, "first")


def test_an_answer_is_its_files(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("gcc 12\n", "utf-8")
    (tmp_path / "1").write_bytes(b"\xff")
    assert texts(tmp_path) == {"0": "gcc 12\n", "1": "\N{REPLACEMENT CHARACTER}"}


STRANGE: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to(path.parent.parent / "secret"),
    "FIFO": os.mkfifo,
    "folder": Path.mkdir,
    "long": lambda path: path.write_bytes(b"0123456789"),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_what_a_base_image_puts_in_place_of_an_answer_is_not_read(
    strange: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("of this machine", "utf-8")
    answer = tmp_path / "answer"
    answer.mkdir()
    monkeypatch.setattr(questions, "MAX_TEXT", 9)
    STRANGE[strange](answer / "0")
    with pytest.raises(OSError, match=r"no regular file|longer than 9 bytes"):
        texts(answer)
