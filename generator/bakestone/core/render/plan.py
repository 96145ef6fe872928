"""What a run does with variants: names, references, fingerprints, stages, made once. Pure.

Whoever builds, publishes, rebuilds or explains takes the plan, and asks no project.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from bakestone.core.library.catalog import Library
from bakestone.core.lock.lock import Lock
from bakestone.core.matrix.variant import Variant
from bakestone.core.render import bakefile
from bakestone.core.render.compression import GZIP, Compression
from bakestone.core.render.family import FamilyFile
from bakestone.core.render.measured import Expected, expectations

FINGERPRINT_TAG = re.compile(r"fp-[0-9a-f]{64}")
"""The tags that images are kept under; they never move."""
_WITH_MANIFEST = ("type=image,", "type=oci,")
"""Outputs that write the manifest that a registry gets, where annotations are."""


@dataclass(frozen=True)
class PlannedVariant:
    """One variant of a plan: what it is called, where it goes, what it is made of.

    `file` is its family's Dockerfile, `path` where that is.
    """

    variant: Variant
    file: FamilyFile = field(repr=False)
    path: Path
    repository: str
    fingerprint: str
    epoch: int

    @property
    def name(self) -> str:
        """The variant's name, which is its floating tag as well."""
        return self.variant.name

    @property
    def family(self) -> str:
        """Its family in images.yaml."""
        return self.variant.family.name

    @property
    def target(self) -> str:
        """Its name in a bake definition."""
        return self.variant.target

    @property
    def stage(self) -> str:
        """The name of its last stage."""
        return self.variant.stage

    @property
    def platforms(self) -> tuple[str, ...]:
        """What it is built for."""
        return self.variant.platforms

    @cached_property
    def dockerfile(self) -> str:
        """The text of its own stages."""
        return self.file.alone(self.name)

    @property
    def title(self) -> str:
        """How findings name it: the variant and its file."""
        return f"{self.name} ({self.path})"

    @property
    def tag(self) -> str:
        """The tag that it is kept under, which never moves."""
        return f"fp-{self.fingerprint}"

    @property
    def kept(self) -> str:
        """REPOSITORY:fp-FINGERPRINT."""
        return f"{self.repository}:{self.tag}"

    @property
    def floating(self) -> str:
        """REPOSITORY:NAME, which moves from release to release."""
        return f"{self.repository}:{self.name}"

    def aliases(self, day: str, *, dated: bool) -> tuple[str, ...]:
        """Its tags besides its name that a release of a day has: those that move, or those that
        are of that day.
        """
        return tuple(a.on(day) for a in self.variant.aliases if a.dated is dated)

    @cached_property
    def stages(self) -> dict[str, str]:
        """Stage name -> identity: equal ones are the same work."""
        return self.file.names_of(self.name)

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """The identities of the stages that other variants may have as well."""
        return tuple(sorted(s.identity for s in self.file.stages[self.name] if not s.own))

    @cached_property
    def expected(self) -> tuple[Expected, ...]:
        """What its inventory must say."""
        return expectations(self.variant)


@dataclass(frozen=True)
class BuildPlan:
    """Variants of one project, for one registry; `attest` tells whether with attestations.

    `known` is the (family, name) of every variant in images.yaml, also of those that are not
    chosen. `lock` and `library` are what the texts were made from: an SBOM names what is in them.
    `compression` is that of the layers.
    """

    variants: tuple[PlannedVariant, ...]
    registry: str
    attest: bool
    known: tuple[tuple[str, str], ...] = field(repr=False)
    lock: Lock = field(repr=False)
    library: Library = field(repr=False)
    compression: Compression = GZIP

    def unattested(self) -> BuildPlan:
        """The same without attestations, which has other fingerprints."""
        plain = replace(self, attest=False)
        return plain.of(
            replace(v, fingerprint=_fingerprint(v.variant, v.file, plain)) for v in self.variants
        )

    def target(self, variant: PlannedVariant, output: str, *, attest: bool) -> dict[str, object]:
        """A variant's bake target with this output, with BuildKit's provenance or without.

        Its own stages are handed over, not the family's file, which the provenance would hold.
        """
        context = str(variant.path.parent.resolve())
        target = bakefile.target(variant.variant, self.lock, context=context)
        del target["dockerfile"]
        target |= {"dockerfile-inline": variant.dockerfile, "output": [output]}
        if output.startswith(_WITH_MANIFEST) and (
            own := bakefile.manifest_annotations(variant.variant)
        ):
            target |= {"annotations": own}
        return target | ({"attest": bakefile.PROVENANCE} if attest else {})

    def of(self, variants: Iterable[PlannedVariant]) -> BuildPlan:
        """The same for some of the variants, in the order that is given."""
        return replace(self, variants=tuple(variants))


def planned(variant: Variant, file: FamilyFile, path: Path, plan: BuildPlan) -> PlannedVariant:
    """A variant that stands in its family's file, as a plan wants it."""
    repository = bakefile.repository(plan.registry, variant)
    fingerprint = _fingerprint(variant, file, plan)
    epoch = bakefile.epoch(variant, plan.lock)
    return PlannedVariant(variant, file, path, repository, fingerprint, epoch)


def _fingerprint(variant: Variant, file: FamilyFile, plan: BuildPlan) -> str:
    identity, how = file.stages[variant.name][-1].identity, plan.compression
    return bakefile.fingerprint(variant, identity, plan.lock, attest=plan.attest, compression=how)
