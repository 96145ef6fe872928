"""One error type, one way to show it."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakestone.errors import (
    BakestoneError,
    Finding,
    Position,
    fail,
    masked,
    read_text,
    render,
    visible,
)

WORD = st.text("abc", min_size=1, max_size=9)


def test_a_finding_shows_place_line_caret_and_hint() -> None:
    where = Position("images.yaml", 14, 18, "      gpu: [{cuda: 12.44}]", 5)
    assert (
        render([Finding("cuda has no version 12.44", "did you mean 12.4.1?", where)])
        == "images.yaml:14:18: cuda has no version 12.44\n          gpu: [{cuda: 12.44}]\n         "
        "            ^^^^^\n    hint: did you mean 12.4.1?"
    )


def test_without_a_place_the_name_stands_in_front() -> None:
    assert render([Finding("it is missing", name="a/Dockerfile")]) == "a/Dockerfile: it is missing"
    assert render([Finding("no variant matches")]) == "no variant matches"
    assert render([Finding("debian is a distro", name="debian")]) == "debian is a distro", (
        "not twice"
    )


def test_a_warning_says_that_it_is_one() -> None:
    assert render([Finding("old", name="x", severity="warning")]) == "x: warning: old"


def test_tabs_keep_the_caret_under_the_text() -> None:
    text = render([Finding("wrong", where=Position("f", 1, 3, "\t\tx", 1))])
    assert text.splitlines()[1:] == ["    \t\tx", "    \t\t^"]


def test_empty_fields_are_left_out_for_programs() -> None:
    assert Finding("m").as_dict() == {"severity": "error", "message": "m"}
    assert Finding("m", name="n").as_dict() == {"severity": "error", "message": "m", "name": "n"}


def test_one_finding_is_raised_with_its_code() -> None:
    problem = fail("m", "h", name="n", code=3)
    assert isinstance(problem, BakestoneError)
    assert (problem.code, problem.findings) == (3, (Finding("m", "h", None, "n"),))


def test_findings_are_in_the_order_of_the_file_and_those_without_a_place_are_last() -> None:
    named, late, early = Finding("c"), *(Finding("m", where=Position("f", n, 1)) for n in (9, 2))
    assert BakestoneError([named, late, early]).findings == (early, late, named)


def test_an_error_is_a_plain_exception_that_a_set_and_another_process_can_hold() -> None:
    problem = BakestoneError([Finding("m", "h", Position("f", 1, 2))], 3)
    assert {problem: 1}[problem] == 1
    assert problem != BakestoneError(problem.findings, 3), "each is the one that was raised"
    again = pickle.loads(pickle.dumps(problem))  # noqa: S301 - its own bytes
    assert (again.findings, again.code, str(again)) == (problem.findings, 3, str(problem))


@pytest.mark.parametrize("kind", ["FIFO", "device"])
def test_what_is_no_regular_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = Path("/dev/zero")
    if kind == "FIFO":
        path = tmp_path / "images.yaml"
        os.mkfifo(path)
    with pytest.raises(BakestoneError) as caught:
        read_text(path, "the matrix", limit=10)
    (finding,) = caught.value.findings
    assert finding.message == "cannot read the matrix: it is no regular file"
    assert (finding.name, bool(finding.hint)) == (str(path), True)


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("text", "utf-8")
    (tmp_path / "link").symlink_to("real")
    assert read_text(tmp_path / "link", "the matrix", limit=10) == "text"


@pytest.mark.parametrize("raw", [None, b"\xff"])
def test_what_led_to_an_error_is_kept(raw: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(BakestoneError) as caught:
        read_text(path, "the matrix", limit=10)
    assert isinstance(caught.value.__cause__, UnicodeDecodeError if raw else FileNotFoundError)


def test_what_would_steer_a_terminal_is_made_visible_wherever_it_stands() -> None:
    evil = "a\x1b[31m\u202eb\x9bc\ud800"
    shown = render([Finding(evil, evil, Position(evil, 1, 1, evil)), Finding(evil, name=evil)])
    assert all(c == "\n" or c.isprintable() for c in shown)
    assert shown.count("a\ufffd[31m\ufffdb\ufffdc\ufffd") == 6


@given(st.lists(WORD, min_size=1), st.lists(WORD), st.integers(1, 300), st.integers(30, 120))
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(
    message: list[str], hint: list[str], column: int, width: int
) -> None:
    where = Position("images.yaml", 1, column, "x " * 150, 5)
    finding = Finding(" ".join(message), " ".join(hint), where)
    shown = render([finding], width)
    assert max(map(len, shown.splitlines())) <= width
    words = shown.split()
    assert [w for w in words if w in message][: len(message)] == message


def test_a_word_that_is_longer_than_a_line_stays_whole() -> None:
    assert "/" + "a" * 90 in render([Finding("no file /" + "a" * 90)], 40)


@given(st.text(max_size=300), st.integers(1, 400), st.integers(1, 400))
def test_any_line_and_column_can_be_shown(line: str, column: int, width: int) -> None:
    shown = render([Finding("m", "h", Position("f", 1, column, line, width))])
    assert "\x1b" not in shown
    assert all(c == "\n" or c == "\t" or c.isprintable() for c in shown)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://bob:hunter2@x.example/y is away", "https://***@x.example/y is away"),
        ("bob:hunter2@x.example:5000/y", "***@x.example:5000/y"),
        ('cannot be "bob:hunter2@[::1]/y"', 'cannot be "***@[::1]/y"'),
        (
            "docker.io/library/debian:12@sha256:" + "0" * 64,
            "docker.io/library/debian:12@sha256:" + "0" * 64,
        ),
        ("library/debian:12@sha256:63d552d52642...", "library/debian:12@sha256:63d552d52642..."),
        ("openmpi@5.0.10 (images.yaml:9:12)", "openmpi@5.0.10 (images.yaml:9:12)"),
        ("libc6:amd64 and a@b", "libc6:amd64 and a@b"),
        ("https://bob:hunter2/x@ghcr.io/x", "https://***@ghcr.io/x"),
        ("https://bob:a@hunter2@ghcr.io/x", "https://***@ghcr.io/x"),
        ("https://:hunter2@ghcr.io/x", "https://***@ghcr.io/x"),
        ("https://hunter2@ghcr.io/x", "https://***@ghcr.io/x"),
        ("https://bob:pw'hunter2@ghcr.io/x", "https://***@ghcr.io/x"),
        ("https://bob:hunter2@$HOST/x", "https://***@$HOST/x"),
        ("bob:hunter2@sha256:80/x", "***@sha256:80/x"),
        ("https:/bob:hunter2@x.example/y", "https:/***@x.example/y"),
        ("distro:debian@12", "distro:debian@12"),
        ("mpi:openmpi@5.0.10", "mpi:openmpi@5.0.10"),
        ("registry:5000/x@sha256:" + "a" * 64, "registry:5000/x@sha256:" + "a" * 64),
        ("https://h:5000/x@sha256:" + "a" * 64, "https://h:5000/x@sha256:" + "a" * 64),
    ],
)
def test_accounts_are_masked_and_nothing_else_is(text: str, said: str) -> None:
    assert masked(text) == said
    found = Finding(text, hint=text, name=text)
    assert "hunter2" not in render([found])
    assert "hunter2" not in json.dumps(found.as_dict())


def test_an_account_in_a_line_of_a_file_is_masked_and_the_carets_stay() -> None:
    line = "registry: bob:hunter2@x.example/y"
    place = Position("images.yaml", 2, line.index("x.example") + 1, line, 9)
    shown = render([Finding("it is wrong", where=place)]).splitlines()
    assert shown[1:] == [
        "    registry: ***********@x.example/y",
        "                          ^^^^^^^^^",
    ]


@pytest.mark.parametrize(
    "text", ["::error::x", "  ::set-output name=a::b", "a\n::x", "##[add-mask]"]
)
def test_a_text_of_others_is_no_command_to_a_ci_system(text: str) -> None:
    """The runner takes a line whose first letters are `::`, and `##[` wherever it stands."""
    for shown in (visible(text), render([Finding(text)]), render([Finding("a", hint=text)])):
        assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
        assert "##[" not in shown
    place = Position("images.yaml", 1, 1, text)
    lines = render([Finding("a", where=place)]).splitlines()
    assert not any(line.lstrip().startswith("::") for line in lines)
