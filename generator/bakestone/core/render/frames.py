"""The fixed parts of a Dockerfile: programs that run inside images, and the tools that
its RUNs call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bakestone.core.render.stages import MARKER
from bakestone.errors import fail

HEREDOC = "BAKESTONE_FILE"
"""The word that ends a file inside a Dockerfile."""
_HERE = Path(__file__).parent
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class ToolStages:
    """What a RUN about packages looks into: the stage of the tools, and the one whose /out holds
    the keyrings of vendors.

    `timed` tells that the RUN's own layer is in an image, so that its times must be set.
    """

    tools: str = "tools"
    keyrings: str = "keyrings"
    timed: bool = False

    @property
    def begin(self) -> list[str]:
        """The first lines of a script."""
        return [". /tools/timed.sh"] if self.timed else []


TOOL_STAGES = ToolStages()
"""As they are called in a Dockerfile of one question."""


@cache
def program(name: str) -> list[str]:
    """The lines of a Python program, as they stand in a script."""
    return (_HERE / "packages" / "programs" / name).read_text("utf-8").splitlines()


@cache
def tool(name: str) -> str:
    """The text of a tool."""
    text = (_HERE / "tools" / name).read_text("utf-8").rstrip("\n")
    return text.replace("@MIRRORS@", "\n".join(program("mirrors.py")))


def tools(names: Iterable[str], stage: str = "tools") -> str:
    """A stage that holds tools, for a RUN with `TOOLS`."""
    return f"FROM scratch AS {stage}\n{heredocs({name: tool(name) for name in names})}"


def question(names: Iterable[str], origin: str, run: str, stage: str = "ask") -> str:
    """A Dockerfile whose result is what a RUN on `origin` left in /out, with these tools."""
    copy = f"FROM scratch\nCOPY --from={stage} /out/ /\n"
    return f"{tools(names)}\nFROM {origin} AS {stage}\n{run}\n{copy}"


def heredocs(files: Mapping[str, str], origin: str = "") -> str:
    """COPY instructions that write files, path -> text, into a stage.

    Raises `BakestoneError` for a text that would end its own file, and for what no instruction can
    name; `origin` is where it is from.
    """
    for path, text in files.items():
        if HEREDOC in text:
            hint = "that word ends the file inside a Dockerfile: use another"
            raise fail(f"{path} contains {HEREDOC}", hint, name=origin)
        if not _FILE.fullmatch(path):
            hint = "letters, digits and . _ + - only"
            raise fail(f"{path!r} cannot be a file of a Dockerfile", hint, name=origin)
        if MARKER in text:
            raise fail(f"{path} has a NUL character", "write it as text", name=origin)
    return "\n".join(  # hadolint wants the empty line after a file
        f"COPY <<'{HEREDOC}' /{path}\n{text}\n{HEREDOC}\n" for path, text in files.items()
    )


def mounted(stage: str, target: str = "/tools", source: str = "") -> str:
    """The option of a RUN with which it sees a stage, or a folder of it, at `target`."""
    part = f",source={source}" if source else ""
    return f"--mount=type=bind,from={stage}{part},target={target}"


def pairs(values: dict[str, str], instruction: str) -> str:
    """KEY="value" lines of an ENV or LABEL instruction."""
    indent = " " * (len(instruction) + 1)
    return f" \\\n{indent}".join(f'{key}="{value}"' for key, value in values.items())
