"""The bridge of scripts/engine keeps its address whatever comes and goes on it: containers reach
this machine under it, and go on sending to the one that they know.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.e2e.isolated_network import IsolatedNetwork
from tests.support import engine_script
from tests.support.engine_script import SCRIPTS

MAKE = (
    "import sys; from pathlib import Path; from tests.support import engine_script;"
    " engine_script.load().Engine(Path(sys.argv[1])).make_bridge()"
)


def address(here: IsolatedNetwork, interface: str) -> str:
    found = re.search(r"link/ether (\S+)", here.run("ip", "-o", "link", "show", interface))
    assert found
    return found[1]


def make(here: IsolatedNetwork) -> None:
    here.run(sys.executable, "-c", MAKE, str(here.data), env={"PYTHONPATH": str(SCRIPTS.parent)})


def plug(here: IsolatedNetwork, bridge: str, name: str, mac: str) -> None:
    """What Docker does for a container: a pair of interfaces, of which one is on the bridge."""
    here.run("ip", "link", "add", name, "address", mac, "type", "veth", "peer", f"{name}c")
    here.run("ip", "link", "set", name, "master", bridge, "up")


def test_the_bridge_keeps_its_address_when_containers_come_and_go(tmp_path: Path) -> None:
    made = engine_script.load().Engine(tmp_path / "engine")
    with IsolatedNetwork(tmp_path / "engine") as here:
        make(here)
        assert address(here, made.bridge) == made.bridge_mac
        for name, mac in (("first", "02:00:00:00:00:02"), ("second", "02:00:00:00:00:01")):
            plug(here, made.bridge, name, mac)
            assert address(here, made.bridge) == made.bridge_mac
        here.run("ip", "link", "del", "second")
        assert address(here, made.bridge) == made.bridge_mac


def test_a_bridge_that_was_made_without_one_gets_its_address(tmp_path: Path) -> None:
    made = engine_script.load().Engine(tmp_path / "engine")
    with IsolatedNetwork(tmp_path / "engine") as here:
        here.run("ip", "link", "add", made.bridge, "type", "bridge")
        plug(here, made.bridge, "first", "02:00:00:00:00:02")
        assert address(here, made.bridge) == "02:00:00:00:00:02", "the kernel's own way"
        make(here)
        plug(here, made.bridge, "second", "02:00:00:00:00:01")
        assert address(here, made.bridge) == made.bridge_mac
