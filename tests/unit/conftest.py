"""Fixtures of the unit tests."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner, Result

from bakestone.cli.app import main
from bakestone.clients.http.session import Request, Session, UnreachableError, host_of
from bakestone.clients.site.proxies import is_loopback
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from tests.support.command import Command


@pytest.fixture(scope="session")
def library() -> Library:
    """The built-in components, read once."""
    return Library(BUILT_IN)


@pytest.fixture(autouse=True)
def nobody_outside_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes of files and snapshots are asked of loopback only; nothing else can be reached,
    whatever network and proxies the machine has.
    """
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    send = Session.send

    def within(self: Session, request: Request) -> requests.Response:
        target = self.site.mirror_url(request.url)
        if request.mirrored and not is_loopback(urlsplit(target).hostname or ""):
            host = host_of(target)
            self.alive(host)
            raise self.dead(UnreachableError(host, "cannot be reached (nobody outside is asked)"))
        return send(self, request)

    monkeypatch.setattr(Session, "send", within)


@pytest.fixture
def bakestone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run the command in a folder of the test's own: `bakestone("list", "--format", "json")`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BAKESTONE_SITE", raising=False)

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["bakestone", *arguments])
        return CliRunner().invoke(main, list(arguments), prog_name="bakestone")

    return run
