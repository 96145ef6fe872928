"""`bakestone reproduce`: build again without a cache, and compare with what the registry has or
with a second build.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bakestone.clients.engine import capabilities, policy
from bakestone.clients.engine.buildx import Engine
from bakestone.clients.engine.events import State
from bakestone.clients.registry import compressed
from bakestone.clients.registry.client import Reference, Registry
from bakestone.clients.registry.layout import Layout, temporary
from bakestone.clients.registry.manifest import Json
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.errors import ENVIRONMENT, USAGE, BakestoneError, fail
from bakestone.jobs.publish import failures
from bakestone.jobs.publish.order import order
from bakestone.jobs.publish.watching import Board, Status
from bakestone.jobs.reproduce.images import ImageDifference, Published, Store, compare

REGISTRY, REBUILD = "registry", "rebuild"
"""What a new build is compared with: what was published, or another new build."""
EQUAL, SAME_CONTENT, DIFFERENT = "equal", "same content", "DIFFERENT"
"""What is found: equal digests; equal files and configuration, but another compression; anything
else.
"""
TRIES = 3
"""How often a build is tried when engine or network failed."""
FORGOTTEN = 15
"""Seconds between two builds. For ten seconds BuildKit keeps the steps of a call that has ended: a
second call without a cache gets what they made, and runs nothing. A call that failed or was
cancelled is remembered as well, and ends the next one with "no such job" (buildx#3810).
"""
LATER = timedelta(seconds=FORGOTTEN / 2)
"""So much later a step begins that is run again. BuildKit gives two calls that share a step times
that differ by less than a millisecond (measured).
"""
Watching = Callable[[Sequence[PlannedVariant]], AbstractContextManager[Board | None]]
"""Gives a board for the variants of a build, or nothing where nobody looks on."""


@dataclass(frozen=True)
class Result:
    """One platform of one variant.

    `against` says what `before` is; `difference` is None when the digests are equal.
    """

    variant: str
    platform: str
    against: str
    before: str
    after: str
    difference: ImageDifference | None

    @property
    def verdict(self) -> str:
        """One of the three words."""
        if self.difference is None:
            return EQUAL
        return SAME_CONTENT if self.difference.same_content else DIFFERENT

    def as_dict(self) -> Json:
        """For `--format json`."""
        facts: Json = {
            "variant": self.variant,
            "platform": self.platform,
            "result": self.verdict.lower(),
            "against": self.against,
            "before": self.before,
            "after": self.after,
        }
        return facts | (self.difference.as_dict() if self.difference else {})


@dataclass(frozen=True)
class _Known:
    """An image to compare with."""

    against: str
    platforms: dict[str, str]
    store: Store


def reproduce(
    plan: BuildPlan, against: str, engine: Engine, registry: Registry, watching: Watching
) -> list[Result]:
    """Build the variants of a plan again without a cache and compare platform by platform.

    `against` is empty (what the registry has, else a second build), `registry`, `rebuild`, or a
    reference HOST/REPOSITORY@DIGEST for a single variant. Nothing is pushed. Needs as much room
    below TMPDIR as the images have, twice where a second build is made.

    Raises `BakestoneError`: a build failed, the builder cannot export, something to compare with is
    not there.
    """
    variants = order(plan.variants)
    if engine.site.only_locked:
        engine.only(policy.locked_sources(plan.lock))
    if plan.compression.kind == "zstd":
        compressed.need_zstd()  # layers that differ are looked into
    abilities = engine.abilities()
    if not abilities.whole:
        hint = "use Docker's containerd image store or a builder of its own: docs/reproducible.md"
        raise fail(f"{abilities.name} cannot export images", hint, code=ENVIRONMENT)
    with temporary("reproduce") as folder:
        known = _published(variants, registry, against, folder)
        first = Layout(folder / "first")
        ran = _build(plan.of(variants), engine, first, watching, {})
        again = [v for v in variants if v.name not in known]
        if again:
            second = Layout(folder / "second")
            time.sleep(FORGOTTEN)
            _build(plan.of(again), engine, second, watching, ran)
            for variant in again:
                platforms = _platforms(second, variant)
                known[variant.name] = _Known("a second build", platforms, second)
        return [result for v in variants for result in _compare(v, known[v.name], first)]


def _published(
    variants: list[PlannedVariant], registry: Registry, against: str, folder: Path
) -> dict[str, _Known]:
    """Variant name -> the image to compare with; those that are not there are to be built twice."""
    if against == REBUILD:
        return {}
    kept = against in ("", REGISTRY)
    if not kept and len(variants) != 1:
        why = f"--against {against} is one image, and {len(variants)} variants are selected"
        raise fail(why, "name one variant", code=USAGE)
    known = {}
    for variant in variants:
        reference = variant.kept if kept else against
        top = registry.manifest(reference)
        if top is None and against:
            hint = "push it first, or use --against rebuild"
            raise fail(f"{reference} is not in the registry", hint, name=variant.name)
        if top:
            where = Reference.parse(reference).name
            platforms = top.platforms or {variant.platforms[0]: top.digest}
            store = Published(registry, where, folder)
            known[variant.name] = _Known(f"{where}@{top.digest}", platforms, store)
    return known


def _build(
    plan: BuildPlan,
    engine: Engine,
    layout: Layout,
    watching: Watching,
    before: Mapping[str, datetime],
) -> dict[str, datetime]:
    """Build everything without a cache, in one call: stages that variants share are built once.
    Then export it into one layout.

    `before` is when the steps of the build before this one began; gives those of this one. A step
    that began as that one did was not run again, and what it made proves nothing: it would have
    begun `FORGOTTEN` seconds later.
    """
    targets = {
        variant.target: plan.target(variant, "type=cacheonly", attest=False) | {"no-cache": True}
        for variant in plan.variants
    }
    for tries in range(1, TRIES + 1):
        with watching(plan.variants) as board:
            state, good = engine.bake({"target": targets}, watch=board.watch if board else None)
            ran = state.runs()
            seen = ran.keys() & before.keys()
            if good and all(ran[step] - before[step] > LATER for step in seen):
                for variant in plan.variants:
                    _export(plan, variant, engine, layout, board)
                return ran
        problem = _problem(plan, engine, state, good=good)
        if tries == TRIES or problem.code != ENVIRONMENT:
            raise problem
        time.sleep(FORGOTTEN)
    raise AssertionError("the last try returns or raises")


def _export(
    plan: BuildPlan, variant: PlannedVariant, engine: Engine, layout: Layout, board: Board | None
) -> None:
    """Write what was just built into the layout: of several results BuildKit takes the newest.

    One variant at a time. BuildKit asks each client every five seconds whether it is there, on the
    connection that brings the layers as well, and gives it up when two questions get no answer
    (session/grpc.go): four images of gigabytes at once are enough for that on a slow disk.
    """
    destination = capabilities.layout(_name(variant), layout.folder, plan.compression)
    target = plan.target(variant, destination, attest=False)
    for tries in range(1, TRIES + 1):
        layout.folder.mkdir(exist_ok=True)
        if board:
            board.set(variant.name, Status.BUILDING, "export")
        state, good = engine.bake({"target": {variant.target: target}})
        if good:
            return
        problem = _problem(plan.of([variant]), engine, state, good=False)
        if tries == TRIES or problem.code != ENVIRONMENT:
            raise problem
        time.sleep(FORGOTTEN)


def _problem(plan: BuildPlan, engine: Engine, state: State, *, good: bool) -> BakestoneError:
    """Why a build is of no use; one that went well ran nothing. Raises what `explain` raises."""
    if good:
        why = "the builder did not build again: it gave what it had built just before"
        return fail(why, "try again when nobody else builds there", code=ENVIRONMENT)
    failed = failures.explain(state, plan.variants, engine.site).values()
    ours = [f.finding for f in failed if not f.environment]
    if ours:
        return BakestoneError(ours)
    if failed:
        return BakestoneError([f.finding for f in failed], ENVIRONMENT)
    return failures.stopped(state)


def _compare(variant: PlannedVariant, known: _Known, layout: Layout) -> Iterator[Result]:
    built = _platforms(layout, variant)
    for platform in variant.platforms:
        before, after = known.platforms.get(platform), built.get(platform)
        if before is None or after is None:
            where = known.against if before is None else "the new build"
            why = f"{where} has no image for {platform}"
            raise fail(why, "push it again", name=variant.name)
        difference = None if before == after else compare(known.store, before, layout, after)
        yield Result(variant.name, platform, known.against, before, after, difference)


def _platforms(layout: Layout, variant: PlannedVariant) -> dict[str, str]:
    found = layout.platforms(_name(variant))
    return {variant.platforms[0]: found[""]} if "" in found else found


def _name(variant: PlannedVariant) -> str:
    return f"bakestone.invalid/{variant.family}:{variant.name}"
