"""Where pip looks: its configuration, and what it says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.clients.index import pip
from bakestone.clients.index.pip import Places
from tests.support.mirror import SECRET
from tests.support.samples import refused


def test_pip_s_configuration_is_read_as_pip_reads_it(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex_url = https://one.test/simple\nproxy ="
        " http://proxy.test:1\n[install]\nindex-url = https://two.test/simple\nextra-index-url =\n "
        "   https://three.test/a\n    https://four.test/b\n[list]\nindex-url = https://no.test\n",
        "utf-8",
    )
    found = pip.places(config)
    assert found.indexes == (
        "https://two.test/simple",
        "https://three.test/a",
        "https://four.test/b",
    )
    assert found.proxies["https"] == "http://proxy.test:1"
    config.write_text(
        "[install]\nno-index = yes\nfind-links = /here https://links.test/all\n", "utf-8"
    )
    assert pip.places(config) == Places((), ("https://links.test/all",))


def test_a_broken_configuration_shows_none_of_its_lines(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global\nindex-url = https://me:{SECRET}@one.test/\n", "utf-8")
    (found,) = refused(lambda: pip.places(config))
    assert SECRET not in found.text


def test_pip_itself_says_where_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://of-this-machine.test/")
    found = pip.default()
    assert found.startswith("https://")
    assert "of-this-machine" not in found, "a build step does not see this machine's settings"
