"""What a person reads of a build, and while it runs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bakestone.cli.views import build
from bakestone.cli.views import progress as progress_view
from bakestone.cli.views.progress import Progress
from bakestone.clients.engine.events import State
from bakestone.core.library.catalog import Library
from bakestone.core.render.plan import BuildPlan
from bakestone.core.render.release import ReleasedImage, RetiredTag
from bakestone.errors import Finding
from bakestone.jobs.publish.failures import FailedVariant
from bakestone.jobs.publish.retire import Fate, Retirement
from bakestone.jobs.publish.run import BuildOptions, Outcome
from bakestone.jobs.publish.watching import Status
from tests.support.builder import inventory
from tests.support.buildkit_events import vertex
from tests.support.samples import MANY, project

PUSHED = BuildOptions(release=Path("release.json"), push=True)


@pytest.fixture
def image(library: Library, tmp_path: Path) -> ReleasedImage:
    variant = project(tmp_path, MANY, library=library).matrix.variants[0]
    where, base = "registry.example.com/base/cpu", variant.base.ref
    digest = f"sha256:{'a' * 64}"
    return ReleasedImage(
        variant.name, "cpu", where, "0" * 64, digest, {}, 12_345_678, base, {}, inventory(variant)
    )


@pytest.fixture
def nothing(library: Library) -> Outcome:
    from bakestone.core.lock.lock import Lock

    return Outcome(BuildPlan((), "registry.example.com/base", True, (), Lock(), library))


def test_an_outcome_is_a_table_and_a_sentence(
    image: ReleasedImage, nothing: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    build.outcome(replace(nothing, images=(image,), present=(image.name,)), PUSHED)
    said = " ".join(capsys.readouterr().out.split())
    assert f"{image.floating} sha256:aaaaaaaaaaaa 12 ubuntu 22.04, openmpi 4.1.8" in said
    assert "nothing to do: all 1 images are in registry.example.com/base under their" in said
    build.outcome(
        replace(nothing, images=(image,), built=(image.name,), moved=(image.name,)), PUSHED
    )
    said = capsys.readouterr().out
    assert "1 built, 0 already there, 1 floating tags moved; release.json" in said
    build.outcome(replace(nothing, built=("a", "b")), BuildOptions(release=Path("release.json")))
    assert "2 variants built and verified; nothing was published" in capsys.readouterr().out


def test_further_tags_are_named_with_their_images(
    image: ReleasedImage, nothing: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    tagged = replace(image, aliases=("latest", "4"), dated=("4-20261130",))
    done = replace(nothing, images=(tagged,), present=(image.name,), aliased=("latest",))
    build.outcome(done, PUSHED)
    said = capsys.readouterr().out
    assert f"\n{image.floating} is latest, 4, 4-20261130 as well\n" in said
    assert "0 built, 1 already there, 0 floating tags and 1 alias moved; release.json" in said


def test_a_failure_and_what_is_gone_are_said(
    image: ReleasedImage, nothing: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = FailedVariant(Finding("it failed"), environment=False)
    build.outcome(replace(nothing, failed=(failed,), built=("a",)), PUSHED)
    said = capsys.readouterr().out
    assert said == "1 built, 0 already there, 1 failed; no floating tag was moved\n"
    build.outcome(replace(nothing, retired=(RetiredTag(image, image.name),)), PUSHED)
    said = capsys.readouterr().err
    assert f"{image.floating} is in release.json, and no longer in images.yaml" in said
    assert "bakestone retire" in said


def test_retired_tags_are_named_with_what_became_of_them(
    image: ReleasedImage, capsys: pytest.CaptureFixture[str]
) -> None:
    build.retirements([Retirement(RetiredTag(image, image.name), Fate.LEFT, "why")], removed=True)
    assert capsys.readouterr().out == f"{image.floating}  left: why\n"


def test_what_is_over_or_on_its_way_to_the_registry_is_not_said_to_be_built(
    image: ReleasedImage, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress({"a": "a"}, clock=lambda: 0.0) as progress:
        state = State(("a",))
        state.feed(vertex("[git 2/3] RUN make"))
        progress.watch(state)
        progress.set("a", Status.PUBLISHING)
        progress.watch(state)
        progress.set("a", Status.DONE)
        progress.watch(state)
    assert [line.split("] ")[1] for line in capsys.readouterr().out.splitlines()] == [
        "a: building git 2/3: RUN make",
        "a: publishing",
        "a: done",
    ]


def test_what_is_tried_again_is_said_each_time_with_the_reason_and_nothing_that_steers_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Progress({"a": "a", "b": "b", "c": "c"}, clock=lambda: 0.0) as progress:
        progress.again(["a", "b", "c"], Status.BUILDING, "try 2 of 3: it broke off")
        progress.again(["a", "b", "c"], Status.BUILDING, "try 3 of 3: it\nbroke \x1b[2Joff")
        progress.again(["a"], Status.PUBLISHING, "try 2 of 3: the registry hung up")
    assert [line.split("] ")[1] for line in capsys.readouterr().out.splitlines()] == [
        "a and 2 more: again, try 2 of 3: it broke off",
        "a and 2 more: again, try 3 of 3: it broke \N{REPLACEMENT CHARACTER}[2Joff",
        "a: again, try 2 of 3: the registry hung up",
    ]
    assert progress.status == {"a": Status.PUBLISHING, "b": Status.BUILDING, "c": Status.BUILDING}


def test_on_a_terminal_the_reason_stays_above_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120, markup=False, highlight=False)
    monkeypatch.setattr(progress_view, "console", lambda: terminal)
    with Progress({"a": "a"}, clock=lambda: 0.0) as progress:
        progress.again(["a"], Status.BUILDING, "try 2 of 3: it broke off")
        progress.set("a", Status.BUILDING, "nccl 2/3: RUN x")
    assert screen.getvalue().count("a: again, try 2 of 3: it broke off") == 1
