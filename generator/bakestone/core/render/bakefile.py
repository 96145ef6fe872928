"""docker-bake.json and the fingerprint: how Dockerfiles are built, with or without Bakestone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bakestone.core.documents.yaml import Json
from bakestone.core.lock.lock import Lock
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.compression import GZIP, Compression
from bakestone.errors import fail

NO_ATTESTATIONS = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
"""BuildKit's default provenance would change the pushed digest at every build.

Text, because buildx 0.13 knows no other form.
"""

PROVENANCE = ["type=provenance,mode=max", "type=sbom,disabled=true"]
"""BuildKit's provenance.

The SBOM is made from the lock (attest/), not by a scanner that BuildKit would have to fetch.
"""

SBOM = "spdx-2.3"
"""What the SBOM is."""

EPOCH = 315532800
"""SOURCE_DATE_EPOCH where the lock has none, since nobody could be asked for the base: 1980-01-01,
as zip archives begin.
"""


def epoch(variant: Variant, lock: Lock) -> int:
    """SOURCE_DATE_EPOCH of a variant, in seconds: when its base image was made."""
    return lock.bases[variant.base.ref].epoch or EPOCH


def fingerprint(
    variant: Variant,
    identity: str,
    lock: Lock,
    *,
    attest: bool = True,
    compression: Compression = GZIP,
) -> str:
    """64 hex digits that stand for everything the image is made from: the stages that its last one
    needs, by that one's `identity`, platforms, options, time stamp, and a team's annotations, which
    stand in its manifests: with others it has another digest, and must be published again.
    """
    parts = {
        "stages": identity,
        "platforms": list(variant.platforms),
        "output": compression.options,
        "attest": [*PROVENANCE, SBOM] if attest else NO_ATTESTATIONS,
        "epoch": epoch(variant, lock),
        **({"annotations": own} if (own := manifest_annotations(variant)) else {}),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def manifest_annotations(variant: Variant) -> list[str]:
    """A team's annotations, as buildx gives them to the manifest of each platform. The index has
    them from jobs/publish, which writes it: buildx refuses them where there is one platform.
    """
    own = variant.family.content.annotations
    return [f"manifest:{name}={value}" for name, value in sorted(own.items())]


def repository(registry: str, variant: Variant) -> str:
    """Where a variant's images are: REGISTRY/FAMILY."""
    return f"{registry}/{variant.family.name}"


def target(variant: Variant, lock: Lock, *, context: str) -> Json:
    """The bake target of a variant, without tags and output."""
    return {
        "context": context,
        "dockerfile": "Dockerfile",
        "target": variant.stage,
        "platforms": list(variant.platforms),
        "args": {"SOURCE_DATE_EPOCH": str(epoch(variant, lock))},
        "attest": NO_ATTESTATIONS,
    }


def bake_file(variants: Sequence[Variant], lock: Lock, registry: str, folder: str) -> Iterator[str]:
    """The committed bake file, piece by piece: a target a variant, a group a family.

    `folder` is relative to the working directory. Raises `BakestoneError` at once when two things
    would have one name.
    """
    return _pieces(_groups(variants), variants, lock, registry, folder)


def _pieces(
    groups: dict[str, list[str]],
    variants: Iterable[Variant],
    lock: Lock,
    registry: str,
    folder: str,
) -> Iterator[str]:
    listed = {
        "default": {"targets": sorted(groups)},
        **{k: {"targets": v} for k, v in sorted(groups.items())},
    }
    yield f'{{\n  "group": {_indented(listed)},\n  "target": {{'
    for number, variant in enumerate(variants):
        entry = target(variant, lock, context=f"{folder}/{variant.family.name}")
        entry["output"] = [",".join(["type=image", *(f"{k}={v}" for k, v in GZIP.options.items())])]
        if own := manifest_annotations(variant):
            entry["annotations"] = own
        tags = [variant.name, *(alias.tag for alias in variant.aliases if not alias.dated)]
        entry["tags"] = [f"{repository(registry, variant)}:{tag}" for tag in tags]
        named = _indented({variant.target: entry})
        yield f"{',' if number else ''}{named[1:-4]}"
    yield "\n  }\n}\n"


def _indented(data: Json) -> str:
    """JSON as it stands a level deeper."""
    return dump(data).rstrip("\n").replace("\n", "\n  ")


def _groups(variants: Iterable[Variant]) -> dict[str, list[str]]:
    """The groups of families, and the targets in each."""
    groups: dict[str, list[str]] = {}
    families: dict[str, str] = {"default": ""}  # the group of all families
    for variant in variants:
        group = group_name(variant.family.name)
        if families.setdefault(group, variant.family.name) != variant.family.name:
            other = families[group]
            what = (
                f"the families {other} and {variant.family.name} are both"
                if other
                else f"the family {variant.family.name} and the group of all are both"
            )
            raise fail(
                f"{what} {group} in the bake file", "rename the family", where=variant.family.where
            )
        groups.setdefault(group, []).append(variant.target)
    targets = {variant.target for variant in variants}
    for name in groups:
        if name in targets:
            hint = "rename the family"
            raise fail(f"a family and a variant are both {name} in the bake file", hint, name=name)
    return groups


def dump(data: Json) -> str:
    """Bake's JSON is read as HCL, so `${` and `%{` in a text are escaped."""
    return json.dumps(_escape(data), indent=2) + "\n"


def group_name(family: str) -> str:
    """A family's name as a bake group."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", family)


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, dict):
        return {k: _escape(v) for k, v in value.items()}
    return [_escape(v) for v in value] if isinstance(value, list) else value
