"""Dockerfiles taken apart into instructions, and given to the parsers of hadolint and sh; what is
equal is parsed once.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

HADOLINT = Path(sys.executable).parent / "hadolint"
_HEREDOC = re.compile(r"<<-?(['\"]?)([A-Za-z_]+)\1")
_SCRIPT = re.compile(r"(RUN|COPY) .*?<<(['\"]?)([A-Za-z_]+)\2( \S+\.sh)?\n(.*)\3\n", re.DOTALL)

_BEGIN = re.compile(r"^(?=(?:FROM|RUN|COPY|ENV|LABEL) )", re.MULTILINE)
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_NUMBER = re.compile(r"(?<![<>&$])\b[0-9]+\b(?![<>])")

PER_FILE = 200
"""Instructions that are written to one file for hadolint."""


def pieces(text: str) -> list[str]:
    """A Dockerfile cut where a line begins like an instruction: coarse and fast, for finding what
    Dockerfiles have alike.

    A cut within a heredoc would leave it without its end, which the parsers do not accept.
    """
    return _BEGIN.split(text)


def alike(found: Iterable[str]) -> list[str]:
    """Of texts that differ in checksums and numbers only, one; numbers at redirections and
    parameters are kept apart.
    """
    return list({_NUMBER.sub("0", _HASH.sub("0", text)): text for text in found}.values())


def instructions(text: str) -> Iterator[str]:
    """The instructions of a Dockerfile, with the comments before and the blank lines behind them;
    joined they are the text.

    An instruction ends with its line, with the first line that has no backslash at its end, or with
    its heredoc.
    """
    part: list[str] = []
    ends: list[str] = []
    state = "before"
    for line in text.splitlines(keepends=True):
        if state == "behind" and line.strip():
            yield "".join(part)
            part, state = [], "before"
        part.append(line)
        if ends:
            if line.rstrip("\n") == ends[0]:
                ends.pop(0)
        elif state == "behind" or (
            state == "before" and (not line.strip() or line.startswith("#"))
        ):
            continue
        else:
            ends = [found[1] for found in _HEREDOC.findall(line)]
        state = "within" if ends or line.endswith("\\\n") else "behind"
    if part:
        yield "".join(part)


def scripts(found: Iterable[str]) -> Iterator[str]:
    """The shell scripts among instructions: RUN heredocs, and files that are called *.sh."""
    for instruction in found:
        match = _SCRIPT.search(instruction)
        if match and (match[1] == "RUN" or match[4]):
            yield match[5]


def parse_errors(found: Iterable[str], folder: Path) -> list[str]:
    """What hadolint's parser says against instructions, each given once, behind a FROM.

    The scripts in them are not linted (their shell is declared to be one that hadolint leaves
    alone): that takes most of its time, and the golden tests do it for whole files.
    """
    listed = list(found)
    for index in range(0, len(listed), PER_FILE):
        text = "# hadolint shell=powershell\nFROM scratch\n" + "".join(
            listed[index : index + PER_FILE]
        )
        (folder / f"{index:06}.Dockerfile").write_text(text, "utf-8")
    files = sorted(folder.glob("*.Dockerfile"))
    done = subprocess.run(
        [HADOLINT, "--no-fail", "--format", "json", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return [
        f"{p['file']}:{p['line']}: {p['message']}"
        for p in json.loads(done.stdout)
        if p["code"] == "DL1000"
    ]


def shell_errors(found: Iterable[str], folder: Path) -> list[str]:
    """What `sh -n` says against scripts, each given once."""
    for index, text in enumerate(found):
        (folder / f"{index:06}.sh").write_text(text, "utf-8")
    loop = 'for script in "$0"/*.sh; do sh -n "$script" || echo "$script"; done'
    done = subprocess.run(["sh", "-c", loop, folder], capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).splitlines()
