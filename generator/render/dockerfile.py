"""The Dockerfile of a variant: whole, hermetic, every pin in its text."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from generator import template
from generator.errors import fail
from generator.library import Library
from generator.lock import Lock
from generator.needs import Artifact, Stage, base_packages, stages
from generator.render import packages
from generator.variant import Base, Chosen, Variant, slot_rank

UID = 10001
"""User id of the images' user: above the ids that distros and cloud images hand out (Ubuntu 24.04 has 1000 taken)."""

HEREDOC = "BAKESTONE_FILE"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@cache
def _frame(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text("utf-8")


class Renderer:
    """Renders the variants of one matrix with one lock; equal stages are rendered once."""

    def __init__(self, library: Library, lock: Lock) -> None:
        self.library = library
        self.lock = lock
        self._stages: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._packages: dict[tuple[Any, ...], str] = {}

    def dockerfile(self, variant: Variant) -> str:
        """The text of a variant's Dockerfile. Raises `BakestoneError` when the lock lacks something."""
        filled = sorted(variant.slots.values(), key=lambda c: slot_rank(c.slot))
        context = {
            "name": variant.name,
            "stages": [self._stage(stage, variant) for stage in stages(variant, self.library)],
            "base": self.origin(variant.base),
            "base_packages": self._base_packages(variant),
            "uid": UID,
            "user": variant.family.user,
            "environment": _pairs(self._environment(variant, filled), "ENV"),
            "heredoc": HEREDOC,
            "inventory_files": [f for c in filled for f in _inventory_files(c)],
            "inventory_script": _inventory_script(variant, filled),
            "labels": _pairs(self._labels(variant, filled), "LABEL"),
        }
        return template.render(_frame("Dockerfile.j2"), context, origin="generator/render/templates/Dockerfile.j2")

    def origin(self, base: Base) -> str:
        """What stands behind FROM: the reference with its locked digest."""
        locked = self.lock.bases.get(base.ref)
        if locked is None:
            raise fail(f"the lock has no base image {base.ref}", "run `bakestone lock`")
        return f"{base.ref}@{locked.digest}" if locked.digest else base.ref

    def _base_packages(self, variant: Variant) -> str:
        wanted = base_packages(variant)
        key = (wanted.base, wanted.names, variant.platforms)
        if key not in self._packages:
            self._packages[key] = packages.apt(wanted, self.lock, variant.platforms)
        return self._packages[key]

    def _stage(self, stage: Stage, variant: Variant) -> dict[str, Any]:
        """A component's build stage. Its text depends on its own inputs only, so that variants share it."""
        chosen = stage.chosen
        own = variant.context[chosen.slot]
        text, origin = chosen.component.template(chosen.method)
        seen = tuple((slot, *values.values()) for slot, values in variant.context.items() if slot in text)
        key = (chosen.text, chosen.method, own["prefix"], stage.builder.ref, variant.platforms, seen)
        if key not in self._stages:
            context: dict[str, Any] = {**variant.context, **own}
            files = _file_stages(stage, variant.platforms)
            context |= {"data": chosen.data, "artifacts": [{"filename": a.filename, "platform": a.platform} for a in stage.artifacts]}
            context |= {"files": f"{chosen.component.name}-files"}
            body = template.render(text, context, origin=origin).strip("\n")
            self._stages[key] = {
                "name": chosen.component.name,
                "builder": self.origin(stage.builder),
                "packages": packages.apt(stage.packages, self.lock, variant.platforms),
                "files": files,
                "body": (packages.pip(stage.wheels, self.lock, variant.platforms) if stage.wheels else "") + body + "\n",
            }
        return self._stages[key]

    def _environment(self, variant: Variant, filled: list[Chosen]) -> dict[str, str]:
        """ENV of the finished image: tools are found by a non-interactive shell of any user."""
        environment: dict[str, str] = {}
        paths: dict[str, list[str]] = {"path": [], "library_path": []}
        for chosen in filled:
            if chosen.method == "apt":
                continue
            data, origin = chosen.component.data, f"{chosen.component.origin}/component.yaml"
            context = {**variant.context, **variant.context[chosen.slot]}
            for name, value in data.get("environment", {}).items():
                environment[name] = template.render(str(value), context, origin=origin)
            for kind, found in paths.items():
                found += [p for p in (template.render(v, context, origin=origin) for v in data.get(kind, [])) if p not in found]
        own_base = variant.base.ref == Base.of(variant.distro.version.data).ref
        environment["PATH"] = ":".join([*paths["path"], _SYSTEM_PATH if own_base else "${PATH}"])
        if paths["library_path"]:
            inherited = "" if own_base else "${LD_LIBRARY_PATH:+:${LD_LIBRARY_PATH}}"
            environment["LD_LIBRARY_PATH"] = ":".join(paths["library_path"]) + inherited
        return dict(sorted(environment.items()))

    def _labels(self, variant: Variant, filled: list[Chosen]) -> dict[str, str]:
        locked = self.lock.bases[variant.base.ref]
        title = ", ".join(f"{c.component.data.get('title', c.component.name)} {c.version.version}" for c in filled)
        labels = {
            "org.opencontainers.image.title": variant.name,
            "org.opencontainers.image.ref.name": variant.name,
            "org.opencontainers.image.version": variant.name,
            "org.opencontainers.image.description": title,
            "org.opencontainers.image.base.name": variant.base.ref,
            "org.opencontainers.image.base.digest": locked.digest,
            "io.bakestone.family": variant.family.name,
            "io.bakestone.variant": variant.name,
        }
        return labels | {f"io.bakestone.slot.{c.slot}": c.text for c in filled}


def _pairs(values: dict[str, str], instruction: str) -> str:
    """KEY="value" lines of an ENV or LABEL instruction."""
    indent = " " * (len(instruction) + 1)
    return f" \\\n{indent}".join(f'{key}="{value}"' for key, value in values.items())


def _file_stages(stage: Stage, platforms: tuple[str, ...]) -> list[dict[str, Any]]:
    """The stages that ADD files by checksum; with files for one platform each, one stage a platform."""
    if not stage.artifacts:
        return []
    name = f"{stage.chosen.component.name}-files"
    special = any(a.platform for a in stage.artifacts)
    if not special or len(platforms) == 1:
        return [{"name": name, "origin": "scratch", "artifacts": list(stage.artifacts)}]
    out: list[dict[str, Any]] = []
    for platform in platforms:
        fitting: list[Artifact] = [a for a in stage.artifacts if a.platform in ("", platform)]
        out.append({"name": f"{name}-{platform.split('/')[1]}", "origin": "scratch", "artifacts": fitting})
    return [*out, {"name": name, "origin": f"{name}-${{TARGETARCH}}", "artifacts": []}]


def _inventory_files(chosen: Chosen) -> list[dict[str, str]]:
    component = chosen.component
    if component.inventory is None:
        raise fail(f"{component.name} has no inventory.sh", "a component must be measurable: see docs/components.md", name=component.origin)
    files = {"inventory.sh": component.inventory, **component.programs}
    for name, text in files.items():
        if HEREDOC in text:
            raise fail(
                f"{component.name}/{name} contains {HEREDOC}", "that word ends the file inside a Dockerfile: use another", name=component.origin
            )
    return [{"path": f"{component.name}/{name}", "text": text.rstrip("\n")} for name, text in files.items()]


def _inventory_script(variant: Variant, filled: list[Chosen]) -> str:
    measures = [
        {
            "slot": c.slot,
            "component": c.component.name,
            "version": c.version.version,
            "prefix": "/usr" if c.method == "apt" else variant.context[c.slot]["prefix"],
            "expected": sorted(c.version.measure.items(), key=lambda item: (item[0] != "version", item)),
        }
        for c in filled
    ]
    context = {"name": variant.name, "user": variant.family.user, "measures": measures}
    return template.render(_frame("inventory.sh.j2"), context, origin="generator/render/templates/inventory.sh.j2").rstrip("\n")
