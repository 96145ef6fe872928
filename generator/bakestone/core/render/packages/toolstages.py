"""The stages that a RUN about packages looks into, and whether an image will show what it made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ToolStages:
    """The stage of the tools, and the one whose /out holds the keyrings of vendors.

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
