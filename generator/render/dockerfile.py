"""The Dockerfile of a variant: whole, hermetic, every pin in its text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from generator import template
from generator.errors import fail
from generator.library import Library
from generator.lock import Lock
from generator.needs import Artifact, Stage, Survey
from generator.render import packages
from generator.variant import Base, Chosen, Variant, slot_rank

UID = 10001
"""User id of the images' user: above the ids that distros and cloud images hand out (Ubuntu 24.04 has 1000 taken)."""

HEREDOC = "BAKESTONE_FILE"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@cache
def _frame(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text("utf-8")


@dataclass(frozen=True)
class _Settings:
    """ENV of one component: variables, and what it adds to the paths."""

    environment: dict[str, str]
    paths: dict[str, list[str]]


class Renderer:
    """Renders the variants of one matrix with one lock; what several variants have alike is rendered once."""

    def __init__(self, library: Library, lock: Lock) -> None:
        self.library = library
        self.lock = lock
        self._survey = Survey(library)
        self._stages: dict[tuple[Any, ...], str] = {}
        self._packages: dict[tuple[Any, ...], str] = {}
        self._settings: dict[tuple[Any, ...], _Settings] = {}
        self._inventory: dict[str, str] = {}
        self._measures: dict[tuple[str, ...], str] = {}

    def dockerfile(self, variant: Variant) -> str:
        """The text of a variant's Dockerfile. Raises `BakestoneError` when the lock lacks something."""
        filled = sorted(variant.slots.values(), key=lambda c: slot_rank(c.slot))
        found = self._survey.stages(variant)
        context = {
            "name": variant.name,
            "stages": [stage.chosen.component.name for stage in found],
            "stage_texts": "".join(self._stage(stage, variant) for stage in found),
            "base": self.origin(variant.base),
            "base_packages": self._base_packages(variant),
            "uid": UID,
            "user": variant.family.user,
            "environment": _pairs(self._environment(variant, filled), "ENV"),
            "heredoc": HEREDOC,
            "inventory_files": "".join(self._inventory_files(c) for c in filled),
            "inventory_script": self._inventory_script(variant, filled),
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
        wanted = self._survey.base_packages(variant)
        key = (wanted.base, wanted.names, variant.platforms)
        if key not in self._packages:
            self._packages[key] = packages.apt(wanted, self.lock, variant.platforms)
        return self._packages[key]

    def _stage(self, stage: Stage, variant: Variant) -> str:
        """A component's build stage. Its text depends on its own inputs only, so that variants share it."""
        chosen = stage.chosen
        text, origin = chosen.component.template(chosen.method)
        key = (stage.builder.ref, variant.platforms, *_seen(chosen, variant, template.names(text)))
        if key not in self._stages:
            context: dict[str, Any] = {**variant.context, **variant.context[chosen.slot]}
            context |= {"data": chosen.data, "artifacts": [{"filename": a.filename, "platform": a.platform} for a in stage.artifacts]}
            context |= {"files": f"{chosen.component.name}-files"}
            body = template.render(text, context, origin=origin).strip("\n")
            around = {
                "name": chosen.component.name,
                "builder": self.origin(stage.builder),
                "packages": packages.apt(stage.packages, self.lock, variant.platforms),
                "file_stages": _file_stages(stage, variant.platforms),
                "body": (packages.pip(stage.wheels, self.lock, variant.platforms) if stage.wheels else "") + body,
            }
            self._stages[key] = template.render(_frame("stage.j2"), around, origin="generator/render/templates/stage.j2")
        return self._stages[key]

    def _environment(self, variant: Variant, filled: list[Chosen]) -> dict[str, str]:
        """ENV of the finished image: tools are found by a non-interactive shell of any user."""
        environment: dict[str, str] = {}
        paths: dict[str, list[str]] = {"path": [], "library_path": []}
        for chosen in filled:
            if chosen.method == "apt":
                continue
            settings = self._settings_of(chosen, variant)
            environment |= settings.environment
            for kind, found in paths.items():
                found += [p for p in settings.paths[kind] if p not in found]
        own_base = variant.base.ref == variant.distro.version.base.ref
        environment["PATH"] = ":".join([*paths["path"], _SYSTEM_PATH if own_base else "${PATH}"])
        if paths["library_path"]:
            inherited = "" if own_base else "${LD_LIBRARY_PATH:+:${LD_LIBRARY_PATH}}"
            environment["LD_LIBRARY_PATH"] = ":".join(paths["library_path"]) + inherited
        return dict(sorted(environment.items()))

    def _settings_of(self, chosen: Chosen, variant: Variant) -> _Settings:
        """The part of a component in ENV."""
        component = chosen.component
        key = _seen(chosen, variant, component.setting_names)
        if key not in self._settings:
            context = {**variant.context, **variant.context[chosen.slot]}

            def fill(text: Any) -> str:
                return template.render(str(text), context, origin=f"{component.origin}/component.yaml")

            self._settings[key] = _Settings(
                {name: fill(value) for name, value in component.data.get("environment", {}).items()},
                {kind: [fill(value) for value in component.data.get(kind, [])] for kind in ("path", "library_path")},
            )
        return self._settings[key]

    def _inventory_files(self, chosen: Chosen) -> str:
        """The COPY instructions that put a component's script and programs beside run.sh."""
        name = chosen.component.name
        if name not in self._inventory:
            files = _inventory_files(chosen).items()
            self._inventory[name] = "".join(f"COPY <<'{HEREDOC}' /tmp/bakestone/{name}/{file}\n{text}\n{HEREDOC}\n\n" for file, text in files)
        return self._inventory[name]

    def _inventory_script(self, variant: Variant, filled: list[Chosen]) -> str:
        measures = [self._measure(c, "/usr" if c.method == "apt" else variant.context[c.slot]["prefix"]) for c in filled]
        context = {"name": variant.name, "user": variant.family.user, "measures": measures}
        return template.render(_frame("inventory.sh.j2"), context, origin="generator/render/templates/inventory.sh.j2").rstrip("\n")

    def _measure(self, chosen: Chosen, prefix: str) -> str:
        """The line of run.sh that measures a component: slot, component, version, prefix, what is expected."""
        key = (chosen.slot, chosen.text, prefix)
        if key not in self._measures:
            expected = sorted(chosen.version.measure.items(), key=lambda item: (item[0] != "version", item))
            words = [chosen.slot, chosen.component.name, chosen.version.version, prefix, *(f"{k}={v}" for k, v in expected)]
            self._measures[key] = " ".join(["measure", *words])
        return self._measures[key]

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


def _seen(chosen: Chosen, variant: Variant, names: frozenset[str]) -> tuple[Any, ...]:
    """All that a component's templates see of a variant, when they use `names`: where it is equal, so is their text."""
    others = ((slot, *values.values()) for slot, values in variant.context.items() if slot in names)
    return (chosen.text, chosen.method, variant.context[chosen.slot]["prefix"], *others)


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


def _inventory_files(chosen: Chosen) -> dict[str, str]:
    """File name -> text."""
    component = chosen.component
    if component.inventory is None:
        raise fail(f"{component.name} has no inventory.sh", "a component must be measurable: see docs/components.md", name=component.origin)
    files = {"inventory.sh": component.inventory, **component.programs}
    for name, text in files.items():
        if HEREDOC in text:
            raise fail(
                f"{component.name}/{name} contains {HEREDOC}", "that word ends the file inside a Dockerfile: use another", name=component.origin
            )
    return {name: text.rstrip("\n") for name, text in files.items()}
