"""`bakestone build`: what needs building, in which calls, and what becomes of failures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bakestone.clients.engine import policy
from bakestone.clients.engine.buildx import Definition, Engine
from bakestone.clients.engine.capabilities import LAYOUT, Abilities
from bakestone.clients.engine.events import State
from bakestone.clients.parallel import in_parallel
from bakestone.clients.registry import compressed
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.layout import temporary
from bakestone.core.render import release
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.core.render.release import ReleasedImage, RetiredTag
from bakestone.errors import ENVIRONMENT, INPUT, BakestoneError, Finding
from bakestone.jobs.publish import deliver, failures, moving, published, records
from bakestone.jobs.publish.attest import index
from bakestone.jobs.publish.attest.publish import Publication
from bakestone.jobs.publish.deliver import Courier, Delivery
from bakestone.jobs.publish.failures import FailedVariant, StoppedError, VariantError
from bakestone.jobs.publish.moving import Tags
from bakestone.jobs.publish.order import chunks, order
from bakestone.jobs.publish.watching import Board, Status, Watcher, patient

TRIES = 3
"""How often a chunk is tried when engine or network failed: a gigabyte of wheels breaks off now and
then.
"""
PAUSE = 5
"""Seconds between two tries."""
_ENGINES = (
    "Docker with the containerd image store can, or a builder of its own: docs/reproducible.md"
)


@dataclass(frozen=True)
class BuildOptions:
    """What the command line asked for."""

    release: Path
    push: bool = False
    tags: bool = True
    load: bool = False
    keep_going: bool = True
    chunk: int = 100
    only_locked: bool = False
    publication: Publication = field(default_factory=Publication)


@dataclass(frozen=True)
class Outcome:
    """What became of each variant, by name, and of the release.

    `images` are those of the release, when it was published; `retired` the tags that
    images.yaml no longer has, and that are still there. `moved` are the variants whose
    floating tag moved, `aliased` the references of aliases that did, or were put.
    """

    plan: BuildPlan
    built: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    failed: tuple[FailedVariant, ...] = ()
    images: tuple[ReleasedImage, ...] = ()
    moved: tuple[str, ...] = ()
    wrote: bool = False
    retired: tuple[RetiredTag, ...] = ()
    aliased: tuple[str, ...] = ()

    def raise_failures(self) -> None:
        """Raise `BakestoneError` with one finding for every variant that failed."""
        if self.failed:
            environment = all(f.environment for f in self.failed)
            code = ENVIRONMENT if environment else INPUT
            raise BakestoneError([f.finding for f in self.failed], code)


def build(
    plan: BuildPlan, options: BuildOptions, engine: Engine, registry: Registry, watcher: Watcher
) -> Outcome:
    """Build, verify and, with `push`, publish the variants of a plan.

    When one fails, the floating tags stay as they were. Raises `BakestoneError` when engine or
    registry are not there, or let no variant pass.
    """
    if options.only_locked or engine.site.only_locked:
        engine.only(policy.locked_sources(plan.lock))
    run = _Run(plan, options, engine, registry, watcher)
    if options.push:
        if plan.compression.kind == "zstd":
            compressed.need_zstd()  # what is pushed is read back
        run.look()
        run.check_clock()
        if run.goes_on():
            run.limit(engine.abilities())
    if run.goes_on():
        try:
            run.build()
        except BakestoneError as problem:  # what failed before it is told as well
            found = [*(failed.finding for failed in run.failed.values()), *problem.findings]
            raise BakestoneError(dict.fromkeys(found), problem.code) from problem
    return run.outcome()


@dataclass
class _Run:
    """One run; what became of the variants is in `images`, `built` and `failed`."""

    plan: BuildPlan
    options: BuildOptions
    engine: Engine
    registry: Registry
    watcher: Watcher
    known: dict[tuple[str, str], ReleasedImage] = field(default_factory=dict)
    way: str = ""
    images: dict[str, ReleasedImage] = field(default_factory=dict)
    floating: dict[str, str | None] = field(default_factory=dict)
    built: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    failed: dict[str, FailedVariant] = field(default_factory=dict)

    def todo(self) -> list[PlannedVariant]:
        """The variants that are neither there nor failed."""
        done = {*self.present, *self.built, *self.failed}
        return [v for v in self.plan.variants if v.name not in done]

    def goes_on(self) -> bool:
        """Whether there is something to do, and no failure forbids it."""
        return bool(self.todo()) and (self.options.keep_going or not self.failed)

    def look(self) -> None:
        """Find what the registry has under the fingerprints; it is believed when it agrees."""
        path, registry = self.options.release, self.plan.registry
        record = records.read(path, registry) if self.options.tags else release.read(path)
        before = record.images if record else ()
        # which tags it has now is said when they have moved
        self.known = {(i.family, i.name): replace(i, aliases=(), dated=()) for i in before}
        asking = f"asking {registry} what it has of {len(self.plan.variants)} images"
        with patient(self.watcher.say, asking):
            for variant, image in in_parallel(self._find, self.plan.variants):
                if isinstance(image, BakestoneError):
                    raise image
                if isinstance(image, FailedVariant):
                    self.failed[variant.name] = image
                elif image is not None:
                    self.images[variant.name] = image
        self.present = [v.name for v in self.plan.variants if v.name in self.images]

    def check_clock(self) -> None:
        """Date what is published by the registry's clock, where this machine's is ahead of it."""
        ahead = timedelta(seconds=round(self.registry.session.ahead()))
        if not ahead:
            return
        text = f"this machine's clock is {ahead} ahead of the registry's"
        hint = "set it; what is published now is dated by the registry's clock"
        self.watcher.warn(Finding(text, hint, severity="warning"))
        said = self.options.publication
        if said.time:
            time = (datetime.fromisoformat(said.time) - ahead).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.options = replace(self.options, publication=replace(said, time=time))

    def _find(self, variant: PlannedVariant) -> ReleasedImage | FailedVariant | None:
        """A variant's image in the registry.

        One that release.json knows is asked for once: where its floating tag is on the digest that
        was compared and recorded, there is nothing to read.
        """
        known = self.known.get((variant.family, variant.name))
        known = known if known and published.is_known(variant, known) else None
        if known and self.options.tags:
            self.floating[variant.name] = self.registry.head(variant.floating)
            if self.floating[variant.name] == known.digest:
                return known
        if known and self.registry.head(variant.kept) == known.digest:
            return known
        try:
            found = published.read(variant, variant.kept, self.registry)
            if found is None:
                return None
            if self.plan.attest and not index.is_done(found.top.data):
                # a run of an earlier version was stopped before its index was whole
                return deliver.settle(
                    self.plan, variant, found, self.registry, self.options.publication
                )
        except VariantError as problem:
            return problem.failed
        return published.released(variant, found, found.top.digest)

    def limit(self, abilities: Abilities) -> None:
        """Leave out what the builder cannot write, and look again then."""
        self.way = abilities.delivery
        own = any(v.variant.family.content.annotations for v in self.plan.variants)
        if own and not abilities.whole:
            self.watcher.warn(_unannotated(abilities))
        if self.plan.attest and not abilities.whole:
            self.watcher.warn(_plain(abilities))
            self.plan = self.plan.unattested()
            for before in (self.images, self.floating, self.failed):
                before.clear()
            self.look()

    def build(self) -> None:
        """Build what is to do, and deliver each variant as soon as it was measured."""
        with self.watcher.building(self.plan.variants) as board, self._room() as folder:
            for name in self.present:
                board.set(name, Status.PRESENT)
            for name, failed in self.failed.items():
                self._fail(name, failed, board)
            delivery = Delivery(
                self.plan, self.engine, self.registry, self.way, folder, self.options.publication
            )

            def hand_over(variant: PlannedVariant) -> None:
                self._deliver(delivery, variant, board)

            with deliver.courier(self.engine, hand_over) as courier:
                for chunk in chunks(order(self.todo()), self.options.chunk):
                    if not self._bake(chunk, board, courier):
                        break

    @contextmanager
    def _room(self) -> Iterator[Path]:
        """Where exports go. Made here, where a signal is heard, and not by the worker."""
        if self.way != LAYOUT:
            yield Path()
            return
        with temporary("export") as folder:
            yield folder

    def _bake(self, chunk: list[PlannedVariant], board: Board, courier: Courier) -> bool:
        """Build a chunk; gives whether the others are to be built as well."""
        remaining, tries = chunk, 1
        while remaining:
            state, good = self._call(remaining, board, courier)
            if good:
                for variant in remaining:
                    if not self.options.push:
                        self.built.append(variant.name)
                        board.set(variant.name, Status.DONE)
                    elif not courier.has(variant):
                        self._hand(variant, board, courier)
                return True
            remaining = [v for v in remaining if not courier.has(v)]
            if not remaining:
                break
            failed: dict[str, FailedVariant] = {}
            stopped = None
            try:
                failed = failures.explain(state, remaining, self.engine.site)
            except StoppedError as problem:
                if tries == TRIES or not problem.heals:
                    raise
                stopped = problem
            ours = {name: f for name, f in failed.items() if not f.environment}
            if not ours and tries < TRIES and all(f.heals for f in failed.values()):
                tries += 1  # what is done is in the cache
                whys = {name: one.why for name, one in failed.items()}
                if not failed:
                    (reason,) = (stopped or failures.stopped(state)).findings
                    whys = {v.name: failures.one_line(reason) for v in remaining}
                _tell(board, whys, f"try {tries} of {TRIES}")
                time.sleep(PAUSE)
                continue
            if not failed:
                raise failures.stopped(state)
            others = {name: one.why for name, one in failed.items() if ours and name not in ours}
            _tell(board, others, "with the others")
            for name, one in (ours or failed).items():
                self._fail(name, one, board)
            if not self.options.keep_going:
                return False
            # bake stops at the first failure and cancels the others (buildx#1089): those are
            # run again
            remaining = [v for v in remaining if v.name not in self.failed]
        return True

    def _call(
        self, variants: Sequence[PlannedVariant], board: Board, courier: Courier
    ) -> tuple[State, bool]:
        def watch(state: State) -> None:
            board.watch(state)
            courier.check()
            for variant in variants if self.options.push else ():
                # its last stage copies the inventory
                done = state.ended(variant.target, len(variant.platforms))
                if done and not courier.has(variant):
                    self._hand(variant, board, courier)

        told = self.engine.bake(self._definition(variants), watch=watch)
        courier.check()
        return told

    def _definition(self, variants: Sequence[PlannedVariant]) -> Definition:
        """A chunk: what is to be pushed is only built here, and delivered later."""
        targets = {}
        for variant in variants:
            loaded = f"type=docker,name={variant.floating}"
            output = loaded if self.options.load else "type=cacheonly"
            targets[variant.target] = self.plan.target(variant, output, attest=False)
        return {"target": targets}

    @staticmethod
    def _hand(variant: PlannedVariant, board: Board, courier: Courier) -> None:
        board.set(variant.name, Status.PUBLISHING, "waiting for those before it")
        courier.hand(variant)

    def _deliver(self, delivery: Delivery, variant: PlannedVariant, board: Board) -> None:
        """What the courier does with a variant. Raises what must end the run."""
        board.set(variant.name, Status.PUBLISHING)

        def again(why: str) -> None:
            board.again([variant.name], Status.PUBLISHING, why)

        try:
            self.images[variant.name] = delivery.deliver(variant, again)
        except VariantError as problem:
            self._fail(variant.name, problem.failed, board)
            if not self.options.keep_going:
                code = ENVIRONMENT if problem.failed.environment else INPUT
                raise BakestoneError([problem.failed.finding], code) from problem
            return
        self.built.append(variant.name)
        board.set(variant.name, Status.DONE)

    def _fail(self, name: str, failed: FailedVariant, board: Board) -> None:
        self.failed[name] = failed
        board.set(name, Status.FAILED, failed.finding.message.splitlines()[0])

    def outcome(self) -> Outcome:
        """What became of it all; a whole selection becomes the release."""
        for warning in self.registry.warnings.values():
            self.watcher.warn(warning)
        images = [self.images[v.name] for v in self.plan.variants if v.name in self.images]
        whole = self.options.push and len(images) == len(self.plan.variants)
        path = self.options.release
        tags = Tags(tuple(images) if whole else (), (), (), None)
        change = records.RecordChange(wrote=False, retired=())
        if whole and self.options.tags:
            tags = self._move()
            with patient(self.watcher.say, f"waiting for another run, which holds {path}"):
                change = records.write(path, self.plan, tags.images)
        return Outcome(
            self.plan,
            tuple(self.built),
            tuple(self.present),
            tuple(self.failed.values()),
            tags.images,
            tags.moved,
            change.wrote,
            change.retired,
            tags.aliased,
        )

    def _move(self) -> Tags:
        """Point every tag of the whole selection at its image."""
        released = [(v, self.images[v.name]) for v in self.plan.variants]
        said = self.options.publication.time
        begun = datetime.fromisoformat(said) if said else datetime.now(UTC)
        count = sum(1 + len(variant.variant.aliases) for variant, _ in released)
        what = f"the floating tags of {len(released)} images"
        if count > len(released):
            what = f"{count} tags of {len(released)} images"
        with patient(self.watcher.say, f"moving {what}"):
            tags = moving.move(released, f"{begun:%Y%m%d}", self.floating, self.registry)
        if tags.warning:
            self.watcher.warn(tags.warning)
        return tags


def _tell(board: Board, whys: Mapping[str, str], when: str) -> None:
    """Say why variants are built again: those with one reason in one line."""
    for why in dict.fromkeys(whys.values()):
        names = [name for name, other in whys.items() if other == why]
        board.again(names, Status.BUILDING, f"{when}: {why}")


def _unannotated(abilities: Abilities) -> Finding:
    text = f"{abilities.name} writes no annotations: the images are without those of images.yaml"
    return Finding(text, _ENGINES, severity="warning")


def _plain(abilities: Abilities) -> Finding:
    text = f"{abilities.name} writes no attestations: there is no provenance and no SBOM"
    return Finding(text, _ENGINES, severity="warning")
