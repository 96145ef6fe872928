"""`reproduce`: what a builder says once is tried again, when it has forgotten what was before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from bakestone.clients.engine.buildx import Definition, Engine, Target, Watch
from bakestone.clients.engine.capabilities import LAYOUT, Abilities
from bakestone.clients.engine.events import State
from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.render.plan import BuildPlan
from bakestone.jobs.reproduce import rebuild
from bakestone.jobs.reproduce.rebuild import EQUAL, FORGOTTEN, REBUILD, TRIES
from tests.support.buildkit_events import vertex
from tests.support.layouts import Image, tar
from tests.support.samples import MANY, locked, refused

GONE = "ERROR: failed to build: no such job 4bqzv5"
LOST = "failed to copy: failed to send write: error reading from server: EOF"
"""What BuildKit says when it gave buildx up."""


class Forgetful(Engine):
    """A builder that ends its first calls with some words, and then builds and exports one image.
    `kept` builds get the steps of the one before; the first `lost` exports lose buildx.
    """

    def __init__(self, failures: int, name: str, kept: int = 0, lost: int = 0) -> None:
        super().__init__(Site())
        self.failures, self.name, self.kept, self.calls = failures, name, kept, 0
        self.lost, self.exports = lost, 0

    def abilities(self) -> Abilities:
        return Abilities(LAYOUT, "a builder")

    def bake(self, definition: Definition, *, watch: Watch | None = None) -> tuple[State, bool]:
        state = State(tuple(definition["target"]))
        if self.failures:
            self.failures -= 1
            state.feed(GONE)
            return state, False
        (target,) = definition["target"].values()
        if target["output"] != ["type=cacheonly"]:
            return self.export(state, target)
        assert target["no-cache"] is True
        if self.calls and self.kept:
            self.kept -= 1
        else:
            self.calls += 1
        step = {
            "name": f"[{next(iter(definition['target']))} base 1/2] RUN a",
            "digest": "sha256:1",
        }
        when = {
            "started": f"2026-11-28T10:{self.calls:02}:00.123456{self.kept:03}Z",
            "completed": "2026-11-28T11:00:00Z",
        }
        state.feed(json.dumps({"vertexes": [step | when]}))
        return state, True

    def export(self, state: State, target: Target) -> tuple[State, bool]:
        """What was built, from the cache."""
        assert "no-cache" not in target
        self.exports += 1
        if self.exports <= self.lost:
            state.feed(vertex("exporting to oci image format", error=LOST))
            return state, False
        outputs = target["output"]
        assert isinstance(outputs, list)
        words = dict(word.partition("=")[::2] for word in outputs[0].split(","))
        Image(Path(words["dest"]), [("RUN a", tar({"name": "a"}), 6)], name=self.name)
        return state, True


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.fixture
def plan(tmp_path: Path, library: Library) -> BuildPlan:
    made = locked(tmp_path, MANY, library=library)
    return made.plan([v for v in made.matrix.variants if len(v.platforms) == 1][:1])


def run(
    plan: BuildPlan, failures: int, kept: int = 0, lost: int = 0
) -> Callable[[], list[rebuild.Result]]:
    (variant,) = plan.variants
    name = f"bakestone.invalid/{variant.family}:{variant.name}"
    engine = Forgetful(failures, name, kept, lost)
    return lambda: rebuild.reproduce(
        plan, REBUILD, engine, Registry(Site()), lambda _variants: nullcontext()
    )


def test_a_builder_that_lost_the_job_is_asked_again_when_it_has_forgotten(
    plan: BuildPlan, waited: list[float]
) -> None:
    results = run(plan, TRIES - 1)()
    assert {result.verdict for result in results} == {EQUAL}
    assert waited == [FORGOTTEN] * TRIES


def test_a_builder_that_loses_every_job_is_told_in_its_words(
    plan: BuildPlan, waited: list[float]
) -> None:
    (finding,) = refused(run(plan, TRIES), code=3)
    assert "no such job" in finding.message
    assert waited == [FORGOTTEN] * (TRIES - 1)


def test_a_second_build_that_ran_nothing_is_made_again(
    plan: BuildPlan, waited: list[float]
) -> None:
    results = run(plan, 0, TRIES - 1)()
    assert {result.verdict for result in results} == {EQUAL}
    assert waited == [FORGOTTEN] * TRIES


def test_a_builder_that_never_builds_again_proves_nothing(
    plan: BuildPlan, waited: list[float]
) -> None:
    (finding,) = refused(run(plan, 0, TRIES), code=3)
    assert "the builder did not build again" in finding.message


def test_an_export_that_buildx_did_not_see_the_end_of_is_made_again_and_nothing_is_built(
    plan: BuildPlan, waited: list[float]
) -> None:
    results = run(plan, 0, lost=TRIES - 1)()
    assert {result.verdict for result in results} == {EQUAL}
    assert waited == [FORGOTTEN] * TRIES


def test_exports_that_never_end_well_are_told_in_buildkits_words(
    plan: BuildPlan, waited: list[float]
) -> None:
    (finding,) = refused(run(plan, 0, lost=TRIES), code=3)
    assert "error reading from server" in finding.message
