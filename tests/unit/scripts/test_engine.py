"""scripts/engine: which commands make the network that containers share."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support import engine_script


class Machine:
    """Stands in for `ip`: `ran` lists what was asked for; `there` says whether the bridge is."""

    def __init__(self, *, there: bool) -> None:
        self.there = there
        self.ran: list[str] = []
        self.refuse = ""

    def run(self, *argv: str, **_: Any) -> subprocess.CompletedProcess[str]:
        words = " ".join(argv[1:])
        if words.startswith("link show"):
            return subprocess.CompletedProcess(argv, 0 if self.there else 1, "", "")
        if words.startswith("-o -4 route"):
            return subprocess.CompletedProcess(argv, 0, "172.28.0.0/24 dev other scope link\n", "")
        self.ran.append(words)
        refused = bool(self.refuse) and self.refuse in words
        return subprocess.CompletedProcess(argv, 2 if refused else 0, "", "not permitted")


@pytest.fixture
def script() -> ModuleType:
    return engine_script.load()


def engine(script: ModuleType, machine: Machine, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    patch.setattr(script, "run", machine.run)
    patch.setattr(script, "which", lambda program: f"/sbin/{program}")
    return script.Engine(folder)


def test_a_new_bridge_gets_an_address_of_its_own_before_anything_is_on_it(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(there=False)
    made = engine(script, machine, tmp_path, monkeypatch)
    made.make_bridge()
    assert machine.ran == [
        f"link add {made.bridge} type bridge",
        f"link set dev {made.bridge} address {made.bridge_mac}",
        f"addr add 172.28.1.1/24 dev {made.bridge}",
        f"link set {made.bridge} up",
    ]


def test_a_bridge_that_is_there_gets_its_address_too(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(there=True)
    made = engine(script, machine, tmp_path, monkeypatch)
    made.make_bridge()
    assert machine.ran == [f"link set dev {made.bridge} address {made.bridge_mac}"]


def test_the_address_is_locally_administered_and_another_for_each_data_directory(
    script: ModuleType, tmp_path: Path
) -> None:
    one, other = (script.Engine(tmp_path / name) for name in ("one", "other"))
    assert one.bridge_mac == script.Engine(tmp_path / "one").bridge_mac != other.bridge_mac
    octets = bytes.fromhex(one.bridge_mac.replace(":", ""))
    assert len(octets) == 6
    assert octets[:2] == b"\x02\x42"
    assert octets[0] & 0b11 == 0b10, "of one station, and locally administered"


def test_a_machine_that_makes_no_bridges_is_told_in_a_sentence(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(there=False)
    machine.refuse = "type bridge"
    with pytest.raises(script.Failure, match="not permitted") as told:
        engine(script, machine, tmp_path, monkeypatch).make_bridge()
    assert "containers need bridge interfaces" in told.value.hint
