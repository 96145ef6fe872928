"""The Dockerfile of a variant: whole, hermetic, every pin in its text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from bakestone.core.documents import template
from bakestone.core.library.catalog import Library
from bakestone.core.library.version import Base
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import Artifact, Stage, VendorPackages
from bakestone.core.lock.survey import Survey
from bakestone.core.matrix.conditions import python
from bakestone.core.matrix.variant import Variant, slot_rank
from bakestone.core.render.environment import Environments, labels, seen, stage_context
from bakestone.core.render.frames import frame, pairs
from bakestone.core.render.inventory import HEREDOC, Inventories
from bakestone.core.render.packages.install import install
from bakestone.core.render.packages.pip import pip
from bakestone.errors import fail

UID = 10001
"""User id of the images' user: above the ids that distros and cloud images hand out (Ubuntu 24.04
has 1000 taken).
"""

OWN = ("image", "inventory", "")
"""The stages that are each variant's own; the last one has no name."""


@dataclass(frozen=True)
class RenderedStage:
    """A stage of a Dockerfile; those with one `identity` are the same work, whoever has them."""

    name: str
    identity: str


class Renderer:
    """Renders the variants of one matrix with one lock; what several variants have alike is
    rendered once.
    """

    def __init__(self, library: Library, lock: Lock) -> None:
        self.library = library
        self.lock = lock
        self._survey = Survey(library)
        self._environments = Environments()
        self._inventories = Inventories()
        self._stages: dict[tuple[Any, ...], str] = {}
        self._packages: dict[tuple[Any, ...], str] = {}

    def dockerfile(self, variant: Variant) -> str:
        """The text of a variant's Dockerfile.

        Raises `BakestoneError` when the lock lacks something.
        """
        filled = sorted(variant.slots.values(), key=lambda c: slot_rank(c.slot))
        found = self._survey.stages(variant)
        context = {
            "name": variant.name,
            "keyrings": self._keyrings(variant),
            "base": self.origin(variant.base),
            "base_packages": self._base_packages(variant),
            "vendor_packages": "".join(
                self._vendor_packages(vendor, variant)
                for vendor in self._survey.vendor_packages(variant)
            ),
            "stages": [stage.chosen.component.name for stage in found],
            "stage_texts": "".join(self._stage(stage, variant) for stage in found).rstrip("\n"),
            "uid": UID,
            "user": variant.family.user,
            "environment": pairs(self._environments.of(variant, filled), "ENV"),
            "heredoc": HEREDOC,
            "inventory_files": "".join(self._inventories.files(c) for c in filled),
            "inventory_script": self._inventories.script(variant, filled),
            "labels": pairs(labels(variant, filled, self.lock), "LABEL"),
        }
        return template.render(
            frame("Dockerfile.j2"),
            context,
            origin="generator/bakestone/core/render/templates/Dockerfile.j2",
        )

    def stages(self, variant: Variant) -> tuple[RenderedStage, ...]:
        """The stages of a variant's Dockerfile, in the order of the text."""
        found: list[RenderedStage] = []
        keyrings = self._survey.keyrings(variant)
        if keyrings:
            names = tuple(r.name for r in keyrings.repositories)
            key = _identity(keyrings.builder.ref, keyrings.packages.names, names)
            found += [RenderedStage(n, f"{n} {key}") for n in ("keyring-files", "keyrings")]
        vendors = tuple(
            (v.chosen.text, v.chosen.seen, v.packages.names)
            for v in self._survey.vendor_packages(variant)
        )
        names = self._survey.base_packages(variant).names
        base = _identity(variant.base.ref, names, vendors, variant.platforms, variant.family.user)
        found.append(RenderedStage("base", base))
        made: dict[str, str] = {}
        for stage in self._survey.stages(variant):
            inputs = self._key(stage, variant, template.names(self._template(stage)[0]))
            uses = tuple(made[slot] for slot in stage.uses if slot in made)
            made[stage.chosen.slot] = _identity(inputs, uses, base if stage.on_base else "")
            added = _identity(stage.artifacts, variant.platforms)  # FROM scratch, whoever uses it
            for files in _file_stages(stage, variant.platforms):
                found.append(RenderedStage(files["name"], f"{files['name']} {added}"))
            name = stage.chosen.component.name
            found.append(RenderedStage(name, f"{name} {made[stage.chosen.slot]}"))
        own = f"{variant.family.name}/{variant.name}"
        return (*found, *(RenderedStage(name, f"{name} {own}") for name in OWN))

    def origin(self, base: Base) -> str:
        """What stands behind FROM: the reference with its locked digest."""
        locked = self.lock.bases.get(base.ref)
        if locked is None:
            raise fail(f"the lock has no base image {base.ref}", "run `bakestone lock`")
        return locked.origin(base.ref)

    def _base_packages(self, variant: Variant) -> str:
        wanted = self._survey.base_packages(variant)
        key = (wanted.base, wanted.names, variant.platforms)
        if key not in self._packages:
            self._packages[key] = install(wanted, self.lock, variant.platforms)
        return self._packages[key]

    def _vendor_packages(self, vendor: VendorPackages, variant: Variant) -> str:
        """The RUN that installs a component's packages from its vendor's repository, and what its
        template adds.
        """
        chosen = vendor.chosen
        text = install(vendor.packages, self.lock, variant.platforms) + "\n"
        if chosen.component.has_template(chosen.method):
            body, origin = chosen.component.template(chosen.method)
            text += (
                template.render(body, stage_context(chosen, variant), origin=origin).strip("\n")
                + "\n\n"
            )
        return text

    def _keyrings(self, variant: Variant) -> str:
        wanted = self._survey.keyrings(variant)
        if wanted is None:
            return ""
        context = {
            "repositories": [self._keyring(r.name) for r in wanted.repositories],
            "builder": self.origin(wanted.builder),
            "packages": install(wanted.packages, self.lock, variant.platforms),
        }
        return template.render(
            frame("keyrings.j2"),
            context,
            origin="generator/bakestone/core/render/templates/keyrings.j2",
        )

    def _keyring(self, name: str) -> dict[str, str]:
        locked = self.lock.keyrings.get(name)
        if locked is None:
            raise fail(f"the lock has no keyring {name}", "run `bakestone lock`")
        return {"name": name, "key": locked.url, "fingerprint": locked.fingerprint}

    def _stage(self, stage: Stage, variant: Variant) -> str:
        """A component's build stage.

        Its text depends on its own inputs only, so that variants share it.
        """
        chosen = stage.chosen
        text, origin = self._template(stage)
        uses = tuple(variant.slots[slot].component.name for slot in stage.uses)
        key = self._key(stage, variant, template.names(text))
        if key not in self._stages:
            context: dict[str, Any] = stage_context(chosen, variant)
            context |= {
                "data": chosen.data,
                "artifacts": [
                    {"filename": a.filename, "platform": a.platform} for a in stage.artifacts
                ],
            }
            context |= {"files": f"{chosen.component.name}-files"}
            body = template.render(text, context, origin=origin).strip("\n")
            around = {
                "name": chosen.component.name,
                "builder": "base" if stage.on_base else self.origin(stage.builder),
                "packages": install(stage.packages, self.lock, variant.platforms),
                "uses": uses,
                "file_stages": _file_stages(stage, variant.platforms),
                "body": (
                    (
                        pip(stage.wheels, self.lock, variant.platforms, python(variant.slots) or "")
                        if stage.wheels
                        else ""
                    )
                    + body
                ),
            }
            self._stages[key] = template.render(
                frame("stage.j2"),
                around,
                origin="generator/bakestone/core/render/templates/stage.j2",
            )
        return self._stages[key]

    @staticmethod
    def _template(stage: Stage) -> tuple[str, str]:
        return stage.chosen.component.template(stage.chosen.method)

    @staticmethod
    def _key(stage: Stage, variant: Variant, names: frozenset[str]) -> tuple[Any, ...]:
        """What a stage's text depends on; `names` are those that its template uses."""
        uses = tuple(variant.slots[slot].component.name for slot in stage.uses)
        shared = (stage.builder.ref, stage.on_base, uses, variant.platforms)
        return (*shared, *seen(stage.chosen, variant, names))


def _identity(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _file_stages(stage: Stage, platforms: tuple[str, ...]) -> list[dict[str, Any]]:
    """The stages that ADD files by checksum; with files for one platform each, one stage a
    platform.
    """
    if not stage.artifacts:
        return []
    name = f"{stage.chosen.component.name}-files"
    special = any(a.platform for a in stage.artifacts)
    if not special or len(platforms) == 1:
        return [{"name": name, "origin": "scratch", "artifacts": list(stage.artifacts)}]
    out: list[dict[str, Any]] = []
    for platform in platforms:
        fitting: list[Artifact] = [a for a in stage.artifacts if a.platform in ("", platform)]
        out.append(
            {"name": f"{name}-{platform.split('/')[1]}", "origin": "scratch", "artifacts": fitting}
        )
    return [*out, {"name": name, "origin": f"{name}-${{TARGETARCH}}", "artifacts": []}]
