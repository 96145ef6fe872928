"""How large a published image is, layer by layer, and whether its family allows that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from bakestone.core.matrix.variant import Variant
from bakestone.core.render import release
from bakestone.core.render.measured import Json
from bakestone.core.render.plan import PlannedVariant
from bakestone.errors import Finding

BASE, PACKAGES, USER, MEASURED = "base", "packages", "user", "measured"
"""What a layer is, if it is not a component's."""


def layers(variant: Variant, found: Sequence[tuple[str, int]], config: bytes) -> tuple[Json, ...]:
    """Digest, compressed bytes and origin of each layer, as release.json has them.

    What a layer is, BuildKit's history in the image's configuration tells: a component has one
    `COPY /out/`, in the order of the slots. Where it tells nothing, layers have no origin.
    """
    origins = _origins(variant, config)
    named = origins if len(origins) == len(found) else [""] * len(found)
    return tuple(
        {"digest": digest, "size": size} | ({"what": what} if what else {})
        for (digest, size), what in zip(found, named, strict=True)
    )


def parse(text: str) -> tuple[Json, ...]:
    """The layers that an annotation has, none without one. Raises `ValueError` for others."""
    if not text:
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ValueError("its list of layers is no JSON") from problem
    release.check_layers(found)
    return tuple(found)


def exceeded(
    variant: PlannedVariant, platform: str, size: int, found: Sequence[Json]
) -> Finding | None:
    """What is told of an image that is larger than its family's `max-size`."""
    budget = variant.variant.family.max_size
    if budget is None or size <= budget.bytes:
        return None
    named: dict[str, int] = {}
    for layer in found:
        what = str(layer.get("what", "others"))
        named[what] = named.get(what, 0) + int(str(layer["size"]))
    largest = sorted(named.items(), key=lambda item: (-item[1], item[0]))
    parts = ", ".join(f"{what} {_megabytes(bytes_)}" for what, bytes_ in largest)
    said = f"{variant.name} has {_megabytes(size)} for {platform}, and its family allows"
    why = f"{said} {budget.text}" + (f": {parts}" if parts else "")
    hint = "leave something out (`roles: [runtime]`), or raise `max-size`; no tag was moved"
    return Finding(why, hint, budget.where)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _origins(variant: Variant, config: bytes) -> list[str]:
    """What each layer is, by the history in an image's configuration; empty without one."""
    try:
        history = json.loads(config)["history"]
        steps = [str(s.get("created_by", "")) for s in history if not s.get("empty_layer")]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    copied = [i for i, step in enumerate(steps) if step.startswith("COPY /out/ ")]
    slots = [chosen.slot for chosen in variant.filled if chosen.staged]
    own = copied[len(copied) - len(slots) :]  # a base of one's own may have some before
    components = dict(zip(own, slots, strict=False))
    begin = next((i for i, step in enumerate(steps) if "/tools/timed.sh" in step), len(steps))
    return list(_named(steps, components, begin))


def _named(steps: Sequence[str], components: Mapping[int, str], begin: int) -> Iterator[str]:
    for number, step in enumerate(steps):
        if number in components:
            yield components[number]
        elif " /tmp/o/ / " in step:
            yield MEASURED
        elif number < begin:
            yield BASE
        else:
            of_user = "/tools/user.sh" in step or step.startswith("WORKDIR ")
            yield USER if of_user else PACKAGES
