"""What a person sees of `bakestone build` and `bakestone retire`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from bakestone.cli.terminal import put, put_line, say, table
from bakestone.cli.views.progress import Progress
from bakestone.core.documents.words import few
from bakestone.core.render.plan import PlannedVariant
from bakestone.core.render.release import ReleasedImage, RetiredTag
from bakestone.errors import Finding, render
from bakestone.jobs.publish.retire import Fate, Retirement
from bakestone.jobs.publish.run import BuildOptions, Outcome


class Screen:
    """Who looks on at a build: the terminal."""

    def warn(self, finding: Finding) -> None:
        """Say a warning at once."""
        click.echo(render([finding]), err=True)

    def say(self, text: str) -> None:
        """Say a line at once."""
        say(text)

    def building(self, variants: Sequence[PlannedVariant]) -> Progress:
        """A line for each variant."""
        return Progress({v.target: v.name for v in variants})


def outcome(found: Outcome, options: BuildOptions) -> None:
    """Say what became of a build; failures are raised by whoever called it."""
    built, present = len(found.built), len(found.present)
    if found.failed:
        said = f"{built} built, {present} already there, {len(found.failed)} failed"
        put_line(said + ("; no floating tag was moved" if options.push else ""))
        return
    if not options.push:
        what = "verified; nothing was published (use --push or --load)"
        what = "loaded into the engine" if options.load else what
        put_line(f"{built} variants built and {what}")
        return
    _images(found.images)
    _retired(found.retired, options.release)
    if not (built or found.moved or found.aliased or found.wrote):
        count = len(found.images)
        where = f"{found.plan.registry} under their fingerprints"
        put_line(f"nothing to do: all {count} images are in {where}")
        return
    done = f"{built} built, {present} already there"
    if options.tags:
        aliases = len(found.aliased)
        more = f" and {aliases} {'alias' if aliases == 1 else 'aliases'}" if aliases else ""
        put_line(f"{done}, {len(found.moved)} floating tags{more} moved; {options.release}")
    else:
        put_line(f"{done}; no floating tag was asked for")


def retirements(found: Sequence[Retirement], *, removed: bool) -> None:
    """Say what became of retired tags."""
    for one in found:
        reason = f": {one.reason}" if one.reason else ""
        put_line(f"{one.tag.reference}  {one.fate}{reason}")
    if not found:
        put_line("nothing to retire: images.yaml has every variant and alias of the release")
    elif not removed and any(one.fate == Fate.TO_REMOVE for one in found):
        put_line("nothing was removed; --yes removes these tags, images by digest stay")


def _images(images: Iterable[ReleasedImage]) -> None:
    shown = table(folded=("image", "digest"))
    shown.add_column("MB", overflow="fold", justify="right")
    shown.add_column("measured", overflow="fold")
    named = [image for image in images if image.aliases or image.dated]
    for image in images:
        size = f"{image.size / 1e6:.0f}"
        shown.add_row(image.floating, image.digest[:19], size, image.measured)
    put(shown)
    for image in named:
        put_line(f"{image.floating} is {', '.join([*image.aliases, *image.dated])} as well")


def _retired(tags: Sequence[RetiredTag], path: Path) -> None:
    if tags:
        names = few([tag.reference for tag in tags], 5)
        verb = "is" if len(tags) == 1 else "are"
        said = f"{names} {verb} in {path}, and no longer in images.yaml"
        Screen().warn(Finding(said, "`bakestone retire` takes these tags away", severity="warning"))
