"""From the builder to the registry: what is tried again, what ends a run, what is left."""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from bakestone.clients.engine.capabilities import BY_DIGEST, LAYOUT
from bakestone.clients.engine.events import State
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.layout import Layout
from bakestone.clients.site.site import Site
from bakestone.core.render.plan import BuildPlan
from bakestone.errors import fail
from bakestone.jobs.publish import deliver, push_layout
from bakestone.jobs.publish.watching import Status
from tests.support.builder import (
    ENDED,
    GPU,
    Builder,
    Onlooker,
    image,
    inventory,
    layer,
    place,
    push,
)
from tests.support.buildkit_events import vertex
from tests.support.samples import refused
from tests.support.writable_registry import WritableRegistry, digest_of


class Breaking(Builder):
    """A builder whose first deliveries fail: with `failing` as a step, else as `said` by buildx."""

    def __init__(self, *args: Any, said: str = "", step: str = "", times: int = 1) -> None:
        super().__init__(*args)
        self.said, self.step, self.times = said, step, times

    def bake(self, definition: Any, *, watch: Any = None) -> Any:
        ((name, target), *others) = definition["target"].items()
        if others or target["output"] == ["type=cacheonly"] or not self.times:
            return super().bake(definition, watch=watch)
        self.times -= 1
        state = State((name,))
        if self.step:
            state.feed(vertex(f"[{name} miniforge 2/3] RUN x", completed=ENDED, error=self.step))
        else:
            state.feed(vertex("exporting to image", completed=ENDED, error=self.said))
        return state, False


@pytest.mark.parametrize("way", [BY_DIGEST, LAYOUT])
@pytest.mark.parametrize(
    "said", ["failed to push x: unexpected EOF", "failed to push x: 502 Bad Gateway", "no such job"]
)
def test_a_delivery_that_breaks_off_is_tried_again(
    said: str, way: str, plan: BuildPlan, shelf: WritableRegistry, path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(deliver, "PAUSE", 0)
    engine = Breaking(shelf, plan, way, said=said, times=deliver.TRIES - 1)
    onlooker = Onlooker()
    outcome = push(plan, engine, path, onlooker)
    assert len(outcome.built) == 4
    told = [(len(names), status, why) for names, status, why in onlooker.retried]
    where = "the build stopped" if "push" in said else "the stage sources failed"
    why = f"of {deliver.TRIES}: {where}: {said}"
    assert told == [(1, Status.PUBLISHING, f"try {number} {why}") for number in (2, 3)]
    assert path.exists()


def test_a_push_that_is_refused_is_not_tried_again(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    engine = Breaking(shelf, plan, said="failed to push x: 401 Unauthorized", times=9)
    (found,) = refused(lambda: push(plan, engine, path), code=3)
    assert "401 Unauthorized" in found.message
    assert engine.times == 8


EXIT = 'process "/bin/sh -c x" did not complete successfully: exit code: 1'


def test_a_step_that_left_the_cache_is_done_again_as_the_build_did_it(
    plan: BuildPlan, shelf: WritableRegistry, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the user's proxies, which the delivery must not know."""
    monkeypatch.setattr(deliver, "PAUSE", 0)
    engine, onlooker = Breaking(shelf, plan, step=EXIT), Onlooker()
    outcome = push(plan, engine, path, onlooker)
    assert len(outcome.built) == 4
    ((_, _, why),) = onlooker.retried
    assert why == "try 2 of 3: the stage miniforge failed: exit code 1"
    kinds = [done.rpartition(" ")[2] for done in engine.order]
    assert (kinds.count("type=cacheonly"), kinds.count("type=image")) == (4 + 1, 4)


def test_a_delivery_that_fails_stops_one_variant_or_all_as_asked(
    plan: BuildPlan, shelf: WritableRegistry, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "PAUSE", 0)
    for keep_going in (True, False):
        shelf.tags.clear()
        engine = Breaking(shelf, plan, step=EXIT, times=deliver.TRIES)

        def build(keep_going: bool = keep_going, engine: Builder = engine) -> None:
            outcome = push(plan, engine, path, keep_going=keep_going)
            assert len(outcome.built) == 3
            outcome.raise_failures()

        (found,) = refused(build)
        assert "the stage miniforge failed: exit code 1" in found.message
        assert not path.exists()
        kept = [tag for tags in shelf.tags.values() for tag in tags if tag.startswith("fp-")]
        assert keep_going == (len(kept) == 3)


@pytest.mark.parametrize("fault", [ZeroDivisionError(), fail("it is gone", code=3)])
def test_what_a_delivery_ends_with_ends_a_silent_build(
    fault: Exception, plan: BuildPlan, shelf: WritableRegistry, path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def faulty(*_: object) -> None:
        raise fault

    class Silent(Builder):
        """Says no more after its first target, until it is told to end."""

        told = threading.Event()

        def bake(self, definition: Any, *, watch: Any = None) -> Any:
            done = super().bake(definition, watch=watch)
            if len(definition["target"]) > 1:
                assert self.told.wait(60)
                return done[0], False
            return done

        def stop(self) -> None:
            super().stop()
            self.told.set()

    monkeypatch.setattr(deliver, "settle", faulty)
    engine = Silent(shelf, plan)
    with pytest.raises(type(fault)) as raised:
        push(plan, engine, path)
    assert str(raised.value) == str(fault)
    assert not path.exists()
    assert not shelf.written()


def test_an_interrupted_run_ends_the_engine_and_leaves_no_folder(
    plan: BuildPlan, shelf: WritableRegistry, path: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    room = tmp_path / "tmp"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    stopped = threading.Event()

    class Interrupted(Builder):
        """Is interrupted while a delivery is at work, which ends when it is told to."""

        exporting = threading.Event()

        def bake(self, definition: Any, *, watch: Any = None) -> Any:
            if len(definition["target"]) == 1:
                self.exporting.set()
                assert stopped.wait(60)
                return State(tuple(definition["target"])), False
            super().bake(definition, watch=watch)
            assert self.exporting.wait(60)
            raise KeyboardInterrupt

        def stop(self) -> None:
            super().stop()
            stopped.set()

    monkeypatch.setattr(deliver, "PAUSE", 600)  # nobody waits to try it again
    engine = Interrupted(shelf, plan, LAYOUT)
    with pytest.raises(KeyboardInterrupt):
        push(plan, engine, path)
    assert stopped.is_set()
    assert list(room.iterdir()) == []
    assert not shelf.written()
    assert not path.exists()


def test_a_variant_is_delivered_while_others_are_built(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    delivered = threading.Event()

    class Slow(Builder):
        """Ends its first call only when something was delivered."""

        def bake(self, definition: Any, *, watch: Any = None) -> Any:
            if len(definition["target"]) == 1:
                delivered.set()
                return super().bake(definition, watch=watch)
            done = super().bake(definition, watch=watch)
            assert delivered.wait(60)
            return done

    outcome = push(plan, Slow(shelf, plan), path)
    assert len(outcome.built) == 4


def test_another_run_that_was_quicker_keeps_its_tag(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    (variant,) = (v for v in plan.variants if v.name == GPU)
    repository, tag = place(plan, GPU)
    good = layer(json.dumps(inventory(variant.variant) | {"fuse": "3"}).encode())
    theirs = image(variant.platforms, good)

    class Late(Builder):
        def bake(self, definition: Any, *, watch: Any = None) -> Any:
            theirs.put(shelf, repository, tag)
            return super().bake(definition, watch=watch)

    outcome = push(plan, Late(shelf, plan), path)
    assert shelf.tags[repository][tag] == theirs.top
    assert {i.digest for i in outcome.images if i.name == GPU} == {theirs.top}


@pytest.mark.parametrize(
    "odd", [{"config": 3}, {"manifests": [{"digest": "../x"}]}, {"layers": []}, [1]]
)
def test_an_export_of_odd_shape_is_a_sentence(
    odd: object, plan: BuildPlan, shelf: WritableRegistry, tmp_path: Path
) -> None:
    variant, raw = plan.variants[0], json.dumps(odd).encode()
    digest = digest_of(raw)
    layout = Layout(tmp_path / "image")
    blobs = layout.folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (blobs / digest.removeprefix("sha256:")).write_bytes(raw)
    about = {"io.containerd.image.name": variant.kept}
    top = {"digest": digest, "size": len(raw), "mediaType": "x", "annotations": about}
    (layout.folder / "index.json").write_text(json.dumps({"manifests": [top]}), "utf-8")
    (found,) = refused(lambda: push_layout.send(Registry(Site()), layout, variant))
    assert f"the builder exported an odd {digest}: " in found.message
    assert shelf.asked == []
