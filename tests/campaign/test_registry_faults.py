"""A registry that fails at one of the requests of a command, each in turn: with every answer that
says no, with none, with half of one, late, or the command is killed while it waits.

After each: tags and files are old or new, and whole; what is said is a sentence with a hint; and
the next run ends as if nothing had been.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.campaign.tally import Tally
from tests.campaign.trials import TRIALS, WRITING, Stage, outcome
from tests.support.faultyproxy import Harm, answer, reset, slow, torn, unheard

SHARE = 100
"""Of so many inputs for each reader, one is a request at which each fault is tried."""
BASIC = 'Basic realm="r"'
KILLED = "killed"


@dataclass(frozen=True)
class Fault:
    """What is done, and whether it goes on from that request on."""

    name: str
    harm: Harm
    stays: bool = False


def _both(name: str, harm: Harm) -> list[Fault]:
    return [Fault(name, harm), Fault(f"{name} from then on", harm, stays=True)]


GROUPS: dict[str, list[Fault]] = {
    "refused": [
        *_both("401", answer(401, WWW_Authenticate=BASIC)),
        *(fault for code in (403, 404, 409, 412) for fault in _both(str(code), answer(code))),
    ],
    "busy": [
        *(fault for code in (429, 500, 502, 503) for fault in _both(str(code), answer(code))),
        Fault("429, wait 1 s", answer(429, Retry_After="1")),
        Fault("429, wait an hour", answer(429, Retry_After="3600"), stays=True),
    ],
    "broken": [
        *(*_both("reset", reset), *_both("done, the answer lost", unheard)),
        *(*_both("torn", torn), Fault("slow", slow)),
    ],
    KILLED: [Fault("killed before it", reset), Fault("killed after it", unheard)],
}
PAIRS = [(name, group) for name in TRIALS for group in GROUPS if group != KILLED or name in WRITING]


def numbers(stage: Stage, fault: Fault, most: int, seed: int) -> list[int]:
    """The requests at which a fault is tried: one for each `SHARE` inputs, as far apart as can be;
    others for another fault, and with another seed.
    """
    count = min(stage.requests, max(1, most // SHARE))
    first = zlib.crc32(f"{stage.trial.name} {fault.name}".encode()) + seed
    places = [first + number * stage.requests // count for number in range(count)]
    return sorted(1 + place % stage.requests for place in places)


@pytest.mark.parametrize(("name", "group"), PAIRS)
@pytest.mark.usefixtures("at_once_and_alone")
def test_a_fault_at_each_request_leaves_all_old_or_new_and_the_next_run_ends_well(
    name: str,
    group: str,
    stages: Callable[[str], Stage],
    tally: Tally,
    inputs_of_each: int,
    seed: int,
) -> None:
    stage = stages(name)
    faults = GROUPS[group]
    if inputs_of_each < SHARE:  # a slice has one of each group
        faults = [faults[(zlib.crc32(f"{name} {group}".encode()) + seed) % len(faults)]]
    wrong: list[str] = []
    for fault in faults:
        for number in numbers(stage, fault, inputs_of_each, seed):
            try:
                said = tried(stage, fault, number, killed=group == KILLED)
            except AssertionError as problem:
                said = "WRONG"
                wrong.append(str(problem))
            tally.fault(name, fault.name, said)
    assert not wrong, "\n\n".join([*wrong[:10], f"{len(wrong)} in all"])


def tried(stage: Stage, fault: Fault, number: int, *, killed: bool) -> str:
    """One run with a fault, and the next one. Gives what the first made of it."""
    trial, proxy = stage.trial, stage.place.proxy
    stage.begin()
    if killed:
        ended = stage.killed(fault.harm, number)
    else:
        proxy.plan(fault.harm, number, stays=fault.stays)
        ended = trial.run(stage.place, stage.folder)
    where = f"{trial.name}: {fault.name} at request {number}"
    try:
        assert proxy.done, "it asks less than before"
        where += f", {proxy.asked[number - 1]}\n{ended.said}"
        said = outcome(trial, ended, fault.name)
        left = [*Path(tempfile.gettempdir()).iterdir()] if said != "killed" else []
        assert not left, f"left: {left}"
        stage.settle(fault.name)
    except AssertionError as problem:
        raise AssertionError(f"{where}\nthen: {problem}") from problem
    return said
