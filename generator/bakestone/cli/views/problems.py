"""How a command that failed tells it: findings, and with `--debug` what led to them."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence

import click

from bakestone.cli.terminal import put_json, say, warn
from bakestone.errors import Finding, visible

_USERINFO = re.compile(r"//[^/\s@]+@")
"""An account in a URL: a library's message may have one."""


def findings(found: Sequence[Finding], *, as_json: bool) -> None:
    """Findings, for programs on standard output, for people on standard error with their count."""
    if as_json:
        put_json({"findings": [finding.as_dict() for finding in found]})
        return
    warn(found)
    errors = sum(finding.severity == "error" for finding in found)
    if errors > 1:
        say(f"{errors} errors")


def what_led_to(problem: BaseException) -> None:
    """The traceback with every cause, on standard error, without accounts of URLs."""
    text = _USERINFO.sub("//***@", "".join(traceback.format_exception(problem)))
    click.echo(visible(text), err=True, nl=False)
