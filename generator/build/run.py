"""`bakestone build`: what needs building, in which calls, and what becomes of failures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from generator.build import failures, release
from generator.build import progress as ui
from generator.build.engine import Engine
from generator.build.failures import FailedVariant
from generator.build.order import chunks, order
from generator.build.progress import Progress
from generator.errors import ENVIRONMENT, INPUT, BakestoneError, fail
from generator.project import Project
from generator.registry import Registry
from generator.render import bakefile
from generator.screen import console, put, table
from generator.variant import Variant

TRIES = 3
"""How often a chunk is tried when engine or network failed: a gigabyte of wheels breaks off now and then."""
PAUSE = 5
"""Seconds between two tries."""


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    push: bool
    tags: bool
    load: bool
    keep_going: bool
    chunk: int
    release: Path


@dataclass
class Outcome:
    """What became of each variant."""

    built: list[Variant] = field(default_factory=list)
    present: list[Variant] = field(default_factory=list)
    failed: dict[str, FailedVariant] = field(default_factory=dict)


def build(project: Project, selectors: Sequence[str], options: Options) -> None:
    """Build, verify and, with `push`, publish the selected variants.

    Raises `BakestoneError` with one finding for every variant that failed;
    the floating tags are then left as they were.
    """
    variants = selected(project, selectors)
    project.require_generated()
    outcome, registry = Outcome(), Registry(project.site)
    if options.push:
        tags = {v.name: f"{bakefile.repository(project.registry, v)}:{release.fingerprint_tag(project.fingerprint(v))}" for v in variants}
        there = registry.heads(tags.values())
        outcome.present = [v for v in variants if there[tags[v.name]]]
    todo = [v for v in variants if v not in outcome.present]
    if todo:
        _build_all(project, variants, todo, options, outcome)
    if options.push and not outcome.failed:
        _publish(project, variants, registry, options, outcome)
    elif outcome.failed:
        done = len(outcome.built)
        click.echo(
            f"{done} built, {len(outcome.present)} already there, {len(outcome.failed)} failed"
            + ("; no floating tag was moved" if options.push else "")
        )
        environment = all(f.environment for f in outcome.failed.values())
        raise BakestoneError([f.finding for f in outcome.failed.values()], ENVIRONMENT if environment else INPUT)
    else:
        what = "loaded into the engine" if options.load else "verified; nothing was published (use --push or --load)"
        click.echo(f"{len(outcome.built)} variants built and {what}")


def selected(project: Project, selectors: Sequence[str]) -> list[Variant]:
    """The locked variants that selectors name, all of them without any. Raises `BakestoneError` for one that is not in the lock."""
    variants = project.select(selectors)
    locked = {v.name for v in project.locked_variants}
    if not selectors:
        return [v for v in variants if v.name in locked]
    unlocked = [v.name for v in variants if v.name not in locked]
    if unlocked:
        raise fail(
            f"{', '.join(unlocked[:5])} is not in the lock, which was made for {' '.join(project.lock.selection)}",
            "lock for these variants as well: `bakestone lock`",
            name=str(project.lock_path),
        )
    return variants


def _build_all(project: Project, variants: list[Variant], todo: list[Variant], options: Options, outcome: Outcome) -> None:
    engine = Engine(project.site)
    push_attributes = engine.push_attributes() if options.push else ""
    with Progress(variants) as progress:
        for variant in outcome.present:
            progress.set(variant.name, ui.PRESENT)
        for chunk in chunks(order(todo, project.dockerfiles), options.chunk):
            remaining, tries = chunk, 1
            while remaining:
                state, good = engine.bake(_definition(project, remaining, options, push_attributes), watch=progress.watch)
                if good:
                    for variant in remaining:
                        outcome.built.append(variant)
                        progress.set(variant.name, ui.DONE)
                    break
                failed = failures.explain(project, state, remaining)
                ours = {name: f for name, f in failed.items() if not f.environment}
                if not ours and tries < TRIES:
                    tries += 1  # what is done is in the cache
                    for name in failed:
                        progress.set(name, "building", "again: engine or network failed")
                    time.sleep(PAUSE)
                    continue
                if not failed:
                    raise failures.stopped(state)
                for name, failed_variant in (ours or failed).items():
                    outcome.failed[name] = failed_variant
                    progress.set(name, ui.FAILED, failed_variant.finding.message.splitlines()[0])
                if not options.keep_going:
                    return
                # bake stops at the first failure and cancels the others (buildx#1089): those are run again
                remaining = [v for v in remaining if v.name not in outcome.failed]


def _definition(project: Project, variants: list[Variant], options: Options, push_attributes: str = "") -> dict[str, Any]:
    targets = {}
    for variant in variants:
        context = str(project.path_of(variant).parent.resolve())
        where = bakefile.repository(project.registry, variant)
        image = ",".join(f"{k}={v}" for k, v in bakefile.OUTPUT.items())
        if options.push:
            output = f"type=image,name={where}:{release.fingerprint_tag(project.fingerprint(variant))},push=true,{image}{push_attributes}"
            if project.site.plain_http(where.partition("/")[0]):
                output += ",registry.insecure=true"
        elif options.load:
            output = f"type=docker,name={where}:{variant.name}"
        else:
            output = "type=cacheonly"
        targets[variant.target] = {**bakefile.target(variant, project.lock, context=context), "output": [output]}
    return {"target": targets}


def _publish(project: Project, variants: list[Variant], registry: Registry, options: Options, outcome: Outcome) -> None:
    """Every selected variant is there: read the digests back, move the floating tags, write the release."""
    images = release.read_all(project, variants, registry)
    moved = release.move_tags(images, registry) if options.tags else []
    wrote = release.write(images, project, options.release) if options.tags else False
    built = table()
    for title in ("image", "digest", "MB", "measured"):
        built.add_column(title, overflow="fold", justify="right" if title == "MB" else "left")
    for image in images:
        built.add_row(f"{image.repository}:{image.variant.name}", image.digest[:19], f"{image.size / 1e6:.0f}", release.measured(image))
    put(built, console())
    if not outcome.built and not moved and not wrote:
        click.echo(f"nothing to do: all {len(variants)} images are in {project.registry} under their fingerprints")
        return
    done = f"{len(outcome.built)} built, {len(outcome.present)} already there"
    click.echo(f"{done}, {len(moved)} floating tags moved; {options.release}" if options.tags else f"{done}; no floating tag was asked for")
