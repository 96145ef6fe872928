"""From the builder's cache to the registry: the image by its digest, what belongs to it, and at the
very end the one tag that it is kept under.
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bakestone.clients.engine import capabilities
from bakestone.clients.engine.buildx import Engine, Target
from bakestone.clients.engine.capabilities import BY_DIGEST, BY_TAG, LAYOUT
from bakestone.clients.http.session import HttpError
from bakestone.clients.registry.client import ImmutableTagError, Registry
from bakestone.clients.registry.layout import Layout
from bakestone.clients.registry.manifest import is_digest
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.core.render.release import ReleasedImage
from bakestone.errors import ENVIRONMENT, BakestoneError, fail
from bakestone.jobs.publish import failures, published, push_layout
from bakestone.jobs.publish.attest.publish import Publication, complete
from bakestone.jobs.publish.failures import StoppedError, VariantError
from bakestone.jobs.publish.found import Found

TRIES = 3
"""How often a delivery is tried when engine or network failed."""
PAUSE = 5
"""Seconds between two tries."""
PATIENCE = 10
"""Seconds that a delivery gets to end when the run is given up: longer than between two tries."""


@dataclass(frozen=True)
class Delivery:
    """Brings variants that are in the builder's cache to the registry, in one of the ways of
    capabilities.py. `folder` is where exports have room.
    """

    plan: BuildPlan
    engine: Engine
    registry: Registry
    way: str
    folder: Path
    publication: Publication = field(default_factory=Publication)

    def deliver(self, variant: PlannedVariant, again: Callable[[str], None]) -> ReleasedImage:
        """Bring a variant to the registry, whole, and put its fingerprint tag. `again` is told why
        another try is made.

        Raises `VariantError` for an image that is not what its name says; no tag is put then.
        """
        tries = 1
        while True:
            try:
                return self._deliver(variant)
            except (VariantError, BakestoneError) as problem:
                if tries == TRIES or self.engine.stopped or not _heals(problem):
                    raise
                tries += 1
                again(f"try {tries} of {TRIES}: {_why(problem)}")
                time.sleep(PAUSE)
                if isinstance(problem, VariantError):
                    self._make_again(variant)

    def _make_again(self, variant: PlannedVariant) -> None:
        """Have a step that is no longer in the builder's cache done as the build did it: with the
        proxies of Docker's own configuration, which a delivery must not know (buildx.py).
        """
        target = self.plan.target(variant, "type=cacheonly", attest=False)
        self.engine.bake({"target": {variant.target: target}})

    def _deliver(self, variant: PlannedVariant) -> ReleasedImage:
        reference = self._bring(variant)
        found = published.read(variant, reference, self.registry)
        if found is None:
            raise published.unpublished(reference)
        if self.way == BY_TAG:
            return published.released(variant, found, found.top.digest)
        return settle(self.plan, variant, found, self.registry, self.publication)

    def _bring(self, variant: PlannedVariant) -> str:
        """Have a variant pushed by its digest; gives the reference."""
        if self.way == LAYOUT:
            return self._export(variant)
        plain_http = self.registry.site.plain_http(variant.repository.partition("/")[0])
        name = variant.repository if self.way == BY_DIGEST else variant.kept
        output = capabilities.pushed(
            name, self.plan.compression, by_digest=self.way == BY_DIGEST, plain_http=plain_http
        )
        digest = self._bake(variant, self._target(variant, output))
        if self.way == BY_TAG:
            return variant.kept
        if not is_digest(digest):
            hint = "use a newer buildx, or `push: export` in the site file"
            said = "buildx does not tell the digest of what it pushed"
            raise fail(said, hint, name=variant.name, code=ENVIRONMENT)
        return f"{variant.repository}@{digest}"

    def _export(self, variant: PlannedVariant) -> str:
        layout = Layout(self.folder / "image")
        try:
            self._bake(variant, push_layout.target(self.plan, variant, layout.folder))
            return f"{variant.repository}@{push_layout.send(self.registry, layout, variant)}"
        finally:
            shutil.rmtree(layout.folder, ignore_errors=True)

    def _target(self, variant: PlannedVariant, output: str) -> Target:
        return self.plan.target(variant, output, attest=self.plan.attest)

    def _bake(self, variant: PlannedVariant, target: Target) -> str:
        """Have one variant exported or pushed; gives the digest that buildx tells of it."""
        state, good = self.engine.bake({"target": {variant.target: target}})
        if good:
            return state.digests.get(variant.target, "")
        for failed in failures.explain(state, [variant], self.engine.site).values():
            raise VariantError(replace(failed, heals=True))  # its steps went well before
        raise failures.stopped(state)


def _heals(problem: VariantError | BakestoneError) -> bool:
    """Whether another try may go well: engine or network are to blame."""
    if isinstance(problem, VariantError):
        return problem.failed.heals
    if isinstance(problem, StoppedError):
        return problem.heals
    return isinstance(problem.__cause__, HttpError) and problem.__cause__.heals


def _why(problem: VariantError | BakestoneError) -> str:
    """What made another try necessary, in one line."""
    if isinstance(problem, VariantError):
        return problem.failed.why
    return failures.one_line(problem.findings[0])


def settle(
    plan: BuildPlan,
    variant: PlannedVariant,
    found: Found,
    registry: Registry,
    publication: Publication,
) -> ReleasedImage:
    """Make an image that is there by its digest whole, then put its fingerprint tag, once.

    Where another run was quicker, the tag stays where it is, and that image counts.
    """
    top = complete(plan, variant, found, registry, publication) if plan.attest else found.top
    there = registry.head(variant.kept)
    if there not in (None, top.digest, found.top.digest):
        return _first(variant, registry)
    if there != top.digest:
        try:
            registry.push_manifest(variant.kept, top.raw, top.media_type)
        except ImmutableTagError:
            return _first(variant, registry)
    return published.released(variant, found, top.digest)


def _first(variant: PlannedVariant, registry: Registry) -> ReleasedImage:
    """What another run put under a variant's fingerprint, read and compared as well."""
    found = published.read(variant, variant.kept, registry)
    if found is None:
        raise published.unpublished(variant.kept)
    return published.released(variant, found, found.top.digest)


class Courier:
    """One worker that is handed variants, and does something with one after the other while the
    builder goes on. When that raises, nothing more is begun, and `give_up` is called: the builder
    may be silent for long.
    """

    def __init__(
        self, deliver: Callable[[PlannedVariant], None], give_up: Callable[[], None]
    ) -> None:
        self._deliver = deliver
        self._give_up = give_up
        self._todo: queue.SimpleQueue[PlannedVariant | None] = queue.SimpleQueue()
        self._handed: dict[str, Future[None]] = {}
        # a daemon: an upload that nobody waits for any more must not hold the process
        self._worker = threading.Thread(target=self._work, name="deliver", daemon=True)
        self._worker.start()

    def _work(self) -> None:
        while variant := self._todo.get():
            future = self._handed[variant.name]
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(self._deliver(variant))
                except BaseException as problem:  # raised again by whoever looks
                    future.set_exception(problem)
                    self._give_up()
                    return

    def has(self, variant: PlannedVariant) -> bool:
        """Whether a variant was handed over."""
        return variant.name in self._handed

    def hand(self, variant: PlannedVariant) -> None:
        """Have a variant delivered, when those before it are."""
        self._handed[variant.name] = Future()
        self._todo.put(variant)

    def check(self) -> None:
        """Raise what a delivery ended with, if one has."""
        for future in self._handed.values():
            if future.done():
                future.result()

    def wait(self) -> None:
        """Wait until everything that was handed over is delivered."""
        for future in self._handed.values():
            future.result()

    def dismiss(self) -> None:
        """Begin nothing more, and wait a moment for what is being done."""
        for future in self._handed.values():
            future.cancel()
        self._todo.put(None)
        self._worker.join(PATIENCE)


@contextmanager
def courier(engine: Engine, deliver: Callable[[PlannedVariant], None]) -> Iterator[Courier]:
    """A courier; when the block is left early, what the engine does for it is ended as well."""
    worker = Courier(deliver, engine.stop)
    try:
        try:
            yield worker
            worker.wait()
        except BakestoneError:
            worker.check()  # why the builder was stopped comes first
            raise
    except BaseException:
        engine.stop()
        raise
    finally:
        worker.dismiss()
