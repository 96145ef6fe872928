"""Two runs of one command at the same time, in one folder and on one registry: both end well, or
one is told that the other is at work; what is there then is what one run would have left.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from tests.campaign.projects import BAKESTONE, changed, contents, run
from tests.campaign.tally import Tally
from tests.campaign.trials import WRITING, Stage, ended, outcome

ROUNDS = 10
"""At most; a hundred inputs for each reader are one round."""
pytestmark = pytest.mark.usefixtures("at_once_and_alone")


def rounds(inputs_of_each: int) -> range:
    return range(min(ROUNDS, max(1, inputs_of_each // 100)))


@pytest.mark.parametrize("name", WRITING)
def test_two_runs_at_once_leave_what_one_leaves(
    name: str, stages: Callable[[str], Stage], tally: Tally, inputs_of_each: int
) -> None:
    stage = stages(name)
    trial = stage.trial
    for _ in rounds(inputs_of_each):
        stage.begin()
        stage.place.proxy.plan()
        processes = [stage.started(), stage.started()]
        said = [outcome(trial, one) for one in map(ended, processes)]
        assert "went on" in said, "neither came to its end"
        stage.settle()
        for one in said:
            tally.fault(name, "two at once", one)


def test_two_parts_of_a_release_published_at_once_are_both_in_its_record(
    stages: Callable[[str], Stage], tally: Tally, inputs_of_each: int
) -> None:
    stage = stages("build --push")
    trial = stage.trial
    for _ in rounds(inputs_of_each):
        stage.begin()
        (stage.folder / "release.json").unlink()
        stage.place.proxy.plan()
        processes = [stage.started(f"family={family}") for family in ("base", "mpi")]
        assert [one.code for one in map(ended, processes)] == [0, 0]
        record = json.loads((stage.folder / "release.json").read_text("utf-8"))
        assert sorted(image["family"] for image in record["images"]) == ["base", "mpi"]
        assert trial.state(stage.place, stage.folder) == stage.after
        for _family in processes:
            tally.fault("build --push", "another part at once", "went on")


def test_two_generate_at_once_leave_what_one_leaves(
    library: Library, tmp_path: Path, tally: Tally, inputs_of_each: int
) -> None:
    start = tmp_path / "start"
    start.mkdir()
    changed(start, library)
    for number in rounds(inputs_of_each):
        folder = tmp_path / f"{number}"
        subprocess.run(["cp", "-a", str(start), str(folder)], check=True)
        command = [str(BAKESTONE), "generate"]
        processes = [
            subprocess.Popen(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for _ in range(2)
        ]
        done = [ended(process) for process in processes]
        assert [one.code for one in done] == [0, 0], done
        found = contents(folder, "dockerfiles/**/*")
        assert run(folder, "generate", "--check").returncode == 0
        assert found == contents(folder, "dockerfiles/**/*")
        assert not [path for path in (folder / "dockerfiles").rglob(".*") if path.is_file()]
        for _process in processes:
            tally.fault("generate", "two at once", "went on")
