"""The one error type of Bakestone, and the one way it is shown.

Every mistake a person can make is a `Finding`: a place (file, line, column)
or a name, a reason and a hint. Findings of one run travel together in a
`BakestoneError`, whose `code` is the exit status of the command:

    1  the input or the result is not right
    2  wrong usage
    3  the environment failed (engine, registry, network)
"""

from __future__ import annotations

import os
import re
import stat
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

INPUT, USAGE, ENVIRONMENT = 1, 2, 3
_DIGEST = "sha256:[0-9a-f]{6}"
"""How a digest begins, whole or shortened: a port has five digits at most."""
_ACCOUNT = re.compile(
    # in a URL all up to the last @ of the word: a password may hold what it should not
    rf"(?<=//)(?:[^\s/:@\"]{{0,300}}:[^\s\"]{{0,2000}}|[^\s/@\"]{{1,2000}})@(?!{_DIGEST})"
    # elsewhere only what stands in front of a host: openmpi:5.0@x is a slip of the pen
    rf"|(?<![^\s/:'\"\[\]{{}}(=,])[^\s/@:'\"\[\]{{}}]{{1,200}}:[^\s/@'\"]{{1,300}}@(?!{_DIGEST})"
    r"(?=[\w-]+(?:\.[\w-]+)*(?:\.[A-Za-z]{2,}|:\d+|/)|\[[0-9a-fA-F:]+\])"
)
"""`user:password@` in front of a host; a tag in front of a digest is none."""
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\[)", re.MULTILINE)
"""How a workflow command of GitHub begins (github.com/actions/runner, ActionCommand.cs)."""
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_SHOWN = 110
"""Columns of a wrong line that are shown at most: what is beside the place says little."""


@dataclass(frozen=True)
class Position:
    """A place in a text file. Line and column count from 1; `width` is in characters."""

    file: str
    line: int
    column: int
    text: str = ""
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Finding:
    """One thing that is not right.

    `message` says what and why, `hint` what to do about it. `where` is a
    position in a file, or `name` says what it is about when there is none.
    """

    message: str
    hint: str = ""
    where: Position | None = None
    name: str = ""
    severity: str = "error"

    def as_dict(self) -> dict[str, object]:
        """The finding for `--format json`: empty fields are left out."""
        out: dict[str, object] = {"severity": self.severity, "message": masked(self.message)}
        if self.hint:
            out["hint"] = masked(self.hint)
        if self.name:
            out["name"] = masked(self.name)
        if self.where:
            out |= {"file": self.where.file, "line": self.where.line, "column": self.where.column}
        return out


class BakestoneError(Exception):
    """One or more findings that end a command, with its exit code.

    They are in the order of the file that they are about, each once. What led to them is the
    `__cause__`: `raise fail(...) from problem`.
    """

    def __init__(self, findings: Iterable[Finding] = (), code: int = INPUT) -> None:
        self.findings = tuple(sorted(dict.fromkeys(findings), key=_place))
        self.code = code
        super().__init__(self.findings, code)

    def __str__(self) -> str:
        return render(self.findings)


def _place(finding: Finding) -> tuple[bool, str, int, int]:
    where = finding.where
    return (False, where.file, where.line, where.column) if where else (True, "", 0, 0)


def fail(
    message: str,
    hint: str = "",
    *,
    where: Position | None = None,
    name: str = "",
    code: int = INPUT,
) -> BakestoneError:
    """A `BakestoneError` with a single finding, ready to be raised."""
    return BakestoneError([Finding(message, hint, where, name)], code)


def read_bytes(
    path: Path, what: str, *, limit: int, hint: str = "", within: Path | None = None
) -> bytes:
    """Read a file that a person wrote.

    `limit` is in bytes. `within` is the folder that it must really lie below: in what comes from
    others, a link could bring a reader's own files into an image; what git keeps for itself (a
    token, in CI) is no part of it. Raises `BakestoneError` when the file is missing, too large,
    elsewhere, a FIFO or a device.
    """
    if within:
        _check_within(path, what, within)
    try:
        with open(path, "rb", opener=_at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                hint = hint or "give the name of a file"
                raise fail(f"cannot read {what}: it is no regular file", hint, name=str(path))
            raw = stream.read(limit + 1)  # no more than that, whatever the path leads to
    except FileNotFoundError as problem:
        raise fail(f"{what} not found: {path}", hint, name=str(path)) from problem
    except OSError as problem:
        raise fail(f"cannot read {what}: {problem.strerror}", hint, name=str(path)) from problem
    if len(raw) > limit:
        raise fail(
            f"{what} is too large: more than {limit} bytes",
            "is it the right file? A matrix can be split over several",
            name=str(path),
        )
    return raw


def read_text(
    path: Path, what: str, *, limit: int, hint: str = "", within: Path | None = None
) -> str:
    """Read a UTF-8 text file that a person wrote.

    As `read_bytes`; raises `BakestoneError` also when it is not UTF-8, with the position of the
    first wrong byte.
    """
    raw = read_bytes(path, what, limit=limit, hint=hint, within=within)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        before = raw[: problem.start]
        line = before.count(b"\n") + 1
        column = problem.start - (before.rfind(b"\n") + 1) + 1
        text = raw.splitlines()[line - 1].decode("utf-8", "replace")
        raise fail(
            f"not UTF-8: byte 0x{raw[problem.start]:02x}",
            "save the file as UTF-8",
            where=Position(str(path), line, column, text),
        ) from problem


def _check_within(path: Path, what: str, folder: Path) -> None:
    try:
        parts = path.resolve().relative_to(folder.resolve()).parts
    except (ValueError, OSError, RuntimeError) as problem:  # not below it; a link in a circle
        why = f"{what} is a link that leads out of {folder}"
        raise fail(why, "put the file itself there", name=str(path)) from problem
    if ".git" in parts:
        hint = "it may hold a token: put a file of your own beside images.yaml"
        raise fail(f"{what} is one that git keeps for itself", hint, name=str(path))


def _at_once(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)  # nobody may ever write to a FIFO


def render(findings: Iterable[Finding], width: int = 0) -> str:
    """The findings as a person reads them: place, message, the line with a caret, hint.

    Sentences are broken between words where `width` ends, which is in columns; 0 breaks none.
    """
    return "\n".join(_render_one(finding, width) for finding in findings)


def masked(text: str, instead: Callable[[re.Match[str]], str] = lambda _: "***@") -> str:
    """A text without the accounts (`user:password@`) of the URLs and registries in it."""
    return _ACCOUNT.sub(instead, text)


def visible(text: str) -> str:
    """A text of others as it may go out: without what would steer a terminal, turn the order of its
    letters, or be a command to a CI system that reads it line by line; and without accounts.
    """
    shown = "".join(c if c in "\n\t" or c.isprintable() else _REPLACED for c in masked(text))
    return _COMMAND.sub(lambda found: f"{found[1] or ''}{_REPLACED}", shown)


def _render_one(finding: Finding, width: int) -> str:
    place = str(finding.where) if finding.where else finding.name
    mark = "" if finding.severity == "error" else f"{finding.severity}: "
    if not finding.where and finding.message.startswith(f"{place} "):
        place = ""  # its name begins the sentence already
    said = f"{place}: {mark}{finding.message}" if place else f"{mark}{finding.message}"
    lines = [_filled(said, width, 4)]
    if finding.where and finding.where.text:
        shown = max(20, width - 4) if width else _SHOWN
        text, start = _window(finding.where.text, finding.where.column, min(shown, _SHOWN))
        pad = "".join("\t" if c == "\t" else " " for c in text[: start - 1])
        room = max(1, min(finding.where.width, len(text) - start + 1))
        lines += [f"    {text}", f"    {pad}{'^' * room}"]
    if finding.hint:
        lines.append(_filled(f"    hint: {finding.hint}", width, 10))
    return visible("\n".join(lines))


def _filled(text: str, width: int, indent: int) -> str:
    """A sentence in lines of that width. A long word, such as a path, stays whole."""
    lines = visible(text).split("\n")
    if width:
        filled = textwrap.TextWrapper(
            width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
        )
        lines = [filled.fill(line) if len(line) > width else line for line in lines]
    return "\n".join(lines)


def _window(text: str, column: int, width: int) -> tuple[str, int]:
    """The part of a long line around a column, and the column within that part."""
    # as long as it was, for the carets below it
    text = masked(text, lambda found: "*" * (len(found[0]) - 1) + "@")
    printable = visible(text.replace("\n", "\0"))
    if len(printable) <= width:
        return printable, column
    first = max(0, min(column - width // 2, len(printable) - width))
    return printable[first : first + width], column - first
