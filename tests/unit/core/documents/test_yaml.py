"""YAML with positions, and without YAML's dangers."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bakestone.core.documents import yaml as yamldoc
from bakestone.errors import BakestoneError
from tests.support.samples import ROOT, Marked, refused


def test_every_value_and_key_has_its_place() -> None:
    document = yamldoc.parse("a:\n  - one\n  - b: 'two'\n", "file.yaml")
    assert document.data == {"a": ["one", {"b": "two"}]}
    assert str(document.position(("a", 1, "b"))) == "file.yaml:3:8"
    assert str(document.position(("a", 1, "b"), key=True)) == "file.yaml:3:5"
    assert document.position(("a", 1, "b")).width == len("'two'")


def test_a_value_without_a_place_has_its_parents() -> None:
    document = yamldoc.parse("a: {b: c}\n", "file.yaml")
    assert document.position(("a", "missing", "deeper")) == document.position(("a",))


REFUSED = {
    "a python object": (
        "a: «!!python/object:os.system [x]»\n",
        "the tag !!python/object:os.system is not allowed",
    ),
    "a python name": (
        "a: «!!python/name:os.system»\n",
        "the tag !!python/name:os.system is not allowed",
    ),
    "a tag of one's own": ("a: «!env HOME»\n", "the tag !env is not allowed"),
    "binary data": ("a: «!!binary aGVsbG8=»\n", "the tag !!binary is not allowed"),
    "a set": ("a: «!!set {x, y}»\n", "the tag !!set is not allowed"),
    "a tag deep inside": ("a:\n  - b: {c: «!x y»}\n", "the tag !x is not allowed"),
    "a duplicate key": ("a: 1\nb: 2\n«a»: 3\n", "the key 'a' is there twice (first on line 1)"),
    "a merge key": ("x: &x {a: b}\ny:\n  «<<»: *x\n", "merge keys (<<) are not allowed"),
    "a list as a key": ("? «[a, b]»\n: c\n", "a key must be plain text"),
    "a date that is none": ("a: «2026-99-99»\n", "cannot read '2026-99-99'"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_not_plain_data_is_refused_where_it_stands(text: str, message: str) -> None:
    marked = Marked.of(text)
    found = refused(lambda: yamldoc.parse(marked.text, "file.yaml"))[0]
    assert found.message == message
    assert (found.line, found.column, found.marked) == (marked.line, marked.column, marked.marked)
    assert found.hint


def test_all_findings_of_a_file_come_together() -> None:
    found = refused(lambda: yamldoc.parse("a: !x 1\nb: !y 2\na: 3\n", "file.yaml"))
    assert [f.line for f in found] == [1, 2, 3]


BROKEN = {
    "an unknown alias": ("a: *b\n", 1, "undefined alias"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "another document"),
    "a tab as indentation": ("a:\n\tb: 1\n", 2, "not valid YAML"),
    "an open quote": ('a: "b\n', 1, "not valid YAML"),
    "an open bracket": ("a: [b\n", 1, "not valid YAML"),
    "a colon too many": ("a: b: c\n", 1, "not valid YAML"),
}


@pytest.mark.parametrize(("text", "line", "message"), BROKEN.values(), ids=list(BROKEN))
def test_broken_yaml_has_a_place_and_a_hint(text: str, line: int, message: str) -> None:
    (found,) = refused(lambda: yamldoc.parse(text, "file.yaml"))
    assert message in found.message
    assert found.line == line
    assert found.hint
    assert "^" in found.text


def test_a_tab_is_answered_with_spaces() -> None:
    (found,) = refused(lambda: yamldoc.parse("a:\n\tb: 1\n", "file.yaml"))
    assert found.hint == "indent with spaces"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n# and another\n"])
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    (found,) = refused(lambda: yamldoc.parse(text, "images.yaml", "the matrix"))
    assert found.message == "the matrix is empty"
    assert found.text.startswith("images.yaml:1:1: ")
    assert "bakestone init" in found.hint


def test_an_alias_may_be_used() -> None:
    assert yamldoc.parse("a: &x [1, 2]\nb: *x\n", "file.yaml").data == {"a": [1, 2], "b": [1, 2]}


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    levels = [
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n"
        for n in range(12)
    ]
    (found,) = refused(
        lambda: yamldoc.parse(
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(levels), "bomb.yaml"
        )
    )
    assert "once aliases (*name) are expanded" in found.message
    assert found.line >= 1


def test_an_alias_of_itself_is_refused() -> None:
    (found,) = refused(lambda: yamldoc.parse("a: &a [*a]\n", "loop.yaml"))
    assert "levels" in found.message


def test_deep_nesting_is_refused() -> None:
    (found,) = refused(lambda: yamldoc.parse("[" * 200 + "]" * 200, "deep.yaml"))
    assert f"{yamldoc.MAX_DEPTH} levels" in found.message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_without_end_does_not_crash_the_process(opening: str) -> None:
    code = (
        "from bakestone.core.documents import yaml as yamldoc\n"
        f"try:\n    yamldoc.parse({opening!r} * 60000, 'x')\n"
        "except Exception as e:\n    print(type(e).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "BakestoneError"), done.stderr[-300:]


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f"])
def test_a_control_character_is_shown_where_it_stands(character: str) -> None:
    (found,) = refused(lambda: yamldoc.parse(f"a: 1\nb: x{character}y\n", "file.yaml"))
    assert (found.line, found.column) == (2, 5)
    assert "control character" in found.message
    assert found.hint
    assert character not in found.text


def test_a_tag_on_a_key_is_refused_too() -> None:
    (found,) = refused(lambda: yamldoc.parse("!!python/name:os.system a: 1\n", "file.yaml"))
    assert "is not allowed" in found.message


@given(st.text(alphabet=st.sampled_from("ab: -[]{}&*!#'\"\n\t|>?,%@`1.0<~"), max_size=60))
@example("a: &a {<<: *a}")
@example("!!python/object:os.system x")
@example("? [a]\n: b")
@example("\ufeffa: b")
@example("a: |\n")
@example("---\n...\n---\n")
def test_any_text_gives_data_or_findings_and_nothing_else(text: str) -> None:
    with suppress(BakestoneError):
        yamldoc.parse(text, "any.yaml")


def write(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


def test_a_missing_file_is_named_with_its_hint(tmp_path: Path) -> None:
    (found,) = refused(
        lambda: yamldoc.load(tmp_path / "none.yaml", "the matrix", hint="give it with -f")
    )
    assert "the matrix not found" in found.message
    assert str(tmp_path / "none.yaml") in found.text
    assert found.hint == "give it with -f"


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    (found,) = refused(lambda: yamldoc.load(tmp_path, "the matrix"))
    assert "cannot read the matrix: Is a directory" in found.message


def test_latin_1_is_refused_at_its_first_wrong_byte(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", "a: 1\nb: caf\xe9\n".encode("latin-1"))
    (found,) = refused(lambda: yamldoc.load(path, "the matrix"))
    assert found.message == "not UTF-8: byte 0xe9"
    assert (found.line, found.column) == (2, 7)
    assert found.hint == "save the file as UTF-8"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_and_utf_32_are_refused(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "a.yaml", "version: 1\nname: ünïcödé\n".encode(encoding))
    (found,) = refused(lambda: yamldoc.load(path, "the matrix"))
    assert "not UTF-8" in found.message or "not valid YAML" in found.message


def test_a_byte_order_mark_of_utf_8_is_read_over(tmp_path: Path) -> None:
    assert yamldoc.load(write(tmp_path / "a.yaml", b"\xef\xbb\xbfa: 1\n"), "it").data == {"a": 1}


def test_windows_line_ends_keep_their_places(tmp_path: Path) -> None:
    document = yamldoc.load(write(tmp_path / "a.yaml", b"a: 1\r\nb: 2\r\n"), "it")
    assert (document.position(("b",)).line, document.position(("b",)).column) == (2, 4)


def test_too_large_a_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", b"# " + b"x" * yamldoc.MAX_BYTES + b"\n")
    (found,) = refused(lambda: yamldoc.load(path, "the matrix"))
    assert "too large" in found.message
    assert str(yamldoc.MAX_BYTES) in found.message


def test_a_line_break_of_unicode_does_not_shift_places() -> None:
    document = yamldoc.parse('a: "x\u2028y"\nb: 2\n', "file.yaml")
    position = document.position(("b",))
    assert position.text[position.column - 1 :].startswith("2")


def test_of_a_huge_file_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", b"")
    os.truncate(path, 2**40)  # with nothing in it, and no room on the disk
    (found,) = refused(lambda: yamldoc.load(path, "the matrix"))
    assert "too large" in found.message
