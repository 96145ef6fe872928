"""The RUN that makes the keyrings of vendors' repositories, each with the one key that the library
names.
"""

from __future__ import annotations

from collections.abc import Iterable

from bakestone.core.render.frames import mounted
from bakestone.core.render.packages.closure import command

TOOLS = ("keyrings.sh",)
"""What the stage of tools needs for it."""


def keyrings_run(keys: Iterable[tuple[str, str]], files: str, tools: str) -> str:
    """The RUN that makes /out/NAME.gpg of NAME.key in the stage `files`; `keys` are names and
    fingerprints. It needs gnupg.
    """
    wanted = command(["sh /tools/keyrings.sh", *(f"{name} {key}" for name, key in keys)])
    return f"RUN {mounted(tools)} {mounted(files, '/keys')} <<'EOF'\n{wanted}\nEOF\n"
