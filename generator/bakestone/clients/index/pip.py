"""Where pip looks for wheels: by the site's pip configuration, or by pip's own default."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bakestone.errors import ENVIRONMENT, BakestoneError, fail, read_text

_CONFIG = 2**16
"""Most bytes of a pip configuration."""
_DEFAULT = re.compile(r"\(default\s+(https?://\S+?)\)")


@dataclass(frozen=True)
class Places:
    """Where pip looks for wheels. All of it may hold credentials: no message shows it."""

    indexes: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    proxies: dict[str, str] = field(default_factory=dict, repr=False)


def places(config: Path | None) -> Places:
    """What a pip configuration says, or pip's default without one.

    Raises `BakestoneError` when neither can be told.
    """
    said = _settings(config) if config else {}
    proxy = said.get("proxy", "")
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    found = said.get("find-links", "").split()
    links = tuple(word for word in found if word.startswith(("http://", "https://")))
    if said.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        return Places((), links, proxies)
    first = said.get("index-url") or said.get("pypi-url") or default()
    return Places((first, *said.get("extra-index-url", "").split()), links, proxies)


def _settings(config: Path) -> dict[str, str]:
    """The settings that count for `pip install`: of its own section, else of [global]."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(read_text(config, "pip's configuration", limit=_CONFIG))
    except configparser.Error:
        # without its cause, which shows lines of the file: they may hold a password
        hint = "correct it; `pip config list` shows it"
        raise fail("pip's configuration cannot be read", hint, name=str(config)) from None
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found |= {
                key.lower().replace("_", "-").removeprefix("--"): value
                for key, value in parser.items(section)
                if value
            }
    return found


def default() -> str:
    """The index that pip takes when nothing is configured: asked of pip itself."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "COLUMNS": "500"}
    command = [sys.executable, "-m", "pip", "download", "--help"]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise _silent() from problem
    found = _DEFAULT.search(" ".join(done.stdout.split()))
    if not found:
        raise _silent()
    return found[1]


def _silent() -> BakestoneError:
    hint = "name a pip configuration with an index-url under `pip` in the site file"
    return fail("pip does not say which package index it takes", hint, name="pip", code=ENVIRONMENT)
