"""`bakestone build`: what needs building, in which calls, and what becomes of failures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from bakestone.cli.terminal import console, put, table
from bakestone.cli.views import progress as ui
from bakestone.cli.views.progress import Progress
from bakestone.clients.engine import policy
from bakestone.clients.engine.buildx import Engine
from bakestone.clients.engine.capabilities import Abilities
from bakestone.clients.registry.client import Registry
from bakestone.core.matrix.variant import Variant
from bakestone.core.render import bakefile
from bakestone.errors import ENVIRONMENT, INPUT, BakestoneError, Finding, render
from bakestone.jobs.publish import failures, release
from bakestone.jobs.publish import push_layout as export
from bakestone.jobs.publish.attest import publish as attest
from bakestone.jobs.publish.failures import FailedVariant
from bakestone.jobs.publish.order import chunks, order
from bakestone.project import Project

TRIES = 3
"""How often a chunk is tried when engine or network failed: a gigabyte of wheels breaks off now and
then.
"""
PAUSE = 5
"""Seconds between two tries."""


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    push: bool
    form: bakefile.Form
    tags: bool
    load: bool
    keep_going: bool
    chunk: int
    release: Path
    only_locked: bool = False


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
    variants = project.chosen(selectors)
    project.require_generated()
    outcome, registry, engine = Outcome(), Registry(project.site), Engine(project.site)
    project.form = options.form
    if options.only_locked or project.site.only_locked:
        engine.sources = policy.locked_sources(project.lock)
    outcome.present = _present(project, variants, registry) if options.push else []
    abilities = None
    if options.push and len(outcome.present) < len(variants):
        abilities = engine.abilities()
        possible = bakefile.Form(
            options.form.rewrite and abilities.form.rewrite,
            options.form.attest and abilities.form.attest,
        )
        if possible != options.form:
            _warn_of_plain(abilities)
            project.form = possible
            outcome.present = _present(project, variants, registry)
    todo = [v for v in variants if v not in outcome.present]
    if todo:
        _build_all(project, variants, todo, options, outcome, engine, abilities, registry)
    if options.push and not outcome.failed:
        _publish(project, variants, registry, options, outcome)
    elif outcome.failed:
        done = len(outcome.built)
        click.echo(
            f"{done} built, {len(outcome.present)} already there, {len(outcome.failed)} failed"
            + ("; no floating tag was moved" if options.push else "")
        )
        environment = all(f.environment for f in outcome.failed.values())
        raise BakestoneError(
            [f.finding for f in outcome.failed.values()], ENVIRONMENT if environment else INPUT
        )
    else:
        what = (
            "loaded into the engine"
            if options.load
            else "verified; nothing was published (use --push or --load)"
        )
        click.echo(f"{len(outcome.built)} variants built and {what}")


def _present(project: Project, variants: list[Variant], registry: Registry) -> list[Variant]:
    """The variants that the registry has under their fingerprints."""
    tags = {v.name: release.fingerprint_reference(project, v) for v in variants}
    there = registry.heads(tags.values())
    return [v for v in variants if there[tags[v.name]]]


def _warn_of_plain(abilities: Abilities) -> None:
    text = (
        f"{abilities.name} cannot rewrite times: two builds give two digests, and there is no"
        " provenance and no SBOM"
    )
    hint = (
        "Docker with the containerd image store can, or a builder of its own: docs/reproducible.md"
    )
    click.echo(render([Finding(text, hint, severity="warning")]), err=True)


def _build_all(
    project: Project,
    variants: list[Variant],
    todo: list[Variant],
    options: Options,
    outcome: Outcome,
    engine: Engine,
    abilities: Abilities | None,
    registry: Registry,
) -> None:
    with Progress(variants) as progress:
        for variant in outcome.present:
            progress.set(variant.name, ui.PRESENT)
        for chunk in chunks(order(todo, project.dockerfiles), options.chunk):
            remaining, tries = chunk, 1
            while remaining:
                state, good = engine.bake(
                    _definition(project, remaining, options, abilities), watch=progress.watch
                )
                if good:
                    for variant in remaining:
                        if abilities and abilities.export:
                            export.publish(project, variant, engine, registry, progress.watch)
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
                # bake stops at the first failure and cancels the others (buildx#1089): those are
                # run again
                remaining = [v for v in remaining if v.name not in outcome.failed]


def _definition(
    project: Project, variants: list[Variant], options: Options, abilities: Abilities | None = None
) -> dict[str, Any]:
    """The bake definition; `abilities` are those of the builder that pushes.

    What is exported afterwards (export.py) is only built.
    """
    targets = {}
    for variant in variants:
        target = bakefile.target(
            variant, project.lock, context=str(project.path_of(variant).parent.resolve())
        )
        where = bakefile.repository(project.registry, variant)
        if options.push and abilities and not abilities.export:
            plain_http = project.site.plain_http(where.partition("/")[0])
            output = abilities.push(
                release.fingerprint_reference(project, variant), project.form, plain_http=plain_http
            )
            target |= {"attest": bakefile.PROVENANCE} if project.form.attest else {}
        elif options.load:
            output = f"type=docker,name={where}:{variant.name}"
        else:
            output = "type=cacheonly"
        targets[variant.target] = target | {"output": [output]}
    return {"target": targets}


def _publish(
    project: Project,
    variants: list[Variant],
    registry: Registry,
    options: Options,
    outcome: Outcome,
) -> None:
    """Every selected variant is there: read the digests back, move the floating tags, write the
    release.
    """
    if project.form.attest:
        attest.complete(project, variants, registry)
    images = release.read_all(project, variants, registry)
    moved = release.move_tags(images, registry) if options.tags else []
    wrote = release.write(images, project, options.release) if options.tags else False
    built = table()
    for title in ("image", "digest", "MB", "measured"):
        built.add_column(title, overflow="fold", justify="right" if title == "MB" else "left")
    for image in images:
        built.add_row(
            f"{image.repository}:{image.variant.name}",
            image.digest[:19],
            f"{image.size / 1e6:.0f}",
            release.measured(image),
        )
    put(built, console())
    if not outcome.built and not moved and not wrote:
        click.echo(
            f"nothing to do: all {len(variants)} images are in {project.registry} under their"
            " fingerprints"
        )
        return
    done = f"{len(outcome.built)} built, {len(outcome.present)} already there"
    click.echo(
        f"{done}, {len(moved)} floating tags moved; {options.release}"
        if options.tags
        else f"{done}; no floating tag was asked for"
    )
