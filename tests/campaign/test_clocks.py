"""A machine whose clock is nine days off: what is written is never of a time that is yet to come,
and who runs the command is told. libfaketime gives one process another time (Debian's faketime).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from tests.campaign.projects import contents, fresh, run
from tests.campaign.tally import Tally
from tests.campaign.trials import Stage, ended, outcome

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
AHEAD, BEHIND = ("clock nine days ahead", "+9d"), ("clock nine days behind", "-9d")
pytestmark = [
    pytest.mark.usefixtures("at_once_and_alone"),
    pytest.mark.skipif(not FAKETIME, reason="no libfaketime: `scripts/tools faketime` has it"),
]


def clock(offset: str) -> dict[str, str]:
    """What gives a process another time."""
    return {"LD_PRELOAD": str(FAKETIME[0]), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def times(text: str) -> list[datetime]:
    return [datetime.fromisoformat(one) for one in re.findall(r"20\d\d-\d\d-\d\dT[\d:]{8}Z", text)]


@pytest.mark.parametrize("which", [AHEAD, BEHIND])
def test_a_lock_made_under_a_wrong_clock_says_no_time_that_is_yet_to_come(
    which: tuple[str, str], stages: Callable[[str], Stage], tally: Tally
) -> None:
    stage = stages("lock")
    trial = stage.trial
    stage.begin()
    stage.place.proxy.plan()
    done = ended(stage.started(env=clock(which[1])))
    assert outcome(trial, done) == "went on"
    assert ("this machine's clock is 9 days" in done.said) == (which is AHEAD), done.said
    written = times((stage.folder / "images.lock.yaml").read_text("utf-8"))
    assert written
    assert max(written) <= datetime.now(UTC)
    stage.settle()
    tally.fault("lock", which[0], "went on")


@pytest.mark.parametrize("which", [AHEAD, BEHIND])
def test_an_image_published_under_a_wrong_clock_is_not_of_a_time_that_is_yet_to_come(
    which: tuple[str, str], stages: Callable[[str], Stage], tally: Tally
) -> None:
    stage = stages("build --push")
    trial = stage.trial
    stage.begin()
    stage.place.proxy.plan()
    done = ended(stage.started("--dated", env=clock(which[1])))
    assert outcome(trial, done) == "went on"
    assert ("this machine's clock is 9 days" in done.said) == (which is AHEAD), done.said
    record = json.loads((stage.folder / "release.json").read_text("utf-8"))
    for image in record["images"]:
        index = stage.place.content(image["digest"])
        assert index
        dated = times(json.dumps(json.loads(index)["annotations"]))
        assert dated
        assert max(dated) <= datetime.now(UTC)
    tally.fault("build --push", which[0], "went on")


def test_generate_writes_the_same_under_a_clock_that_is_ahead_and_refuses_a_lock_to_come(
    library: Library, tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {name: tmp_path / name for name in ("right", "ahead", "behind")}
    for folder in folders.values():
        folder.mkdir()
        fresh(folder, library)
        lock = folder / "images.lock.yaml"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        said = lock.read_text("utf-8")
        lock.write_text(re.sub(r"resolved: '[^']*'", f"resolved: '{now}'", said), "utf-8")
    assert run(folders["right"], "generate").returncode == 0
    with monkeypatch.context() as patch:
        for key, value in clock(AHEAD[1]).items():
            patch.setitem(os.environ, key, value)
        assert run(folders["ahead"], "generate").returncode == 0
    pattern = "dockerfiles/**/*"
    assert contents(folders["ahead"], pattern) == contents(folders["right"], pattern)
    tally.fault("generate", AHEAD[0], "went on")
    with monkeypatch.context() as patch:
        for key, value in clock(BEHIND[1]).items():
            patch.setitem(os.environ, key, value)
        done = run(folders["behind"], "generate")
    assert done.returncode == 1
    assert "which is yet to come" in done.stderr
    assert "is this machine's clock right?" in done.stderr
    assert contents(folders["behind"], pattern) == {}
    tally.fault("generate", BEHIND[0], "told")
