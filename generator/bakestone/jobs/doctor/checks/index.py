"""The package index: where pip looks, by the site's pip configuration or pip's own default, and
what a page of it lists.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from bakestone.errors import ENVIRONMENT, fail, read_text

_CONFIG = 2**16
_DEFAULT = re.compile(r"\(default\s+(https?://\S+?)\)")
ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2,"
    " text/html;q=0.01"
)
"""PEP 691."""
_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Places:
    """Where pip looks for wheels.

    URLs and proxy may hold credentials: they are for requests, never for a message.
    """

    indexes: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    proxies: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Listed:
    """A file that a page lists: its URL, and its SHA-256, empty when the page does not say."""

    url: str
    sha256: str


def places(config: Path | None) -> Places:
    """What a pip configuration says, or pip's default without one.

    Raises `BakestoneError` when neither can be told.
    """
    said = _settings(config) if config else {}
    proxy = said.get("proxy", "")
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    links = tuple(
        word
        for word in said.get("find-links", "").split()
        if word.startswith(("http://", "https://"))
    )
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
        raise fail(
            "pip's configuration cannot be read",
            "correct it; `pip config list` shows it",
            name=str(config),
        ) from None
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
    """The index that pip takes when nothing is configured, as a build step's pip does: asked of pip
    itself.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | {
        "PIP_CONFIG_FILE": os.devnull,
        "COLUMNS": "500",
    }
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
    except (OSError, subprocess.TimeoutExpired):
        done = None
    found = _DEFAULT.search(" ".join(done.stdout.split())) if done else None
    if not found:
        raise fail(
            "pip does not say which package index it takes",
            "name a pip configuration with an index-url under `pip` in the site file",
            name="pip",
            code=ENVIRONMENT,
        )
    return found[1]


def project_page(index: str, name: str) -> str:
    """The page of a project (PEP 503)."""
    return f"{index.rstrip('/')}/{re.sub(r'[-_.]+', '-', name).lower()}/"


def listed(body: bytes, kind: str, url: str) -> dict[str, Listed]:
    """File name -> what a page says of it. Raises `ValueError` for what is no page of an index."""
    if kind == _JSON:
        data = json.loads(body)
        files: list[dict[str, Any]] = data["files"]
        return {
            str(f["filename"]): Listed(
                urljoin(url, str(f["url"])), str(f.get("hashes", {}).get("sha256", ""))
            )
            for f in files
        }
    page = _Page()
    page.feed(body.decode("utf-8", "replace"))
    found = {}
    for link in page.links:
        target, fragment = urldefrag(urljoin(page.base or url, link))
        name = unquote(urlsplit(target).path.rpartition("/")[2])
        found[name] = Listed(
            target, fragment.partition("sha256=")[2] if fragment.startswith("sha256=") else ""
        )
    return found


class _Page(HTMLParser):
    """The links of a page, and its base URL when it names one."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what an <a> or <base> leads to."""
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.links.append(target)
        elif tag == "base" and target:
            self.base = self.base or target
