"""The command as tests run it; the fixture `bakestone` of the unit tests makes one."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import Result

Command = Callable[..., Result]
"""Takes the arguments: `bakestone("list", "--format", "json")`."""
